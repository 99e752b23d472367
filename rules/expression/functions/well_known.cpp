#include "rules/expression/functions/well_known.h"

#include <algorithm>
#include <array>
#include <limits>

namespace railhead::expression {
namespace {

template <Kind kind>
Value plain(Arguments arguments, Work& /*work*/) {
  return arguments[0].is(kind) ? arguments[0] : no_overload("a message's field", arguments);
}

Value int32_value(Arguments arguments, Work& work) {
  const Value number = plain<Kind::integer>(arguments, work);
  if (!number.is(Kind::integer)) return number;
  const std::int64_t held = number.as_integer();
  const bool fits =
      held >= std::numeric_limits<std::int32_t>::min() && held <= std::numeric_limits<std::int32_t>::max();
  return fits ? number : out_of_range("int32");
}

Value uint32_value(Arguments arguments, Work& work) {
  const Value number = plain<Kind::uinteger>(arguments, work);
  if (!number.is(Kind::uinteger)) return number;
  return number.as_uinteger() <= std::numeric_limits<std::uint32_t>::max() ? number : out_of_range("uint32");
}

// Rounds to the nearest float.
Value float_value(Arguments arguments, Work& work) {
  const Value number = plain<Kind::real>(arguments, work);
  if (!number.is(Kind::real)) return number;
  const double held = number.as_real();
  constexpr double kMost = std::numeric_limits<float>::max();
  if (held > kMost) return Value::real(std::numeric_limits<double>::infinity());
  if (held < -kMost) return Value::real(-std::numeric_limits<double>::infinity());
  return Value::real(static_cast<double>(static_cast<float>(held)));
}

Value null_value(Arguments arguments, Work& /*work*/) {
  const bool null = arguments[0].is(Kind::null) || arguments[0] == Value::integer(0);
  return null ? Value() : no_overload("null_value", arguments);
}

Value struct_value(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::map)) return no_overload("a struct", arguments);
  if (!work.charge(arguments[0].as_map().size())) return too_much_work();
  for (const Value::Entry& entry : arguments[0].as_map()) {
    if (!entry.first.is(Kind::string)) return Value::error("a struct has names for its fields");
  }
  return arguments[0];
}

constexpr std::array<FunctionEntry, 17> kWellKnown{{
    {"google.protobuf.BoolValue.value", false, plain<Kind::boolean>, "b:b"},
    {"google.protobuf.BytesValue.value", false, plain<Kind::bytes>, "y:y"},
    {"google.protobuf.DoubleValue.value", false, plain<Kind::real>, "d:d"},
    {"google.protobuf.FloatValue.value", false, float_value, "d:d"},
    {"google.protobuf.Int32Value.value", false, int32_value, "i:i"},
    {"google.protobuf.Int64Value.value", false, plain<Kind::integer>, "i:i"},
    {"google.protobuf.StringValue.value", false, plain<Kind::string>, "s:s"},
    {"google.protobuf.UInt32Value.value", false, uint32_value, "u:u"},
    {"google.protobuf.UInt64Value.value", false, plain<Kind::uinteger>, "u:u"},
    {"google.protobuf.ListValue.values", false, plain<Kind::list>, "l:l"},
    {"google.protobuf.Struct.fields", false, struct_value, "m:m"},
    {"google.protobuf.Value.null_value", false, null_value, "n:n i:n"},
    {"google.protobuf.Value.number_value", false, plain<Kind::real>, "d:d"},
    {"google.protobuf.Value.string_value", false, plain<Kind::string>, "s:s"},
    {"google.protobuf.Value.bool_value", false, plain<Kind::boolean>, "b:b"},
    {"google.protobuf.Value.struct_value", false, struct_value, "m:m"},
    {"google.protobuf.Value.list_value", false, plain<Kind::list>, "l:l"},
}};

Value empty_of(char type) {
  switch (type) {
    case 'b': return Value::boolean(false);
    case 'y': return Value::bytes("");
    case 'd': return Value::real(0);
    case 'i': return Value::integer(0);
    case 's': return Value::text("");
    case 'u': return Value::uinteger(0);
    case 'l': return Value::list({});
    case 'm': return Value::map({});
    default: return {};
  }
}

}  // namespace

std::optional<Value> empty_message(std::string_view name) {
  const auto found = std::find_if(kWellKnown.begin(), kWellKnown.end(), [&](const FunctionEntry& field) {
    return field.name.size() > name.size() && field.name.starts_with(name) &&
           field.name.find('.', name.size()) == name.size() && field.name.rfind('.') == name.size();
  });
  if (found == kWellKnown.end()) return {};
  return empty_of(found->overloads.front());
}

std::span<const FunctionEntry> well_known_functions() { return kWellKnown; }

}  // namespace railhead::expression
