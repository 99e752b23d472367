#include "rules/expression/scope.h"

#include <algorithm>

#include "rules/expression/program.h"

namespace railhead::expression {

const Scope::Names::AggregateName* Scope::Names::aggregate(std::string_view name) const {
  const auto found =
      std::find_if(aggregates.begin(), aggregates.end(), [&](const auto& each) { return each.name == name; });
  return found == aggregates.end() ? nullptr : &*found;
}

Scope::Scope() : names_(std::make_unique<Names>()) {}
Scope::~Scope() = default;
Scope::Scope(const Scope& other) : names_(std::make_unique<Names>(*other.names_)) {}
Scope& Scope::operator=(const Scope& other) {
  *names_ = *other.names_;
  return *this;
}
Scope::Scope(Scope&& other) noexcept = default;
Scope& Scope::operator=(Scope&& other) noexcept = default;

std::size_t Scope::declare(std::string name, Type type) {
  const auto [entry, is_new] = names_->by_name.emplace(name, names_->variables.size());
  names_->dots_max = std::max(names_->dots_max, static_cast<std::size_t>(std::count(name.begin(), name.end(), '.')));
  if (is_new) names_->variables.emplace_back();
  names_->variables[entry->second] = {name, type, name};
  return entry->second;
}

std::size_t Scope::declare(std::string name, const Program& computed_by) {
  const std::size_t slot = declare(std::move(name), computed_by.result_type());
  if (!computed_by.code().result_shape.empty()) names_->variables[slot].shape = computed_by.code().result_shape;
  return slot;
}

void Scope::declare_fields(std::string path, Fields fields, bool complete) {
  names_->known[std::move(path)] = {std::move(fields), complete};
}

void Scope::declare_texts(std::string path, std::vector<std::string> texts, bool or_digits) {
  names_->texts[std::move(path)] = {std::move(texts), or_digits};
}

void Scope::declare_aggregate(std::string name, std::size_t arguments_min, std::size_t arguments_max, Type result) {
  names_->aggregates.push_back({std::move(name), arguments_min, arguments_max, result});
}

void Scope::check_types_at_run_time() { names_->types_at_run_time = true; }

std::optional<std::size_t> Scope::slot_of(std::string_view name) const {
  const auto found = names_->by_name.find(std::string(name));
  return found == names_->by_name.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Scope::size() const { return names_->variables.size(); }

}  // namespace railhead::expression
