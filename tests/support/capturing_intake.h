// An intake that keeps what it is offered. Its durability is in the test's hand: held, nothing is durable until
// let_through(); otherwise everything is at once. It tells itself full when asked, and knows MQTT deliveries as the
// real one does (S19, S7): a token that was offered and not yet acknowledged is recognised when it comes again; QoS 2
// identifiers stay open until their PUBREL.
// Threads: the source's thread offers, the test looks: any.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/ports/source.h"
#include "gateway/system/descriptor.h"

namespace railhead::test {

class CapturingIntake final : public ports::Intake, private ports::Deliveries {
 public:
  struct Refused {
    std::string device;
    std::string topic;
    std::string payload;
    Error why;
  };

  // `held` false: everything is durable at once.
  explicit CapturingIntake(bool held = false) : held_(held) {}

  Result<ports::Ticket> offer(std::span<const Reading> batch) override {
    const base::MutexLock lock(mutex_);
    ++offers_;
    largest_offer_ = std::max<std::uint64_t>(largest_offer_, batch.size());
    if (failing_) return fail(*failing_, "the test wants it so");
    for (const Reading& reading : batch) {
      if (reading.token && known(*reading.token)) {
        ++redelivered_;
        continue;
      }
      readings_.push_back(reading);
      if (const FieldToken* token = reading.kept_token()) remember(*token);
    }
    return next_ticket();
  }
  Result<ports::Ticket> refuse(const ports::RawInput& raw, const Error& why) override {
    const base::MutexLock lock(mutex_);
    if (failing_) return fail(*failing_, "the test wants it so");
    if (raw.token && known(*raw.token)) {
      ++redelivered_;
    } else {
      refused_.push_back({std::string(raw.device), std::string(raw.topic), std::string(raw.payload), why});
      if (raw.token) remember(*raw.token);
    }
    return next_ticket();
  }
  void repeated(std::uint64_t count) override {
    const base::MutexLock lock(mutex_);
    redelivered_ += count;
  }
  void ignored(std::uint64_t count) override {
    const base::MutexLock lock(mutex_);
    ignored_ += count;
  }
  ports::Ticket durable() const override {
    const base::MutexLock lock(mutex_);
    return ticket(durable_);
  }
  int durable_fd() const override { return durable_changed_.fd(); }
  std::optional<BootTime> next_due() const override { return get(next_due_); }
  ports::Deliveries& deliveries() override { return *this; }

  // All that was offered becomes durable now; what comes later is held again.
  void let_through() {
    const base::MutexLock lock(mutex_);
    durable_ = sequence_;
    durable_changed_.signal();
  }
  void hold(bool held) {
    const base::MutexLock lock(mutex_);
    held_ = held;
  }
  // From now on nothing is taken, for this reason; nullopt: everything again.
  void fail_with(std::optional<Errc> code) {
    const base::MutexLock lock(mutex_);
    failing_ = code;
  }
  void set_next_due(std::optional<BootTime> due) {
    const base::MutexLock lock(mutex_);
    next_due_ = due;
  }
  void clear() {
    const base::MutexLock lock(mutex_);
    readings_.clear();
    refused_.clear();
  }

