#include "rules/expression/expectations.h"

#include <algorithm>
#include <utility>

#include "rules/expression/suggest.h"

namespace railhead::expression {

void Expectations::error(std::size_t offset, std::size_t length, std::string message, std::string hint) {
  problems_.push_back({offset, std::max<std::size_t>(1, length), std::move(message), std::move(hint), false});
}

void Expectations::warn(std::size_t offset, std::size_t length, std::string message, std::string hint) {
  problems_.push_back({offset, std::max<std::size_t>(1, length), std::move(message), std::move(hint), true});
}

void Expectations::mismatch(std::size_t offset, std::size_t length, std::string message, std::string hint) {
  if (!names_.types_at_run_time) error(offset, length, std::move(message), std::move(hint));
}

void Expectations::expect_boolean(const Node& node, std::string_view where) {
  if (node.type == Type::boolean || node.type == Type::any) return;
  mismatch_whole(node, std::string(where) + " a bool, not " + a_type(node.type),
                 node.type == Type::optional ? "ask .hasValue(), or " + std::string(kTakeValue) : "");
}

void Expectations::expect_optional(const Node& node, std::string_view where) {
  if (node.type == Type::optional || node.type == Type::any) return;
  mismatch_whole(node, std::string(where) + " an optional value, not " + a_type(node.type),
                 "optional.of(...) makes one; a.?b gives one");
}

void Expectations::expect_optional_items(const Node& node, std::size_t first, std::size_t stride) {
  for (std::size_t i = 0; i < node.optional_items.size(); ++i) {
    if (node.optional_items[i]) expect_optional(ast_.at(node.children[first + i * stride]), "'?' stands before");
  }
}

bool Expectations::expect_optional_receiver(const Node& call, const Node& receiver) {
  const Node* base = &receiver;
  while (base->form == Form::select || base->form == Form::index) base = &ast_.at(base->children[0]);
  const bool read = base->form == Form::name && base->binding == Binding::variable && base != &receiver;
  if (receiver.type == Type::optional || !read) return true;
  mismatch_whole(receiver,
                 "'" + std::string(source_of(receiver)) + "' is no optional value: " + call.name + "() asks one",
                 "a member that may be absent is written with '.?', as in value.?temperature.orValue(20.0)");
  return false;
}

void Expectations::expect_result(NodeId id) {
  if (ast_.at(id).type == Type::optional) {
    mismatch_whole(ast_.at(id), "the expression gives an optional value",
                   "end it with .orValue(...); to leave out a member of a map: {?\"name\": " +
                       std::string(source_of(ast_.at(id))) + "}");
    return;
  }
  std::vector<NodeId> open{id};
  while (!open.empty()) {
    const Node& node = ast_.at(open.back());
    open.pop_back();
    if (node.form != Form::list && node.form != Form::map) continue;
    const std::size_t stride = node.form == Form::map ? 2 : 1;
    for (std::size_t i = stride - 1; i < node.children.size(); i += stride) {
      const bool marked = !node.optional_items.empty() && node.optional_items[i / stride];
      const Node& item = ast_.at(node.children[i]);
      open.push_back(node.children[i]);
      if (marked || item.type != Type::optional) continue;
      mismatch_whole(item, "an optional value stands in a " + std::string(name_of(node.type)),
                     "to leave it out where it holds nothing: " +
                         (stride == 1 ? "?" + std::string(source_of(item))
                                      : "?" + std::string(source_of(ast_.at(node.children[i - 1]))) + ": " +
                                            std::string(source_of(item))));
    }
  }
}

void Expectations::report_operands(const Node& node, const Node& left, const Node& right) {
  std::string message = binary_mismatch(node.name, left.type, right.type);
  if (left.type == Type::optional || right.type == Type::optional) {
    mismatch_whole(left.type == Type::optional ? left : right, std::move(message), std::string(kTakeValue));
    return;
  }
  // The literal is the likelier slip: point there.
  const bool point_left = left.form == Form::literal && right.form != Form::literal;
  const bool point_right = right.form == Form::literal && left.form != Form::literal;
  const Node* pointed = point_left ? &left : point_right ? &right : nullptr;
  const Type other = point_left ? right.type : left.type;
  std::string hint;
  const bool chained = left.type == Type::boolean && left.form == Form::binary;
  const bool compares = node.name.find_first_of("=<>") != std::string::npos;
  const bool number = pointed != nullptr && pointed->value.is_number();
  if (pointed != nullptr && !chained && (compares || !number)) {
    hint = suggest_literal(pointed->value, source_of(*pointed), other);
  }
  if (hint.empty()) hint = suggest_operands(node.name, left.type, right.type, chained);
  if (pointed != nullptr) {
    mismatch_whole(*pointed, std::move(message), std::move(hint));
  } else {
    mismatch(node, std::move(message), std::move(hint));
  }
}

void Expectations::warn_integer_division(const Node& node, const Node& left, const Node& right) {
  const auto whole = [](Type type) { return type == Type::integer || type == Type::uinteger; };
  const bool literal = right.form == Form::literal && whole(right.type);
  const bool surely = whole(left.type) && whole(right.type);
  const bool perhaps = left.type == Type::any && left.form != Form::failed && literal;
  if (!surely && !perhaps) return;
  if (literal && right.value == Value::integer(0)) return;  // fails anyway, and says so
  std::string hint =
      literal ? "write / " + std::string(source_of(right)) : "write / double(" + std::string(source_of(right)) + ")";
  if (literal && hint.back() == 'u') hint.pop_back();
  if (literal) hint += ".0";
  warn(node.offset, node.length,
       surely ? "a division of whole numbers drops the fraction"
              : "where '" + std::string(source_of(left)) + "' is a whole number this division drops the fraction",
       hint);
}

void Expectations::report_arguments(const Node& node, const FunctionEntry& function, const std::vector<Type>& given) {
  std::string list;
  for (const Type type : given) list += (list.empty() ? "" : ", ") + std::string(name_of(type));
  const bool optional = std::find(given.begin(), given.end(), Type::optional) != given.end();
  mismatch(node, node.name + "() does not take (" + list + ")",
           optional ? std::string(kTakeValue) : describe_overloads(function));
}

}  // namespace railhead::expression
