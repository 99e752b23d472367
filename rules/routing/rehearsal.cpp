#include "rules/routing/rehearsal.h"

#include <algorithm>
#include <iterator>

namespace railhead::routing {
namespace {

template <class T>
void move_to(std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

void decode_to(const EncodedRecords& from, std::vector<Record>& to) {
  for (std::size_t i = 0; i < from.size(); ++i) to.push_back(from.at(i));
}

}  // namespace

void Rehearsal::add(std::vector<ports::Group>& groups, Came& came) {
  for (ports::Group& group : groups) {
    decode_to(group.records, came.records);
    move_to(group.set_aside, came.set_aside);
  }
  groups.clear();
}

void Rehearsal::close_due(BootTime now, Came& came) {
  for (auto due = state_->next_due(); due && *due <= now; due = state_->next_due()) {
    now_ = std::max(now_, *due);
    state_->close_due(now_, groups_);
    add(groups_, came);
  }
}

void Rehearsal::feed(const Reading& reading, Came& came) {
  came.records.clear();
  came.set_aside.clear();
  if (!first_) first_ = reading.time;
  const BootTime now{reading.time - *first_};
  close_due(now, came);
  state_->route(reading, now, routed_);
  add(routed_.before, came);
  decode_to(routed_.records, came.records);
  move_to(routed_.set_aside, came.set_aside);
  add(routed_.after, came);
}

void Rehearsal::finish(Came& came) {
  came.records.clear();
  came.set_aside.clear();
  close_due(BootTime::max(), came);
}

}  // namespace railhead::routing
