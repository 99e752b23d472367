#include "rules/expression/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "rules/expression/lexer.h"
#include "rules/expression/macros.h"
#include "rules/expression/number.h"

namespace railhead::expression {
namespace {

struct Level {
  std::array<std::string_view, 7> operators;
};
constexpr std::array<Level, 3> kLevels{{
    {{"==", "!=", "<", "<=", ">", ">=", "in"}},
    {{"+", "-"}},
    {{"*", "/", "%"}},
}};

class Parser {
 public:
  Parser(std::vector<Token> tokens, Ast& ast, std::vector<Problem>& problems)
      : tokens_(std::move(tokens)), ast_(ast), problems_(problems) {}

  bool run() {
    if (now().kind == TokenKind::end) {
      fail_at(now(), "an expression is missing");
      return false;
    }
    ast_.root = expression();
    if (!stopped_ && now().kind != TokenKind::end) unexpected(now(), true);
    return !stopped_;
  }

 private:
  // --- tokens
  [[nodiscard]] const Token& now() const { return tokens_[at_]; }
  [[nodiscard]] const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  [[nodiscard]] std::size_t end_of_last() const {
    return at_ == 0 ? 0 : tokens_[at_ - 1].offset + tokens_[at_ - 1].length;
  }
  void advance() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool accept(std::string_view symbol) {
    if (!now().is(symbol)) return false;
    advance();
    return true;
  }
  void expect(std::string_view symbol, const Token& opened_by) {
    if (stopped_ || accept(symbol)) return;
    if (now().kind == TokenKind::end) {
      fail_at(opened_by, "'" + opened_by.text + "' without its '" + std::string(symbol) + "'");
    } else {
      unexpected(now(), true);
    }
  }

  // --- problems
  void report(std::size_t offset, std::size_t length, std::string message, std::string hint = {}) {
    problems_.push_back({offset, std::max<std::size_t>(1, length), std::move(message), std::move(hint), false});
  }
  NodeId fail_at(const Token& token, std::string message, std::string hint = {}) {
    if (!stopped_) report(token.offset, token.length, std::move(message), std::move(hint));
    return stop();
  }
  NodeId stop() {
    stopped_ = true;
    at_ = tokens_.size() - 1;
    return 0;
  }
  // 80,5
  [[nodiscard]] bool between_digits() const {
    if (at_ == 0 || at_ + 1 >= tokens_.size()) return false;
    const Token& before = tokens_[at_ - 1];
    const Token& behind = tokens_[at_ + 1];
    return before.kind == TokenKind::integer && behind.kind == TokenKind::integer &&
           before.offset + before.length + 1 == behind.offset;
  }

  NodeId unexpected(const Token& token, bool after_operand) {
    if (token.kind == TokenKind::end) {
      return fail_at(token, "the expression ends too early", after_operand ? "" : "a value is missing here");
    }
    std::string hint;
    if (token.is("=")) hint = "write '==' to compare";
    if (token.is_word("and") || token.is_word("AND")) hint = "write '&&'";
    if (token.is_word("or") || token.is_word("OR")) hint = "write '||'";
    if (token.is_word("not") || token.is_word("NOT")) hint = "write '!'";
    if (token.is(">") && at_ > 0 && tokens_[at_ - 1].is("<")) hint = "write '!=' for \"not equal\"";
    if (token.is(",") && between_digits()) {
      hint = "a number has a decimal point: " + tokens_[at_ - 1].text + "." + tokens_[at_ + 1].text;
    }
    if (token.is("{")) hint = "there are no message types in this language";
    const bool negated = at_ > 0 && (tokens_[at_ - 1].is_word("not") || tokens_[at_ - 1].is_word("NOT"));
    if (negated) hint = "write '!' instead of '" + tokens_[at_ - 1].text + "'";
    const bool operand = token.kind != TokenKind::symbol;
    if (hint.empty() && after_operand && operand) hint = "an operator is missing before it";
    std::string shown = token.text;
    if (token.kind == TokenKind::string) shown = "\"" + shown + "\"";
    if (shown.size() > 40) shown = shown.substr(0, 40) + "...";
    return fail_at(token, token.kind == TokenKind::string ? "unexpected text " + shown : "unexpected '" + shown + "'",
                   std::move(hint));
  }

