#include "rules/routing/node_value.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace railhead::routing {

Value value_of(const config::Node& node) {
  if (node.is_map()) {
    Value::Entries entries;
    for (const config::Member& member : node.members()) {
      entries.emplace_back(Value::text(member.name()), value_of(member.value));
    }
    return Value::map(std::move(entries));
  }
  if (node.is_list()) {
    Value::List items;
    for (const config::Node& item : node.items()) items.push_back(value_of(item));
    return Value::list(std::move(items));
  }
  if (!node.present() || node.is_null()) return {};
  const std::string_view text = node.text();
  if (node.writing() != config::Writing::plain) return Value::text(text);
  if (text == "true") return Value::boolean(true);
  if (text == "false") return Value::boolean(false);
  const bool numeric = !text.empty() && text.find_first_not_of("+-.0123456789eE") == std::string_view::npos;
  if (numeric) {
    if (const auto number = base::parse_int(text)) return Value::integer(*number);
    if (const auto number = base::parse_uint(text)) return Value::uinteger(*number);
    if (const auto number = base::parse_double(text)) return Value::real(*number);
  }
  return Value::text(text);
}

}  // namespace railhead::routing
