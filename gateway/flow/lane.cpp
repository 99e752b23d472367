#include "gateway/flow/lane.h"

#include <poll.h>

#include <algorithm>

namespace railhead::flow {
namespace {

using ports::Outgoing;
using ports::Place;
using ports::SpoolId;

constexpr std::size_t index_of(SpoolId spool) { return static_cast<std::size_t>(spool); }

}  // namespace

Lane::Lane(std::string sink, std::string gateway, Stores& stores, DeadLetters& dead_letters, const system::Clock& clock)
    : sink_(std::move(sink)),
      gateway_(std::move(gateway)),
      stores_(stores),
      dead_letters_(dead_letters),
      clock_(clock),
      ids_{stores.of(SpoolId::telemetry).lane(sink_), stores.of(SpoolId::alarms).lane(sink_)} {
  stores_.subscribe(&ready_);
}

Lane::~Lane() {
  stores_.unsubscribe(&ready_);
  finish_set_aside();
}

std::span<const Outgoing> Lane::next(const ports::Limits& limits, std::stop_token stop) {
  batch_.clear();
  batch_bytes_ = 0;
  const BootTime until = clock_.boot_now() + limits.wait;
  while (!stop.stop_requested()) {
    ready_.clear();
    finish_set_aside();
    take_due_retries(limits);
    if (may_read()) {
      read(SpoolId::alarms, limits);
      read(SpoolId::telemetry, limits);
    }
    const Duration left = until - clock_.boot_now();
    if (!batch_.empty() || left <= Duration::zero()) break;
    wait(left, stop);
  }
  return batch_;
}

bool Lane::may_read() {
  const base::MutexLock lock(mutex_);
  return retries_.size() < kRetriesMax && retry_bytes_ < kRetryBytesMax;
}

void Lane::take_due_retries(const ports::Limits& limits) {
  const base::MutexLock lock(mutex_);
  const BootTime now = clock_.boot_now();
  while (!retries_.empty() && retries_.front().due <= now && batch_.size() < limits.records) {
    Outgoing& outgoing = retries_.front().outgoing;
    stores_.of(outgoing.place.spool).count_repeat(id(outgoing.place.spool));
    batch_bytes_ += outgoing.record.body.size();
    retry_bytes_ -= outgoing.record.body.size();
    batch_.push_back(std::move(outgoing));
    retries_.pop_front();
  }
}

void Lane::read(SpoolId spool, const ports::Limits& limits) {
  const std::size_t at = index_of(spool);
  spool::Spool& store = stores_.of(spool);
  while (batch_.size() < limits.records && batch_bytes_ < limits.bytes) {
    frames_.clear();
    const Sequence from = position_[at];
    const Result<Sequence> next =
        store.read(ids_[at], from, limits.records - batch_.size(), limits.bytes - batch_bytes_, frames_);
    if (!next) return;  // the spool reports its own failures; what it cannot read now is asked again
    position_[at] = *next;
    if (frames_.empty() && *next == from) return;
    for (spool::Frame& frame : frames_) {
      Result<Record> record = decode_record(frame.payload);
      const Place place{spool, frame.sequence};
      if (!record) {
        Outgoing broken;
        broken.place = place;
        broken.identity = identity_of(gateway_, frame.epoch, frame.sequence);
        broken.record.sink = sink_;
        broken.record.body = std::move(frame.payload);
        set_aside(broken, record.error());
        continue;
      }
      if (is_expired(*record, frame)) {
        store.settle(ids_[at], frame.sequence, spool::Outcome::expired);
        continue;
      }
      if (frame.sequence <= given_through_[at]) {
        store.count_repeat(ids_[at]);
      } else {
        given_through_[at] = frame.sequence;
      }
      Outgoing outgoing;
      outgoing.place = place;
      outgoing.identity =
          record->identity.empty() ? identity_of(gateway_, frame.epoch, frame.sequence) : record->identity;
      outgoing.record = std::move(*record);
      batch_bytes_ += outgoing.record.body.size();
      batch_.push_back(std::move(outgoing));
    }
  }
}

bool Lane::is_expired(const Record& record, const spool::Frame& frame) const {
  if (record.ttl <= Duration::zero()) return false;
  if (frame.age) return *frame.age > record.ttl;
  // Across a reboot only trusted wall clocks can tell (S12, S20).
  return frame.clock_trusted && clock_.trusted() && clock_.now() - frame.appended > record.ttl;
}

void Lane::wait(Duration at_most, const std::stop_token& stop) {
  {
    const base::MutexLock lock(mutex_);
    if (!retries_.empty()) at_most = std::min(at_most, retries_.front().due - clock_.boot_now());
    if (!set_aside_.empty()) at_most = std::min<Duration>(at_most, std::chrono::milliseconds{100});
  }
  const std::stop_callback waker(stop, [this] { ready_.signal(); });
  if (stop.stop_requested()) return;
  pollfd ready{.fd = ready_.fd(), .events = POLLIN, .revents = 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, Duration::zero())).count();
  ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(milliseconds, 60'000)));
}

void Lane::settle(Place place) {
  stores_.of(place.spool).settle(id(place.spool), place.sequence, spool::Outcome::delivered);
}

void Lane::set_aside(const Outgoing& outgoing, const Error& why) {
  SetAside entry;
  entry.place = outgoing.place;
  DeadLetter& letter = entry.content;
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
    set_aside_.push_back(std::move(entry));
  }
  finish_set_aside();
}

void Lane::finish_set_aside() {
  const base::MutexLock lock(mutex_);
  const Sequence durable = stores_.of(SpoolId::dead).durable();
  std::erase_if(set_aside_, [&](SetAside& entry) {
    if (!entry.appended) {
      // Refused now (disk): the record stays unsettled and is tried again.
      const Result<ports::Ticket> ticket = dead_letters_.append(entry.content);
      if (!ticket) return false;
      entry.letter = ticket->through[index_of(SpoolId::dead)];
      entry.appended = true;
      entry.content = {};
      return false;
    }
    if (entry.letter > durable) return false;
    stores_.of(entry.place.spool).settle(id(entry.place.spool), entry.place.sequence, spool::Outcome::set_aside);
    return true;
  });
}

void Lane::retry(const Outgoing& outgoing, const Error& /*why*/) {
  const base::MutexLock lock(mutex_);
  Waiting waiting{clock_.boot_now() + kRetryAfter, outgoing};
  waiting.outgoing.late = true;
  retry_bytes_ += outgoing.record.body.size();
  retries_.push_back(std::move(waiting));
}

void Lane::rewind() {
  position_ = {};
  // What waits to be given again is unsettled, so it is read again too.
  const base::MutexLock lock(mutex_);
  retries_.clear();
  retry_bytes_ = 0;
}

}  // namespace railhead::flow
