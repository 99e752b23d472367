#include "rules/expression/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "rules/expression/functions/well_known.h"
#include "rules/expression/tree_writer.h"

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

class Parser : TreeWriter {
 public:
  Parser(std::vector<Token> tokens, Ast& ast, std::vector<Problem>& problems)
      : TreeWriter(std::move(tokens), ast, problems) {}

  bool run() {
    if (now().kind == TokenKind::end) {
      fail_at(now(), "an expression is missing");
      return false;
    }
    ast_.root = expression();
    if (!stopped() && now().kind != TokenKind::end) unexpected(now(), true);
    return !stopped();
  }

 private:
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
    if (stopped() || !now().is("?")) return condition;
    const Token question = now();
    advance();
    const NodeId then = any_of();
    if (now().is("?")) {
      return fail_at(now(), "'?' inside the middle of '? :'", "put the inner condition into parentheses");
    }
    expect(":", question);
    const NodeId otherwise = stopped() ? 0 : expression();
    if (stopped()) return 0;
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
    if (stopped() || !now().is(symbol)) return first;
    const Token pointed = now();
    std::vector<NodeId> operands{first};
    while (!stopped() && accept(symbol)) operands.push_back(operand());
    if (stopped()) return 0;
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
    while (!stopped()) {
      const std::optional<std::string> name = operator_here(level);
      if (!name) break;
      const Token pointed = now();
      advance();
      const NodeId right = level + 1 < kLevels.size() ? binary(level + 1) : unary();
      if (stopped()) return 0;
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
    for (auto sign = signs.rbegin(); sign != signs.rend() && !stopped(); ++sign) {
      Node node = spanning(Form::unary, *sign, sign->offset);
      node.name = sign->text;
      node.children = {result};
      result = add(std::move(node));
    }
    return result;
  }

  NodeId member() {
    NodeId result = primary();
    while (!stopped()) {
      if (now().is(".")) {
        advance();
        result = selection(result);
      } else if (now().is("[")) {
        const Token opened = now();
        advance();
        const bool optional = accept("?");
        const NodeId key = expression();
        expect("]", opened);
        if (stopped()) return 0;
        Node node = spanning(optional ? Form::optional_index : Form::index, opened, begin_of(result));
        node.children = {result, key};
        result = add(std::move(node));
      } else if (now().is("{") && ast_.at(result).form != Form::literal) {
        result = message(result);
      } else {
        break;
      }
    }
    return result;
  }

  NodeId selection(NodeId operand) {
    const bool optional = accept("?");
    const Token name = now();
    if (name.kind != TokenKind::identifier && name.kind != TokenKind::quoted_identifier) {
      return name.kind == TokenKind::end ? fail_at(name, "the name of a member is missing after '.'")
                                         : unexpected(name, false);
    }
    if (name.kind == TokenKind::identifier && is_keyword(name.text)) {
      return fail_at(name, "'" + name.text + "' is a word of the language", "write [\"" + name.text + "\"]");
    }
    advance();
    if (name.kind == TokenKind::identifier && now().is("(")) {
      if (!optional) return method(operand, name);
      return fail_at(name, "'.?' asks for a member, not for a function", "write '." + name.text + "(...)'");
    }
    Node node = spanning(optional ? Form::optional_select : Form::select, name, begin_of(operand));
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
      while (!stopped() && accept(","));
    }
    expect(")", opened);
    return result;
  }

  NodeId method(NodeId receiver, const Token& name) {
    const std::vector<NodeId> given = arguments();
    if (stopped()) return 0;
    const Node& operand = ast_.at(receiver);
    if (operand.form == Form::name && operand.name == "cel") {
      if (const auto node = of_cel(name, given, operand.begin)) return *node;
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

  // google.protobuf.Int32Value{value: 1}: a call with its one field.
  NodeId message(NodeId named) {
    const std::string name = dotted_name(named);
    const std::optional<Value> empty = empty_message(name);
    const Token opened = now();
    if (!empty) return unexpected(opened, true);
    advance();
    if (now().is("}")) {
      const NodeId result = literal(now(), *empty);
      if (!stopped()) ast_.at(result).begin = begin_of(named);
      return result;
    }
    const Token field = now();
    if (field.kind != TokenKind::identifier && field.kind != TokenKind::quoted_identifier) {
      return unexpected(field, false);
    }
    advance();
    if (!find_function(name + "." + field.text, false, 1))
      return fail_at(field, name + " has no field '" + field.text + "'");
    expect(":", opened);
    const NodeId held = stopped() ? 0 : expression();
    accept(",");
    expect("}", opened);
    if (stopped()) return 0;
    Node node = spanning(Form::call, field, begin_of(named));
    node.name = name + "." + field.text;
    node.children = {held};
    return add(std::move(node));
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
      if (!stopped()) {
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

  NodeId list(const Token& opened) {
    advance();
    std::vector<NodeId> items;
    std::vector<bool> optional;
    while (!stopped() && !now().is("]")) {
      optional.push_back(accept("?"));
      items.push_back(expression());
      if (!accept(",")) break;
    }
    expect("]", opened);
    if (stopped()) return 0;
    Node node = spanning(Form::list, opened, opened.offset);
    node.children = std::move(items);
    node.optional_items = marks(std::move(optional));
    return add(std::move(node));
  }

  NodeId map(const Token& opened) {
    advance();
    std::vector<NodeId> entries;
    std::vector<bool> optional;
    while (!stopped() && !now().is("}")) {
      optional.push_back(accept("?"));
      entries.push_back(expression());
      expect(":", opened);
      if (!stopped()) entries.push_back(expression());
      if (!accept(",")) break;
    }
    expect("}", opened);
    if (stopped()) return 0;
    Node node = spanning(Form::map, opened, opened.offset);
    node.children = std::move(entries);
    node.optional_items = marks(std::move(optional));
    return add(std::move(node));
  }

  static std::vector<bool> marks(std::vector<bool> optional) {
    const bool any = std::find(optional.begin(), optional.end(), true) != optional.end();
    return any ? std::move(optional) : std::vector<bool>();
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
      if (stopped()) return 0;
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

  std::size_t nesting_ = 0;
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