  // --- nodes
  NodeId add(Node node) {
    for (const NodeId child : node.children) {
      if (child < ast_.nodes.size()) node.depth = std::max(node.depth, ast_.at(child).depth + 1);
    }
    if (ast_.nodes.size() >= kNodesMax) {
      return fail_at(now(), "the expression is too long: more than " + std::to_string(kNodesMax) + " parts");
    }
    if (node.depth > kDepthMax) return fail_at(now(), "the expression is nested too deeply");
    ast_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }
  [[nodiscard]] Node spanning(Form form, const Token& pointed, std::size_t begin) const {
    Node node;
    node.form = form;
    node.offset = pointed.offset;
    node.length = pointed.length;
    node.begin = begin;
    node.end = end_of_last();
    return node;
  }
  [[nodiscard]] std::size_t begin_of(NodeId id) const { return id < ast_.nodes.size() ? ast_.at(id).begin : 0; }

  // --- grammar
  NodeId expression() {
    if (nesting_ >= kNestingMax) {
      return fail_at(now(),
                     "the expression is nested too deeply: more than " + std::to_string(kNestingMax) + " levels");
    }
    ++nesting_;
    const NodeId result = conditional();
    --nesting_;
    return result;
  }

  NodeId conditional() {
    const NodeId condition = any_of();
    if (stopped_ || !now().is("?")) return condition;
    const Token question = now();
    advance();
    const NodeId then = any_of();
    if (now().is("?")) {
      return fail_at(now(), "'?' inside the middle of '? :'", "put the inner condition into parentheses");
    }
    expect(":", question);
    const NodeId otherwise = stopped_ ? 0 : expression();
    if (stopped_) return 0;
    Node node = spanning(Form::conditional, question, begin_of(condition));
    node.children = {condition, then, otherwise};
    return add(std::move(node));
  }

  NodeId any_of() {
    return chain(Form::any_of, "||", [this] { return all_of(); });
  }
  NodeId all_of() {
    return chain(Form::all_of, "&&", [this] { return binary(0); });
  }

  template <class Operand>
  NodeId chain(Form form, std::string_view symbol, Operand operand) {
    const NodeId first = operand();
    if (stopped_ || !now().is(symbol)) return first;
    const Token pointed = now();
    std::vector<NodeId> operands{first};
    while (!stopped_ && accept(symbol)) operands.push_back(operand());
    if (stopped_) return 0;
    Node node = spanning(form, pointed, begin_of(first));
    node.name = symbol;
    node.children = std::move(operands);
    return add(std::move(node));
  }

  // The operator of this level that stands here, if any.
  std::optional<std::string> operator_here(std::size_t level) {
    const Token& token = now();
    if (level == 0 && token.is("=")) {
      const bool turned = ahead().offset == token.offset + 1 && (ahead().is(">") || ahead().is("<"));
      const std::string operation = turned ? ahead().text + "=" : "==";
      report(token.offset, turned ? 2 : 1, turned ? "'=" + ahead().text + "' is no operator" : "'=' is no operator",
             "write '" + operation + "'" + (turned ? "" : " to compare"));
      if (turned) advance();
      return "==";
    }
    if (token.kind != TokenKind::symbol && !token.is_word("in")) return std::nullopt;
    const auto& operators = kLevels[level].operators;
    if (token.text.empty() || std::find(operators.begin(), operators.end(), token.text) == operators.end()) {
      return std::nullopt;
    }
    return token.text;
  }

  NodeId binary(std::size_t level) {
    NodeId left = level + 1 < kLevels.size() ? binary(level + 1) : unary();
    while (!stopped_) {
      const std::optional<std::string> name = operator_here(level);
      if (!name) break;
      const Token pointed = now();
      advance();
      const NodeId right = level + 1 < kLevels.size() ? binary(level + 1) : unary();
      if (stopped_) return 0;
      Node node = spanning(Form::binary, pointed, begin_of(left));
      node.name = *name;
      node.children = {left, right};
      left = add(std::move(node));
    }
    return left;
  }

  NodeId unary() {
    std::vector<Token> signs;
    while (now().is("!") || now().is("-")) {
      const bool number_follows = ahead().kind == TokenKind::integer || ahead().kind == TokenKind::real;
      if (now().is("-") && number_follows) break;
      signs.push_back(now());
      advance();
      if (signs.size() > kNestingMax) return fail_at(now(), "too many signs in a row");
    }
    NodeId result = member();
    for (auto sign = signs.rbegin(); sign != signs.rend() && !stopped_; ++sign) {
      Node node = spanning(Form::unary, *sign, sign->offset);
      node.name = sign->text;
      node.children = {result};
      result = add(std::move(node));
    }
    return result;
  }

