#include "tests/support/scripted_outlet.h"

#include <algorithm>

#include "gateway/system/clock.h"

namespace railhead::test {

using std::chrono::steady_clock;

ports::Place ScriptedOutlet::append(Record record) {
  const base::MutexLock lock(mutex_);
  const Sequence sequence(records_.size() + 1);
  ports::Outgoing outgoing;
  outgoing.place = {ports::SpoolId::telemetry, sequence};
  outgoing.identity = identity_of("test", Epoch(0xe0), sequence);
  outgoing.record = std::move(record);
  records_.push_back(std::move(outgoing));
  ready_.signal();
  changed_.notify_all();
  return records_.back().place;
}

bool ScriptedOutlet::finished(std::uint64_t sequence) const {
  return settled_.contains(sequence) || aside_.contains(sequence);
}

std::span<const ports::Outgoing> ScriptedOutlet::next(const ports::Limits& limits, std::stop_token stop) {
  const std::stop_callback wake(stop, [this] { changed_.notify_all(); });
  const base::MutexLock lock(mutex_);
  const auto until = steady_clock::now() + limits.wait;
  ++asked_;
  given_.clear();
  ready_.clear();
  for (;;) {
    std::size_t bytes = 0;
    const auto give = [&](const ports::Outgoing& outgoing, bool late) RAILHEAD_REQUIRES(mutex_) {
      given_.push_back(outgoing);
      given_.back().late = late;
      bytes += outgoing.record.body.size();
    };
    const auto full = [&]() RAILHEAD_REQUIRES(mutex_) {
      return given_.size() >= limits.records || (!given_.empty() && bytes >= limits.bytes);
    };
    const auto now = steady_clock::now();
    std::sort(waiting_.begin(), waiting_.end(),
              [](const Waiting& a, const Waiting& b) { return a.sequence < b.sequence; });
    for (auto each = waiting_.begin(); each != waiting_.end() && !full();) {
      if (each->due > now) {
        ++each;
        continue;
      }
      give(records_[static_cast<std::size_t>(each->sequence - 1)], true);
      each = waiting_.erase(each);
    }
    // What is let out first, up to where the others are.
    for (auto held = held_.begin(); held != held_.end();) {
      auto& [destination, how] = *held;
      while ((how.probing || how.following) && how.from < position_ && !full()) {
        const ports::Outgoing& outgoing = records_[how.from++];
        const std::uint64_t sequence = outgoing.place.sequence.value();
        if (ports::destination_of(outgoing.record) != destination || finished(sequence)) continue;
        give(outgoing, late_.contains(sequence));
        if (how.probing) {
          ++probes_;
          how.probing = false;
        }
      }
      const bool arrived = how.following && how.from >= position_;
      held = arrived ? held_.erase(held) : std::next(held);
    }
    while (position_ < records_.size() && !full()) {
      const ports::Outgoing& outgoing = records_[position_++];
      if (held_.contains(ports::destination_of(outgoing.record))) continue;
      const bool waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
        return waiting.sequence == outgoing.place.sequence.value();
      });
      if (!finished(outgoing.place.sequence.value()) && !waits)
        give(outgoing, late_.contains(outgoing.place.sequence.value()));
    }
    if (position_ < records_.size()) ready_.signal();
    handed_out_ += given_.size();
    if (!given_.empty() || stop.stop_requested()) return given_;
    const auto left = until - steady_clock::now();
    if (left <= left.zero()) return given_;
    changed_.wait_for(mutex_, std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds{20}));
  }
}

std::optional<BootTime> ScriptedOutlet::next_due() const {
  const base::MutexLock lock(mutex_);
  std::optional<steady_clock::time_point> earliest;
  for (const Waiting& waiting : waiting_) earliest = std::min(earliest.value_or(waiting.due), waiting.due);
  if (!earliest) return std::nullopt;
  return system::SystemClock().boot_now() + (*earliest - steady_clock::now());
}

void ScriptedOutlet::settle(ports::Place place) {
  const base::MutexLock lock(mutex_);
  settled_.insert(place.sequence.value());
}

