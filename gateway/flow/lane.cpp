#include "gateway/flow/lane.h"

#include <poll.h>

#include <algorithm>

namespace railhead::flow {
namespace {

using ports::Outgoing;
using ports::Place;
using ports::SpoolId;

// Frames that one round of next() looks at: stepping over a long held backlog must not look like a hanging sink.
constexpr std::size_t kLooksAtOnce = 10'000;
constexpr Duration kStartedWait = std::chrono::seconds{10};
constexpr Duration kReadAgain = std::chrono::milliseconds{500};     // what the spool could not read
constexpr Duration kAppendAgain = std::chrono::milliseconds{100};   // dead letters that their spool did not take
constexpr Duration kStartedWaitStopping = std::chrono::seconds{1};  // a disk that works needs no more

constexpr std::size_t index_of(SpoolId spool) { return static_cast<std::size_t>(spool); }

}  // namespace

Lane::Lane(std::string sink, const Shared& shared)
    : sink_(std::move(sink)),
      gateway_(shared.gateway),
      stores_(shared.stores),
      dead_letters_(shared.dead_letters),
      started_(shared.started),
      clock_(shared.clock),
      ids_{stores_.of(SpoolId::telemetry).lane(sink_), stores_.of(SpoolId::alarms).lane(sink_)} {
  for (const SpoolId spool : {SpoolId::telemetry, SpoolId::alarms}) {
    marks_left_over_[index_of(spool)] = stores_.of(spool).ledger(id(spool)).held > 0;
  }
  stores_.subscribe(&ready_);
}

Lane::~Lane() {
  stores_.unsubscribe(&ready_);
  finish_set_aside();
}

std::span<const Outgoing> Lane::next(const ports::Limits& limits, std::stop_token stop) {
  batch_.clear();
  batch_bytes_ = 0;
  stop_ = stop;
  const BootTime until = clock_.boot_now() + limits.wait;
  const Room all{limits.records, limits.bytes};
  const Room half{std::max<std::size_t>(1, limits.records / 2), std::max<std::size_t>(1, limits.bytes / 2)};
  while (!stop.stop_requested()) {
    ready_.clear();
    unreadable_ = false;
    looks_left_ = kLooksAtOnce;
    finish_set_aside();
    take_due_retries(limits);
    read(SpoolId::alarms, all);
    if (holding_.load(std::memory_order_relaxed)) {
      // Neither what is new nor what is let out keeps the other waiting.
      for (const SpoolId spool : {SpoolId::alarms, SpoolId::telemetry}) follow(spool, half);
      looks_left_ = std::max(looks_left_, kLooksAtOnce / 2);
    }
    read(SpoolId::telemetry, all);
    if (holding_.load(std::memory_order_relaxed)) {
      for (const SpoolId spool : {SpoolId::alarms, SpoolId::telemetry}) follow(spool, all);
      const base::MutexLock lock(mutex_);
      held_.forget_arrived(position_);
      holding_.store(!held_.empty());
    }
    const bool more = looks_left_ == 0;  // nothing but time ended this
    if (more) ready_.signal();
    const Duration left = until - clock_.boot_now();
    if (!batch_.empty() || left <= Duration::zero()) break;
    if (!more) wait(left, stop);
  }
  return batch_;
}

void Lane::take_due_retries(const ports::Limits& limits) {
  const base::MutexLock lock(mutex_);
  const BootTime now = clock_.boot_now();
  held_.release_due(now);
  while (!retries_.empty() && retries_.front().due <= now && batch_.size() < limits.records) {
    Outgoing& outgoing = retries_.front().outgoing;
    stores_.of(outgoing.place.spool).count_repeat(id(outgoing.place.spool));
    batch_bytes_ += outgoing.record.body.size();
    retry_bytes_ -= outgoing.record.body.size();
    batch_.push_back(std::move(outgoing));
    retries_.pop_front();
  }
}

void Lane::read(SpoolId spool, const Room& room) {
  const std::size_t at = index_of(spool);
  spool::Spool& store = stores_.of(spool);
  while (!full(room)) {
    frames_.clear();
    const Sequence from = position_[at];
    const Result<Sequence> next = store.read(ids_[at], from, std::min(room.records - batch_.size(), looks_left_),
                                             room.bytes - std::min(room.bytes - 1, batch_bytes_), frames_);
    unreadable_ = unreadable_ || !next;
    if (!next) return;  // the spool reports its own failures; what it cannot read now is asked again
    position_[at] = *next;
    if (frames_.empty() && *next == from) return;
    looks_left_ -= std::min(looks_left_, frames_.size());
    marks_.clear();
    for (spool::Frame& frame : frames_) {
      const Place place{spool, frame.sequence};
      if (is_aside(place)) continue;
      std::optional<Record> record = decode(place, frame);
      if (!record) continue;
      if (holding_.load(std::memory_order_relaxed) && steps_over(ports::destination_of(*record), place)) {
        marks_.push_back(frame.sequence);
        continue;
      }
      if (marks_left_over_[at]) store.release(ids_[at], {&frame.sequence, 1});
      const bool repeat = frame.sequence <= given_through_[at];
      if (!repeat) given_through_[at] = frame.sequence;
      give(place, frame, std::move(*record), repeat);
    }
    if (!marks_.empty()) store.hold(ids_[at], marks_);
  }
}

void Lane::follow(SpoolId spool, const Room& room) {
  const std::size_t at = index_of(spool);
  spool::Spool& store = stores_.of(spool);
  while (!full(room)) {
    std::optional<Sequence> from;
    {
      const base::MutexLock lock(mutex_);
      from = held_.wanted(at, position_[at]);
    }
    if (!from) return;
    frames_.clear();
    const Result<Sequence> next = store.read(ids_[at], *from, std::min(room.records - batch_.size(), looks_left_),
                                             room.bytes - std::min(room.bytes - 1, batch_bytes_), frames_);
    unreadable_ = unreadable_ || !next;
    if (!next) return;
    looks_left_ -= std::min(looks_left_, frames_.size());
    marks_.clear();
    for (spool::Frame& frame : frames_) {
      if (frame.sequence >= position_[at]) break;  // read() has not been there
      const Place place{spool, frame.sequence};
      if (is_aside(place)) continue;
      std::optional<Record> record = decode(place, frame);
      if (!record) continue;
      HeldDestinations::Take take;
      {
        const base::MutexLock lock(mutex_);
        take = held_.take(ports::destination_of(*record), at, frame.sequence);
      }
      if (!take.given) continue;
      if (!take.probe) marks_.push_back(frame.sequence);
      give(place, frame, std::move(*record), !take.first);
    }
    if (!marks_.empty()) store.release(ids_[at], marks_);
    const base::MutexLock lock(mutex_);
    held_.looked_through(at, std::min(std::max(*next, from->next()), position_[at]));
  }
}

std::optional<Record> Lane::decode(Place place, spool::Frame& frame) {
  Result<Record> record = decode_record(frame.payload);
  if (!record) {
    Outgoing broken;
    broken.place = place;
    broken.identity = identity_of(gateway_, frame.epoch, frame.sequence);
    broken.record.sink = sink_;
    broken.record.body = std::move(frame.payload);
    set_aside(broken, record.error());
    return std::nullopt;
  }
  if (is_expired(*record, frame)) {
    settle(place, spool::Outcome::expired);
    return std::nullopt;
  }
  return std::move(*record);
}

void Lane::give(Place place, const spool::Frame& frame, Record record, bool repeat) {
  if (repeat) stores_.of(place.spool).count_repeat(id(place.spool));
  Outgoing outgoing;
  outgoing.place = place;
  outgoing.identity = record.identity.empty() ? identity_of(gateway_, frame.epoch, frame.sequence) : record.identity;
  if (outgoing.identity.starts_with('/')) outgoing.identity.insert(0, gateway_);
  outgoing.record = std::move(record);
  outgoing.appended = frame.appended_boot;
  outgoing.started_before = started_.before(sink_, place);
  if (any_late_.load(std::memory_order_relaxed)) {
    const base::MutexLock lock(mutex_);
    outgoing.late = late_.contains(place);
  }
  batch_bytes_ += outgoing.record.body.size();
  batch_.push_back(std::move(outgoing));
}

bool Lane::steps_over(std::string_view destination, Place place) {
  const base::MutexLock lock(mutex_);
  const std::size_t at = index_of(place.spool);
  return held_.skips(destination, at, place.sequence, given_through_[at]);
}

bool Lane::is_expired(const Record& record, const spool::Frame& frame) const {
  if (record.ttl <= Duration::zero()) return false;
  if (frame.appended_boot) return clock_.boot_now() - *frame.appended_boot > record.ttl;
  // Across a reboot only trusted wall clocks can tell (S12, S20).
  return frame.clock_trusted && clock_.trusted() && clock_.now() - frame.appended > record.ttl;
}

std::optional<BootTime> Lane::next_due() const {
  const BootTime now = clock_.boot_now();
  std::optional<BootTime> earliest;
  const auto take = [&earliest](std::optional<BootTime> due) {
    if (due) earliest = std::min(earliest.value_or(*due), *due);
  };
  if (unreadable_) take(now + kReadAgain);
  const base::MutexLock lock(mutex_);
  if (!retries_.empty()) take(retries_.front().due);
  take(held_.next_due());
  if (!unwritten_.empty()) take(now + kAppendAgain);
  return earliest;
}

void Lane::wait(Duration at_most, const std::stop_token& stop) {
  if (const std::optional<BootTime> due = next_due()) at_most = std::min(at_most, *due - clock_.boot_now());
  const std::stop_callback waker(stop, [this] { ready_.signal(); });
  if (stop.stop_requested()) return;
  pollfd ready{.fd = ready_.fd(), .events = POLLIN, .revents = 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, Duration::zero())).count();
  ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(milliseconds, 60'000)));
}

void Lane::settle(Place place) { settle(place, spool::Outcome::delivered); }

void Lane::settle(Place place, spool::Outcome outcome) {
  stores_.of(place.spool).settle(id(place.spool), place.sequence, outcome);
  started_.settled(sink_, place);
  if (!any_late_.load(std::memory_order_relaxed)) return;
  const base::MutexLock lock(mutex_);
  late_.erase(place);
  any_late_.store(!late_.empty());
}

void Lane::set_aside(const Outgoing& outgoing, const Error& why) {
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::record;
  letter.time = clock_.now();
  letter.source = outgoing.record.source;
  letter.device = outgoing.record.device;
  letter.topic = outgoing.record.topic.empty() ? outgoing.record.routing_key : outgoing.record.topic;
  letter.sink = sink_;
  letter.reason = why.what;
  letter.identity = outgoing.identity;
  encode(outgoing.record, letter.payload);
  {
    const base::MutexLock lock(mutex_);
    if (aside_.contains(outgoing.place)) return;
    if (unwritten_.size() >= kSetAsideMax || unwritten_bytes_ >= kSetAsideBytesMax) {
      const std::string_view destination = ports::destination_of(outgoing.record);
      if (!held_.waits(destination)) hold_now(destination, clock_.boot_now() + kRetryAfter);
      wait_held(outgoing.place);
      return;
    }
    SetAside& entry = unwritten_.emplace_back();
    entry.place = outgoing.place;
    dead_letters_.add(letter, entry.batch);
    entry.bytes = entry.batch.group_bytes();
    entry.batch.end_group();
    unwritten_bytes_ += entry.bytes;
    aside_.insert(outgoing.place);
    any_aside_.store(true);
  }
  finish_set_aside();
}

void Lane::finish_set_aside() {
  const base::MutexLock lock(mutex_);
  while (!unwritten_.empty()) {
    SetAside& entry = unwritten_.front();
    const Result<ports::Ticket> ticket = entry.batch.append(stores_);
    const Sequence letter = entry.batch.ticket().through[index_of(SpoolId::dead)];
    if (letter > Sequence{} && !entry.has_letter) {
      entry.has_letter = true;
      letters_.push_back({entry.place, letter});
    }
    if (!ticket) break;  // what refuses this one refuses the next too
    dead_letters_.report(entry.batch);
    unwritten_bytes_ -= entry.bytes;
    unwritten_.pop_front();
  }
  const Sequence durable = stores_.of(SpoolId::dead).durable();
  while (!letters_.empty() && letters_.front().sequence <= durable) {
    const Place place = letters_.front().place;
    letters_.pop_front();
    stores_.of(place.spool).settle(id(place.spool), place.sequence, spool::Outcome::set_aside);
    started_.settled(sink_, place);
    late_.erase(place);
    aside_.erase(place);
  }
  any_late_.store(!late_.empty());
  any_aside_.store(!aside_.empty());
}

bool Lane::is_aside(Place place) {
  if (!any_aside_.load(std::memory_order_relaxed)) return false;
  const base::MutexLock lock(mutex_);
  return aside_.contains(place);
}

void Lane::retry(const Outgoing& outgoing, const Error& /*why*/) {
  const base::MutexLock lock(mutex_);
  const std::string_view destination = ports::destination_of(outgoing.record);
  const bool many = retries_.size() >= kRetriesMax || retry_bytes_ >= kRetryBytesMax;
  if (many && !held_.waits(destination)) hold_now(destination, clock_.boot_now() + kRetryAfter);
  if (held_.waits(destination)) return wait_held(outgoing.place);
  Waiting waiting{clock_.boot_now() + kRetryAfter, outgoing};
  waiting.outgoing.late = true;
  retry_bytes_ += outgoing.record.body.size();
  retries_.push_back(std::move(waiting));
  ready_.signal();  // next() may wait for longer
}

void Lane::wait_held(Place place) {
  remember_late(place);
  stores_.of(place.spool).hold(id(place.spool), {&place.sequence, 1});
}

void Lane::hold(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  hold_now(destination, std::nullopt);
}

// What waits to be given again comes with the others of its destination.
void Lane::hold_now(std::string_view destination, std::optional<BootTime> until) {
  held_.hold(destination, until);
  holding_.store(true);
  std::erase_if(retries_, [&](const Waiting& waiting) RAILHEAD_REQUIRES(mutex_) {
    if (ports::destination_of(waiting.outgoing.record) != destination) return false;
    retry_bytes_ -= waiting.outgoing.record.body.size();
    wait_held(waiting.outgoing.place);
    return true;
  });
}

void Lane::remember_late(Place place) {
  if (late_.size() >= kLateMax) return;
  late_.insert(place);
  any_late_.store(true);
}

void Lane::probe(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  held_.probe(destination);
  ready_.signal();
}

void Lane::release(std::string_view destination) {
  const base::MutexLock lock(mutex_);
  held_.release(destination);
  ready_.signal();
}

Result<void> Lane::started(Place place) {
  const Result<Sequence> entry = started_.start(sink_, place);
  if (!entry) return fail(entry.error());
  const spool::Spool& store = stores_.of(place.spool);
  const BootTime began = clock_.boot_now();
  const auto may_wait = [&] {
    const Duration most = stop_.stop_requested() ? kStartedWaitStopping : kStartedWait;
    return clock_.boot_now() - began < most;
  };
  while (store.durable() < *entry && may_wait()) {
    pollfd ready{.fd = ready_.fd(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, 100);
    ready_.clear();
  }
  ready_.signal();  // for next()
  if (store.durable() < *entry) return fail(Errc::timeout, "the start was not on disk in time");
  return {};
}

void Lane::begin_again() {
  rewind();
  marks_left_over_ = {true, true};
  const base::MutexLock lock(mutex_);
  held_ = {};
  holding_.store(false);
}

void Lane::rewind() {
  position_ = {};
  // What waits to be given again is unsettled, so it is read again too.
  const base::MutexLock lock(mutex_);
  for (const Waiting& waiting : retries_) remember_late(waiting.outgoing.place);
  retries_.clear();
  retry_bytes_ = 0;
  held_.rewind();
}

}  // namespace railhead::flow
