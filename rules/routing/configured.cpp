#include "rules/routing/configured.h"

#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::routing {
namespace {

Value labels_of(const std::map<std::string, std::string>& labels) {
  Value::Entries entries;
  for (const auto& [name, text] : labels) entries.emplace_back(Value::text(name), Value::text(text));
  return Value::map(std::move(entries));
}

}  // namespace

Configured::Configured(const std::string& gateway, const std::map<std::string, std::string>& labels)
    : gateway_(Value::text(gateway)), labels_(labels_of(labels)) {}

const Value& Configured::get(std::size_t slot) {
  RAILHEAD_ASSERT(slot == kGatewaySlot || slot == kLabelsSlot);
  return slot == kGatewaySlot ? gateway_ : labels_;
}

std::optional<Value> Configured::value_of(const expression::Program& program) {
  const bool ours = program.aggregates().empty() &&
                    std::all_of(program.reads().begin(), program.reads().end(), [](const expression::MemberPath& path) {
                      return path.slot == kGatewaySlot || path.slot == kLabelsSlot;
                    });
  if (!ours) return {};
  Value value = evaluator_.evaluate(program, *this);
  if (value.is(Kind::error)) return {};
  return value;
}

void Configured::write_out(Template& text) {
  std::vector<Template::Part> parts;
  for (Template::Part& part : text.parts) {
    std::string plain = std::move(part.text);
    if (part.expression) {
      const std::optional<Value> value = value_of(*part.expression);
      if (!value || !expression::append_text(*value, plain)) {
        parts.push_back(std::move(part));
        continue;
      }
    }
    if (parts.empty() || parts.back().expression) parts.emplace_back();
    parts.back().text += plain;
  }
  text.parts = std::move(parts);
}

}  // namespace railhead::routing
