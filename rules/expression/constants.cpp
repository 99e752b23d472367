#include "rules/expression/constants.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "rules/expression/functions/function.h"
#include "rules/expression/functions/utf8.h"
#include "rules/expression/functions/zone.h"

namespace railhead::expression {
namespace {

struct ConversionHint {
  std::string_view function;
  std::string_view hint;
};
constexpr std::array<ConversionHint, 8> kConvertible{{
    {"timestamp", R"(written as in timestamp("2026-01-31T08:00:00Z"))"},
    {"duration", R"(written as in duration("1h30m"), with h, m, s, ms, us, ns)"},
    {"int", "digits with a sign at most"},
    {"uint", "digits alone"},
    {"double", "a number with a decimal point"},
    {"bool", R"("true" or "false")"},
    {"ip", R"(written as in ip("192.168.0.1") or ip("2001:db8::1"))"},
    {"cidr", R"(written as in cidr("192.168.0.0/24") or cidr("2001:db8::/32"))"},
}};

class ConstantCheck {
 public:
  ConstantCheck(const Ast& ast, std::vector<Problem>& problems) : ast_(ast), problems_(problems) {}

  void run() {
    std::vector<NodeId> open{ast_.root};
    while (!open.empty()) {
      const Node& node = ast_.at(open.back());
      open.pop_back();
      if (node.form == Form::call) look_at_call(node);
      if (node.form == Form::index) look_at_index(node);
      open.insert(open.end(), node.children.begin(), node.children.end());
    }
  }

 private:
  [[nodiscard]] const Node* literal(const Node& node, std::size_t child, Kind kind) const {
    if (child >= node.children.size()) return nullptr;
    const Node& given = ast_.at(node.children[child]);
    return given.form == Form::literal && given.value.is(kind) ? &given : nullptr;
  }
  void report(const Node& at, std::string message, std::string hint, bool warning = false) {
    problems_.push_back(
        {at.begin, std::max<std::size_t>(1, at.end - at.begin), std::move(message), std::move(hint), warning});
  }

  void look_at_call(const Node& node) {
    const FunctionEntry& function = functions()[node.index];
    if (function.method) {
      const Node* const zone = function.name.starts_with("get") ? literal(node, 1, Kind::string) : nullptr;
      if (zone != nullptr) look_at_zone(*zone);
      return;
    }
    const auto conversion = std::find_if(kConvertible.begin(), kConvertible.end(),
                                         [&](const ConversionHint& each) { return each.function == function.name; });
    const Node* const text = literal(node, 0, Kind::string);
    if (conversion == kConvertible.end() || text == nullptr) return;
    Work work;
    const Value result = function.code({&text->value, 1}, work);
    if (result.is(Kind::error)) report(*text, std::string(result.as_text()), std::string(conversion->hint));
  }

  void look_at_zone(const Node& zone) {
    const std::string_view name = zone.value.as_text();
    if (zone_offset(name, 0)) return;
    const bool has_database = zone_offset("Europe/Berlin", 0).has_value();
    const auto near = nearest_zone(name);
    report(zone, "unknown time zone: " + std::string(shortened(name, 64)),
           !has_database ? "the system has no time zone database: install tzdata"
           : near        ? "did you mean '" + *near + "'?"
                         : R"(written as in "Europe/Berlin" or "+02:00")",
           !has_database);
  }

  void look_at_index(const Node& node) {
    const Node* const index = literal(node, 1, Kind::integer);
    const Type container = ast_.at(node.children[0]).type;
    if (index == nullptr || index->value.as_integer() >= 0 || container == Type::map) return;
    report(*index, "a list has no item " + std::to_string(index->value.as_integer()),
           "the last one is list[list.size() - 1]", container != Type::list);
  }

  const Ast& ast_;
  std::vector<Problem>& problems_;
};

}  // namespace

void check_constants(const Ast& ast, std::vector<Problem>& problems) { ConstantCheck(ast, problems).run(); }

}  // namespace railhead::expression