void ScriptedOutlet::set_aside(const ports::Outgoing& outgoing, const Error& why) {
  const base::MutexLock lock(mutex_);
  aside_[outgoing.place.sequence.value()] = why.what;
}

void ScriptedOutlet::retry(const ports::Outgoing& outgoing, const Error&) {
  const base::MutexLock lock(mutex_);
  ++retries_;
  if (held_.contains(ports::destination_of(outgoing.record))) {
    late_.insert(outgoing.place.sequence.value());
    return;
  }
  waiting_.push_back({steady_clock::now() + kRetryAfter, outgoing.place.sequence.value()});
}

void ScriptedOutlet::hold(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  ++holds_;
  held_.insert_or_assign(std::string(destination), Held{});
  std::erase_if(waiting_, [&](const Waiting& waiting) RAILHEAD_REQUIRES(mutex_) {
    if (ports::destination_of(records_[static_cast<std::size_t>(waiting.sequence - 1)].record) != destination)
      return false;
    late_.insert(waiting.sequence);
    return true;
  });
}

void ScriptedOutlet::probe(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  const auto found = held_.find(destination);
  if (found == held_.end()) return;
  found->second = Held{.probing = true, .following = false, .from = 0};
  ready_.signal();
  changed_.notify_all();
}

void ScriptedOutlet::release(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  const auto found = held_.find(destination);
  if (found == held_.end()) return;
  found->second = Held{.probing = false, .following = true, .from = 0};
  ready_.signal();
  changed_.notify_all();
}

Result<void> ScriptedOutlet::started(ports::Place place) {
  const base::MutexLock lock(mutex_);
  started_.insert(place.sequence.value());
  return {};
}

void ScriptedOutlet::start_before(ports::Place place) {
  const base::MutexLock lock(mutex_);
  records_.at(static_cast<std::size_t>(place.sequence.value() - 1)).started_before = true;
}

void ScriptedOutlet::rewind() {
  const base::MutexLock lock(mutex_);
  position_ = 0;
  for (const Waiting& waiting : waiting_) late_.insert(waiting.sequence);
  waiting_.clear();
  for (auto& [destination, held] : held_) held.from = 0;
  ++rewinds_;
  ready_.signal();
}

std::size_t ScriptedOutlet::appended() const {
  const base::MutexLock lock(mutex_);
  return records_.size();
}
std::size_t ScriptedOutlet::settled() const {
  const base::MutexLock lock(mutex_);
  return settled_.size();
}
std::size_t ScriptedOutlet::retries() const {
  const base::MutexLock lock(mutex_);
  return retries_;
}
std::size_t ScriptedOutlet::rewinds() const {
  const base::MutexLock lock(mutex_);
  return rewinds_;
}
std::size_t ScriptedOutlet::holds() const {
  const base::MutexLock lock(mutex_);
  return holds_;
}
std::size_t ScriptedOutlet::probes() const {
  const base::MutexLock lock(mutex_);
  return probes_;
}
std::set<std::string> ScriptedOutlet::held() const {
  const base::MutexLock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [destination, held] : held_) names.insert(destination);
  return names;
}
std::set<std::uint64_t> ScriptedOutlet::started() const {
  const base::MutexLock lock(mutex_);
  return started_;
}
std::size_t ScriptedOutlet::asked() const {
  const base::MutexLock lock(mutex_);
  return asked_;
}
std::size_t ScriptedOutlet::handed_out() const {
  const base::MutexLock lock(mutex_);
  return handed_out_;
}
bool ScriptedOutlet::is_settled(std::uint64_t sequence) const {
  const base::MutexLock lock(mutex_);
  return settled_.contains(sequence);
}
std::map<std::uint64_t, std::string> ScriptedOutlet::aside() const {
  const base::MutexLock lock(mutex_);
  return aside_;
}
bool ScriptedOutlet::done() const {
  const base::MutexLock lock(mutex_);
  for (std::size_t i = 1; i <= records_.size(); ++i) {
    if (!finished(i)) return false;
  }
  return true;
}

}  // namespace railhead::test
