#include "rules/expression/collections.h"

#include <algorithm>
#include <string>

#include "gateway/message/container_builder.h"

namespace railhead::expression {
namespace {

bool is_key(const Value& value) {
  return value.is(Kind::string) || value.is(Kind::integer) || value.is(Kind::uinteger) || value.is(Kind::boolean);
}

Value not_optional(const Value& value) {
  return Value::error("no such overload: '?' before a " + std::string(name_of(type_of(value))) +
                      ", which is no optional");
}

}  // namespace

const Value* first_error(Operands values) {
  const auto found =
      std::find_if(values.begin(), values.end(), [](const Value* each) { return each->is(Kind::error); });
  return found == values.end() ? nullptr : *found;
}

Value make_list(Operands values, const std::vector<bool>& marks) {
  if (const Value* error = first_error(values)) return *error;
  Value::ListBuilder items(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Value* item = values[i];
    if (!marks.empty() && marks[i]) {
      if (!item->is(Kind::optional)) return not_optional(*item);
      item = item->as_optional();
    }
    if (item != nullptr) items.add(*item);
  }
  return items.finish();
}

Value make_map(Operands values, const std::vector<bool>& marks, Work& work) {
  if (const Value* error = first_error(values)) return *error;
  if (!work.charge(values.size() / 2)) return too_much_work();
  Value::MapBuilder entries(values.size() / 2);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const Value& key = *values[i];
    const Value* member = values[i + 1];
    if (!is_key(key)) return Value::error("a " + std::string(name_of(type_of(key))) + " is no key of a map");
    if (!marks.empty() && marks[i / 2]) {
      if (!member->is(Kind::optional)) return not_optional(*member);
      member = member->as_optional();
    }
    if (member != nullptr && !entries.add(key, *member)) return Value::error("a key of the map is repeated");
  }
  return entries.finish();
}

}  // namespace railhead::expression