  NodeId member() {
    NodeId result = primary();
    while (!stopped_) {
      if (now().is(".")) {
        advance();
        result = selection(result);
      } else if (now().is("[")) {
        const Token opened = now();
        advance();
        const NodeId key = expression();
        expect("]", opened);
        if (stopped_) return 0;
        Node node = spanning(Form::index, opened, begin_of(result));
        node.children = {result, key};
        result = add(std::move(node));
      } else if (now().is("{") && ast_.at(result).form != Form::literal) {
        return unexpected(now(), true);
      } else {
        break;
      }
    }
    return result;
  }

  NodeId selection(NodeId operand) {
    const Token name = now();
    if (name.kind != TokenKind::identifier && name.kind != TokenKind::quoted_identifier) {
      return name.kind == TokenKind::end ? fail_at(name, "the name of a member is missing after '.'")
                                         : unexpected(name, false);
    }
    if (name.kind == TokenKind::identifier && is_keyword(name.text)) {
      return fail_at(name, "'" + name.text + "' is a word of the language", "write [\"" + name.text + "\"]");
    }
    advance();
    if (name.kind == TokenKind::identifier && now().is("(")) return method(operand, name);
    Node node = spanning(Form::select, name, begin_of(operand));
    node.name = name.text;
    node.children = {operand};
    return add(std::move(node));
  }

  std::vector<NodeId> arguments() {
    const Token opened = now();
    advance();
    std::vector<NodeId> result;
    if (!now().is(")")) {
      do result.push_back(expression());
      while (!stopped_ && accept(","));
    }
    expect(")", opened);
    return result;
  }

  NodeId method(NodeId receiver, const Token& name) {
    const std::vector<NodeId> given = arguments();
    if (stopped_) return 0;
    const Node& operand = ast_.at(receiver);
    if (name.text == "bind" && given.size() == 3 && operand.form == Form::name && operand.name == "cel") {
      return comprehension(kBind, given[1], {given[0], given[2]}, name);
    }
    if (const MacroShape* const shape = find_macro(name.text, given.size())) {
      return comprehension(*shape, receiver, given, name);
    }
    Node node = spanning(Form::call, name, begin_of(receiver));
    node.method = true;
    node.name = name.text;
    node.children = {receiver};
    node.children.insert(node.children.end(), given.begin(), given.end());
    return add(std::move(node));
  }

  NodeId comprehension(const MacroShape& shape, NodeId range, const std::vector<NodeId>& given, const Token& name) {
    Node node = spanning(Form::comprehension, name, begin_of(range));
    node.name = shape.name;
    node.macro = shape.macro;
    node.filtered = shape.filtered;
    node.children = {range};
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Node& argument = ast_.at(given[i]);
      if (i >= shape.variables) {
        node.children.push_back(given[i]);
      } else if (argument.form != Form::name || argument.rooted) {
        return fail_at(token_of(argument), "the first argument of " + std::string(shape.name) + "() names its variable",
                       "for example: list.all(x, x > 0)");
      } else if (std::find(node.variables.begin(), node.variables.end(), argument.name) != node.variables.end()) {
        return fail_at(token_of(argument), "the variable '" + argument.name + "' is named twice");
      } else {
        node.variables.push_back(argument.name);
      }
    }
    return add(std::move(node));
  }

  [[nodiscard]] static Token token_of(const Node& node) {
    Token token;
    token.offset = node.begin;
    token.length = node.end - node.begin;
    return token;
  }

