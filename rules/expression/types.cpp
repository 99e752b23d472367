#include "rules/expression/types.h"

#include <algorithm>
#include <array>

namespace railhead::expression {
namespace {

constexpr std::array<std::string_view, 16> kNames{"dyn",    "null_type",     "bool",      "int",      "uint", "double",
                                                  "string", "bytes",         "timestamp", "duration", "list", "map",
                                                  "type",   "optional_type", "net.IP",    "net.CIDR"};
constexpr std::array<std::string_view, 15> kTypeNames{"bool",
                                                      "int",
                                                      "uint",
                                                      "double",
                                                      "string",
                                                      "bytes",
                                                      "list",
                                                      "map",
                                                      "null_type",
                                                      "type",
                                                      "google.protobuf.Timestamp",
                                                      "google.protobuf.Duration",
                                                      "optional_type",
                                                      "net.IP",
                                                      "net.CIDR"};

Type promoted(Type a, Type b) {
  if (a == b) return a;
  return a == Type::real || b == Type::real ? Type::real : Type::integer;
}

// One operand is known, the other may be anything.
std::optional<Type> with_unknown(std::string_view operation, Type known) {
  const bool number = is_number(known);
  switch (operation.front()) {
    case '*':
    case '/': return number ? std::optional(known == Type::real ? Type::real : Type::any) : std::nullopt;
    case '%': return known == Type::integer || known == Type::uinteger ? std::optional(known) : std::nullopt;
    case '-':
      if (known == Type::timestamp || known == Type::duration) return Type::any;
      return number ? std::optional(known == Type::real ? Type::real : Type::any) : std::nullopt;
    default:
      if (known == Type::real) return Type::real;
      if (known == Type::timestamp) return Type::timestamp;
      if (number || known == Type::duration) return Type::any;
      return known == Type::string || known == Type::bytes || known == Type::list ? std::optional(known) : std::nullopt;
  }
}

bool is_ordered(Type type) {
  switch (type) {
    case Type::null:
    case Type::list:
    case Type::map:
    case Type::type:
    case Type::optional:
    case Type::address:
    case Type::network: return false;
    default: return true;
  }
}

}  // namespace

std::string_view name_of(Type type) noexcept { return kNames[static_cast<std::size_t>(type)]; }

Type type_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::null: return Type::null;
    case Kind::boolean: return Type::boolean;
    case Kind::integer: return Type::integer;
    case Kind::uinteger: return Type::uinteger;
    case Kind::real: return Type::real;
    case Kind::string: return Type::string;
    case Kind::bytes: return Type::bytes;
    case Kind::timestamp: return Type::timestamp;
    case Kind::duration: return Type::duration;
    case Kind::list: return Type::list;
    case Kind::map: return Type::map;
    case Kind::type: return Type::type;
    case Kind::optional: return Type::optional;
    case Kind::address: return Type::address;
    case Kind::network: return Type::network;
    case Kind::error: break;
  }
  return Type::any;
}

bool is_number(Type type) noexcept { return type == Type::integer || type == Type::uinteger || type == Type::real; }

std::optional<Type> binary_result(std::string_view operation, Type left, Type right) {
  const bool both_known = left != Type::any && right != Type::any;
  if (operation == "in") {
    const bool container = right == Type::any || right == Type::list || right == Type::map;
    return container ? std::optional(Type::boolean) : std::nullopt;
  }
  if (operation == "==" || operation == "!=") {
    const bool same = !both_known || left == right || (is_number(left) && is_number(right));
    return same ? std::optional(Type::boolean) : std::nullopt;
  }
  if (operation.front() == '<' || operation.front() == '>') {
    if (!is_ordered(left) || !is_ordered(right)) return std::nullopt;
    const bool same = !both_known || left == right || (is_number(left) && is_number(right));
    return same ? std::optional(Type::boolean) : std::nullopt;
  }
  if (!both_known) {
    return left == right ? std::optional(Type::any) : with_unknown(operation, left == Type::any ? right : left);
  }
  if (is_number(left) && is_number(right)) {
    if (operation != "%") return promoted(left, right);
    return left == right && left != Type::real ? std::optional(left) : std::nullopt;
  }
  if (operation == "+") {
    if (left == right &&
        (left == Type::string || left == Type::bytes || left == Type::list || left == Type::duration)) {
      return left;
    }
    const bool moved =
        (left == Type::timestamp && right == Type::duration) || (left == Type::duration && right == Type::timestamp);
    return moved ? std::optional(Type::timestamp) : std::nullopt;
  }
  if (operation == "-") {
    if (left == Type::timestamp && right == Type::timestamp) return Type::duration;
    if (right == Type::duration && (left == Type::timestamp || left == Type::duration)) return left;
  }
  return std::nullopt;
}

std::optional<Type> unary_result(std::string_view operation, Type operand) {
  if (operation == "!") {
    return operand == Type::boolean || operand == Type::any ? std::optional(Type::boolean) : std::nullopt;
  }
  if (operand == Type::any || operand == Type::integer || operand == Type::real) return operand;
  return std::nullopt;
}

Type common_type(Type a, Type b) noexcept { return a == b ? a : Type::any; }

std::optional<Value> constant_named(std::string_view name) {
  if (std::find(kTypeNames.begin(), kTypeNames.end(), name) != kTypeNames.end()) return Value::type(name);
  return name == "google.protobuf.NullValue.NULL_VALUE" ? std::optional(Value::integer(0)) : std::nullopt;
}

}  // namespace railhead::expression
