#include "rules/expression/impossible.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "gateway/base/text.h"
#include "rules/expression/suggest.h"

namespace railhead::expression {
namespace {

// `what` compared with a constant; the constant stands on the right.
struct Comparison {
  std::string_view what;
  std::string_view operation;
  Value constant;
};

std::string_view turned(std::string_view operation) {
  if (operation == "<") return ">";
  if (operation == "<=") return ">=";
  if (operation == ">") return "<";
  if (operation == ">=") return "<=";
  return operation;
}

// The numbers that pass all comparisons seen so far.
struct Interval {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool without_least = false;
  bool without_most = false;

  void narrow(std::string_view operation, double number) {
    if (operation == ">" || operation == ">=" || operation == "==") raise(number, operation == ">");
    if (operation == "<" || operation == "<=" || operation == "==") lower(number, operation == "<");
  }
  [[nodiscard]] bool empty() const { return least > most || (least == most && (without_least || without_most)); }

 private:
  void raise(double number, bool without) {
    if (number > least) without_least = without;
    if (number == least) without_least = without_least || without;
    least = std::max(least, number);
  }
  void lower(double number, bool without) {
    if (number < most) without_most = without;
    if (number == most) without_most = without_most || without;
    most = std::min(most, number);
  }
};

class Search {
 public:
  Search(std::string_view text, const Ast& ast, const Scope::Names& names, std::vector<Problem>& problems)
      : text_(text), ast_(ast), names_(names), problems_(problems) {}

  void run() {
    std::vector<NodeId> open{ast_.root};
    while (!open.empty()) {
      const Node& node = ast_.at(open.back());
      open.pop_back();
      open.insert(open.end(), node.children.begin(), node.children.end());
      if (node.form == Form::binary) look_at_texts(node);
      if (node.form == Form::all_of) look_at_conjunction(node);
      if (node.form == Form::any_of) look_at_disjunction(node);
    }
  }

 private:
  [[nodiscard]] std::string_view source_of(const Node& node) const {
    return text_.substr(node.begin, node.end - node.begin);
  }
  void warn(const Node& node, std::string message, std::string hint) {
    problems_.push_back({node.begin, node.end - node.begin, std::move(message), std::move(hint), true});
  }

  // --- texts that a name never holds
  void look_at_texts(const Node& node) {
    const Node& left = ast_.at(node.children[0]);
    const Node& right = ast_.at(node.children[1]);
    if (node.name == "==" || node.name == "!=") {
      look_at_text(left, right, node.name == "==");
      look_at_text(right, left, node.name == "==");
    } else if (node.name == "in" && right.form == Form::list) {
      for (const NodeId item : right.children) look_at_text(left, ast_.at(item), true);
    }
  }

  void look_at_text(const Node& name, const Node& literal, bool equal) {
    if (literal.form != Form::literal || !literal.value.is(Kind::string)) return;
    const auto known = names_.texts.find(name.shape);
    if (known == names_.texts.end()) return;
    const std::vector<std::string>& texts = known->second.known;
    const std::string wanted(literal.value.as_text());
    if (known->second.or_digits && base::parse_int(wanted)) return;
    if (std::find(texts.begin(), texts.end(), wanted) != texts.end()) return;
    const auto near = base::nearest(wanted, texts);
    warn(literal,
         "'" + std::string(source_of(name)) + "' is " + (equal ? "never \"" : "always another than \"") + wanted + "\"",
         near ? "did you mean \"" + *near + "\"?" : list_of_names(texts));
  }

  // --- && and ||
  [[nodiscard]] std::optional<Value> constant_of(const Node& node) const {
    if (node.form == Form::literal) return node.value;
    if (node.form != Form::unary || node.name != "-") return std::nullopt;
    const Node& inner = ast_.at(node.children[0]);
    if (inner.form != Form::literal) return std::nullopt;
    if (inner.value.is(Kind::integer)) return Value::real(-static_cast<double>(inner.value.as_integer()));
    if (inner.value.is(Kind::real)) return Value::real(-inner.value.as_real());
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Comparison> comparison(const Node& node) const {
    if (node.form != Form::binary || node.name == "in") return std::nullopt;
    const Node& left = ast_.at(node.children[0]);
    const Node& right = ast_.at(node.children[1]);
    const std::optional<Value> on_left = constant_of(left);
    const std::optional<Value> on_right = constant_of(right);
    if (on_left.has_value() == on_right.has_value()) return std::nullopt;
    if (on_right) return Comparison{source_of(left), node.name, *on_right};
    return Comparison{source_of(right), turned(node.name), *on_left};
  }

  void look_at_conjunction(const Node& node) {
    std::map<std::string_view, Interval> intervals;
    std::map<std::string_view, std::string_view> texts;
    for (const NodeId child : node.children) {
      const std::optional<Comparison> one = comparison(ast_.at(child));
      if (!one) continue;
      bool contradicts = false;
      if (one->constant.is_number()) {
        Interval& interval = intervals[one->what];
        interval.narrow(one->operation, one->constant.to_real());
        contradicts = interval.empty();
      } else if (one->constant.is(Kind::string) && one->operation == "==") {
        const auto [first, fresh] = texts.emplace(one->what, source_of(ast_.at(child)));
        contradicts = !fresh && first->second != source_of(ast_.at(child));
      }
      if (!contradicts) continue;
      warn(ast_.at(child), "this is never true: it contradicts what stands before it",
           one->operation == "==" ? "did you mean '||'?" : "outside of a range: '||' in the place of '&&'");
      return;
    }
  }

  // x != "a" || x != "b" leaves nothing out.
  void look_at_disjunction(const Node& node) {
    std::map<std::string_view, Value> unequal;
    for (const NodeId child : node.children) {
      const std::optional<Comparison> one = comparison(ast_.at(child));
      if (!one || one->operation != "!=") continue;
      const auto [first, fresh] = unequal.emplace(one->what, one->constant);
      if (fresh || first->second == one->constant) continue;
      warn(node, "this is always true", "none of them: '&&' in the place of '||'");
      return;
    }
  }

  std::string_view text_;
  const Ast& ast_;
  const Scope::Names& names_;
  std::vector<Problem>& problems_;
};

}  // namespace

void find_impossible(std::string_view text, const Ast& ast, const Scope::Names& names, std::vector<Problem>& problems) {
  if (names.types_at_run_time) return;
  Search(text, ast, names, problems).run();
}

}  // namespace railhead::expression
