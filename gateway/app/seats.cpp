#include "gateway/app/seats.h"

namespace railhead::app {

Seat& Seats::put(std::string_view name, std::string_view kind, BootTime now) {
  auto seat = std::make_unique<Seat>();
  seat->name = name;
  seat->kind = kind;
  seat->since = now;
  const base::MutexLock lock(mutex_);
  for (auto& old : seats_) {
    if (old->name == name) return *(old = std::move(seat));
  }
  return *seats_.emplace_back(std::move(seat));
}

void Seats::drop(std::string_view name) {
  const base::MutexLock lock(mutex_);
  std::erase_if(seats_, [&](const auto& seat) { return seat->name == name; });
}

void Seats::each(const std::function<void(const Seat&)>& look) const {
  const base::MutexLock lock(mutex_);
  for (const auto& seat : seats_) look(*seat);
}

}  // namespace railhead::app