  NodeId primary() {
    const Token token = now();
    switch (token.kind) {
      case TokenKind::end: return unexpected(token, false);
      case TokenKind::identifier: return name_or_call(token, false);
      case TokenKind::quoted_identifier:
        return fail_at(token, "a back-quoted name stands only after '.'", "a text is written \"" + token.text + "\"");
      case TokenKind::integer:
      case TokenKind::uinteger:
      case TokenKind::real: return number(token, false);
      case TokenKind::string: return literal(token, Value::text(token.text));
      case TokenKind::bytes: return literal(token, Value::bytes(token.text));
      case TokenKind::symbol: break;
    }
    if (token.is("-")) {
      advance();
      return number(now(), true);
    }
    if (token.is("(")) {
      advance();
      const NodeId inner = expression();
      expect(")", token);
      if (!stopped_) {
        ast_.at(inner).begin = token.offset;
        ast_.at(inner).end = end_of_last();
      }
      return inner;
    }
    if (token.is("[")) return list(token);
    if (token.is("{")) return map(token);
    if (token.is(".") && ahead().kind == TokenKind::identifier) {
      advance();
      return name_or_call(now(), true);
    }
    return unexpected(token, false);
  }

  NodeId literal(const Token& token, Value value) {
    advance();
    Node node = spanning(Form::literal, token, token.offset);
    node.value = std::move(value);
    return add(std::move(node));
  }

  NodeId number(const Token& token, bool negative) {
    const std::size_t from = negative ? token.offset - 1 : token.offset;
    const std::optional<Value> value = number_value(token.text, token.kind, negative);
    if (!value) {
      return fail_at(token, std::string(negative ? "-" : "") + token.text + " is out of range",
                     token.kind == TokenKind::uinteger ? "uint holds 0 to 18446744073709551615"
                                                       : "int holds -9223372036854775808 to 9223372036854775807");
    }
    const NodeId result = literal(token, *value);
    if (!stopped_) ast_.at(result).begin = from;
    return result;
  }

  NodeId list(const Token& opened) {
    advance();
    std::vector<NodeId> items;
    while (!stopped_ && !now().is("]")) {
      items.push_back(expression());
      if (!accept(",")) break;
    }
    expect("]", opened);
    if (stopped_) return 0;
    Node node = spanning(Form::list, opened, opened.offset);
    node.children = std::move(items);
    return add(std::move(node));
  }

  NodeId map(const Token& opened) {
    advance();
    std::vector<NodeId> entries;
    while (!stopped_ && !now().is("}")) {
      entries.push_back(expression());
      expect(":", opened);
      if (!stopped_) entries.push_back(expression());
      if (!accept(",")) break;
    }
    expect("}", opened);
    if (stopped_) return 0;
    Node node = spanning(Form::map, opened, opened.offset);
    node.children = std::move(entries);
    return add(std::move(node));
  }

  NodeId name_or_call(const Token& token, bool rooted) {
    if (token.text == "true" || token.text == "false") return literal(token, Value::boolean(token.text == "true"));
    if (token.text == "null") return literal(token, Value());
    if (token.text == "in") return unexpected(token, false);
    if (is_reserved(token.text)) {
      return fail_at(token, "'" + token.text + "' is reserved and cannot name a variable or function",
                     token.text == "if" ? "write: condition ? this : that" : "");
    }
    const std::size_t begin = rooted ? token.offset - 1 : token.offset;
    advance();
    if (now().is("(")) {
      std::vector<NodeId> given = arguments();
      if (stopped_) return 0;
      if (token.text == "has" && !rooted) return presence(token, given);
      Node node = spanning(Form::call, token, begin);
      node.name = token.text;
      node.children = std::move(given);
      return add(std::move(node));
    }
    Node node = spanning(Form::name, token, begin);
    node.name = token.text;
    node.rooted = rooted;
    return add(std::move(node));
  }

  NodeId presence(const Token& token, const std::vector<NodeId>& given) {
    if (given.size() != 1 || ast_.at(given[0]).form != Form::select) {
      return fail_at(token, "has() asks for one member", "for example: has(value.temperature)");
    }
    Node& tested = ast_.at(given[0]);
    tested.form = Form::test;
    return given[0];
  }

  std::vector<Token> tokens_;
  Ast& ast_;
  std::vector<Problem>& problems_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
  bool stopped_ = false;
};

}  // namespace

bool parse(std::string_view text, Ast& ast, std::vector<Problem>& problems) {
  if (text.size() > kTextMax) {
    problems.push_back(
        {0, 1, "the expression is too long: more than " + std::to_string(kTextMax) + " bytes", {}, false});
    return false;
  }
  const std::size_t before = problems.size();
  std::vector<Token> tokens = tokenize(text, problems);
  if (problems.size() != before) return false;
  return Parser(std::move(tokens), ast, problems).run();
}

}  // namespace railhead::expression