  [[nodiscard]] std::vector<Reading> readings() const {
    const base::MutexLock lock(mutex_);
    return readings_;
  }
  [[nodiscard]] std::size_t size() const {
    const base::MutexLock lock(mutex_);
    return readings_.size();
  }
  [[nodiscard]] std::vector<Refused> refused() const {
    const base::MutexLock lock(mutex_);
    return refused_;
  }
  [[nodiscard]] std::uint64_t ignored_count() const { return get(ignored_); }
  [[nodiscard]] std::uint64_t offers() const { return get(offers_); }
  // Readings of one offer, at most.
  [[nodiscard]] std::uint64_t largest_offer() const { return get(largest_offer_); }
  [[nodiscard]] std::uint64_t redelivered() const { return get(redelivered_); }
  [[nodiscard]] std::uint64_t sessions_lost() const { return get(sessions_lost_); }
  // Packet identifiers in the order their PUBACK was handed to the socket.
  [[nodiscard]] std::vector<std::uint16_t> acknowledged_ids() const {
    const base::MutexLock lock(mutex_);
    return acknowledged_;
  }
  [[nodiscard]] std::string kept_note() const { return get(note_); }
  [[nodiscard]] std::size_t open_count() const {
    const base::MutexLock lock(mutex_);
    return open_.size();
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint16_t>;
  struct Known {
    std::uint64_t content = 0;
    std::uint64_t sequence = 0;
    bool doubted = false;
  };

  template <class T>
  T get(const T& member) const {
    const base::MutexLock lock(mutex_);
    return member;
  }
  static ports::Ticket ticket(std::uint64_t sequence) {
    ports::Ticket made;
    made.through[0] = Sequence(sequence);
    return made;
  }
  ports::Ticket next_ticket() RAILHEAD_REQUIRES(mutex_) {
    ++sequence_;
    if (!held_) {
      durable_ = sequence_;
      durable_changed_.signal();
    }
    return ticket(sequence_);
  }
  bool known(const FieldToken& token) const RAILHEAD_REQUIRES(mutex_) {
    const auto& list = token.qos == 2 ? open_ : unacknowledged_;
    const auto found = list.find({token.session, token.packet_id});
    return found != list.end() && found->second.content == token.content_hash && (!found->second.doubted || token.dup);
  }
  void remember(const FieldToken& token) RAILHEAD_REQUIRES(mutex_) {
    auto& list = token.qos == 2 ? open_ : unacknowledged_;
    list[{token.session, token.packet_id}] = {token.content_hash, sequence_ + 1};
  }

  bool is_open(const FieldToken& token) const override {
    const base::MutexLock lock(mutex_);
    return known(token);
  }
  ports::Ticket open_ticket(const FieldToken& token) const override {
    const base::MutexLock lock(mutex_);
    const auto& list = token.qos == 2 ? open_ : unacknowledged_;
    const auto found = list.find({token.session, token.packet_id});
    return found == list.end() ? ports::Ticket{} : ticket(found->second.sequence);
  }
  Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) override {
    const base::MutexLock lock(mutex_);
    if (failing_) return fail(*failing_, "the test wants it so");
    if (open_.erase({session, packet_id}) == 0) return ports::Ticket{};
    return next_ticket();
  }
  void acknowledged(std::uint64_t session, std::span<const std::uint16_t> packet_ids) override {
    const base::MutexLock lock(mutex_);
    for (const std::uint16_t packet_id : packet_ids) {
      acknowledged_.push_back(packet_id);
      unacknowledged_.erase({session, packet_id});
    }
  }
  void session_lost(std::uint64_t session) override {
    const base::MutexLock lock(mutex_);
    ++sessions_lost_;
    std::erase_if(open_, [&](const auto& entry) { return entry.first.first == session; });
    std::erase_if(unacknowledged_, [&](const auto& entry) { return entry.first.first == session; });
  }

  void doubt(std::uint64_t session) override {
    const base::MutexLock lock(mutex_);
    for (auto& [key, known] : open_) known.doubted = known.doubted || key.first == session;
  }
  std::vector<std::uint64_t> open_sessions() const override {
    const base::MutexLock lock(mutex_);
    std::vector<std::uint64_t> sessions;
    for (const auto& [key, known] : open_) sessions.push_back(key.first);
    return sessions;
  }
  std::string note() const override { return kept_note(); }
  Result<void> keep_note(std::string note) override {
    const base::MutexLock lock(mutex_);
    note_ = std::move(note);
    return {};
  }

  mutable base::Mutex mutex_;
  system::EventFd durable_changed_;
  bool held_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Reading> readings_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Refused> refused_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<Key, Known> open_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<Key, Known> unacknowledged_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<std::uint16_t> acknowledged_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<Errc> failing_ RAILHEAD_GUARDED_BY(mutex_);
  std::string note_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<BootTime> next_due_ RAILHEAD_GUARDED_BY(mutex_);
  std::uint64_t sequence_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t durable_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t ignored_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t offers_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t largest_offer_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t redelivered_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t sessions_lost_ RAILHEAD_GUARDED_BY(mutex_) = 0;
};

}  // namespace railhead::test
