#include "gateway/flow/held_destinations.h"

#include <algorithm>

namespace railhead::flow {

void HeldDestinations::hold(std::string_view destination, std::optional<BootTime> until) {
  const auto found = held_.find(destination);
  Held& held = found != held_.end() ? found->second : held_.emplace(destination, Held{}).first->second;
  held.state = State::waiting;
  held.until = until;
  held.from = held.low;
}

void HeldDestinations::probe(std::string_view destination) {
  const auto found = held_.find(destination);
  if (found == held_.end()) return;
  found->second.state = State::probing;
  found->second.until.reset();
  found->second.from = found->second.low;
}

void HeldDestinations::release(std::string_view destination) {
  const auto found = held_.find(destination);
  if (found == held_.end()) return;
  found->second.state = State::following;
  found->second.until.reset();
  found->second.from = found->second.low;
}

void HeldDestinations::release_due(BootTime now) {
  for (auto& [name, held] : held_) {
    if (!held.until || now < *held.until) continue;
    held.state = State::following;
    held.until.reset();
    held.from = held.low;
  }
}

std::optional<BootTime> HeldDestinations::next_due() const {
  std::optional<BootTime> due;
  for (const auto& [name, held] : held_) {
    if (held.until) due = due ? std::min(*due, *held.until) : *held.until;
  }
  return due;
}

bool HeldDestinations::waits(std::string_view destination) const {
  const auto found = held_.find(destination);
  return found != held_.end() && found->second.state != State::following;
}

bool HeldDestinations::skips(std::string_view destination, std::size_t at, Sequence one, Sequence given_through) {
  const auto found = held_.find(destination);
  if (found == held_.end()) return false;
  Held& held = found->second;
  // Before it was held, all of it up to `given_through` was given.
  if (!held.never_given[at]) held.never_given[at] = std::max(one, given_through.next());
  held.stepped_over[at] = std::max(held.stepped_over[at], one);
  return true;
}

std::optional<Sequence> HeldDestinations::wanted(std::size_t at, Sequence position) const {
  std::optional<Sequence> from;
  for (const auto& [name, held] : held_) {
    if (held.state == State::waiting || held.from[at] >= position) continue;
    from = from ? std::min(*from, held.from[at]) : held.from[at];
  }
  return from;
}

HeldDestinations::Take HeldDestinations::take(std::string_view destination, std::size_t at, Sequence one) {
  const auto found = held_.find(destination);
  if (found == held_.end() || found->second.state == State::waiting || one < found->second.from[at]) return {};
  Held& held = found->second;
  const bool first = held.never_given[at] && *held.never_given[at] <= one;
  if (first) held.never_given[at] = one.next();
  if (held.state == State::probing) {
    held.state = State::waiting;
    held.low[at] = held.from[at] = one;
    return {.given = true, .first = first, .probe = true};
  }
  held.from[at] = one.next();
  return {.given = true, .first = first, .probe = false};
}

void HeldDestinations::looked_through(std::size_t at, Sequence next) {
  for (auto& [name, held] : held_) {
    if (held.state != State::waiting) held.from[at] = std::max(held.from[at], next);
  }
}

void HeldDestinations::forget_arrived(const Position& position) {
  std::erase_if(held_, [&](const auto& one) {
    const Held& held = one.second;
    if (held.state != State::following) return false;
    for (std::size_t at = 0; at < position.size(); ++at) {
      if (held.from[at] < position[at] || position[at] <= held.stepped_over[at]) return false;
    }
    return true;
  });
}

void HeldDestinations::rewind() {
  for (auto& [name, held] : held_) held.from = held.low;
}

}  // namespace railhead::flow
