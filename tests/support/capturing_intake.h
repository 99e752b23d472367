// An intake that keeps what it is offered; tells it to be full when asked. Everything counts as durable at once.
// Threads: the source's thread offers, the test looks: any.
#pragma once

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

  Result<ports::Ticket> offer(std::span<const Reading> batch) override {
    const base::MutexLock lock(mutex_);
    ++offers_;
    if (failing_) return fail(*failing_, "the test wants it so");
    readings_.insert(readings_.end(), batch.begin(), batch.end());
    const ports::Ticket ticket = next_ticket();
    for (const Reading& reading : batch) open(reading.token, ticket);
    return ticket;
  }
  Result<ports::Ticket> refuse(const ports::RawInput& raw, const Error& why) override {
    const base::MutexLock lock(mutex_);
    if (failing_) return fail(*failing_, "the test wants it so");
    refused_.push_back({std::string(raw.device), std::string(raw.topic), std::string(raw.payload), why});
    const ports::Ticket ticket = next_ticket();
    open(raw.token, ticket);
    return ticket;
  }
  void ignored(std::uint64_t count) override {
    const base::MutexLock lock(mutex_);
    ignored_ += count;
  }
  ports::Ticket durable() const override {
    const base::MutexLock lock(mutex_);
    ports::Ticket ticket;
    ticket.through[0] = Sequence(sequence_);
    return ticket;
  }
  int durable_fd() const override { return durable_changed_.fd(); }
  std::optional<BootTime> next_due() const override {
    const base::MutexLock lock(mutex_);
    return next_due_;
  }
  ports::Deliveries& deliveries() override { return *this; }

  // From now on nothing is taken, for this reason; nullopt: everything again.
  void fail_with(std::optional<Errc> code) {
    const base::MutexLock lock(mutex_);
    failing_ = code;
  }
  void set_next_due(std::optional<BootTime> due) {
    const base::MutexLock lock(mutex_);
    next_due_ = due;
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
  [[nodiscard]] std::uint64_t ignored_count() const {
    const base::MutexLock lock(mutex_);
    return ignored_;
  }
  [[nodiscard]] std::uint64_t offers() const {
    const base::MutexLock lock(mutex_);
    return offers_;
  }
  void clear() {
    const base::MutexLock lock(mutex_);
    readings_.clear();
    refused_.clear();
  }

 private:
  // What recognises a delivery (ports::Deliveries).
  struct ByToken {
    bool operator()(const FieldToken& left, const FieldToken& right) const {
      return std::tie(left.session, left.packet_id, left.content_hash) <
             std::tie(right.session, right.packet_id, right.content_hash);
    }
  };

  void open(const std::optional<FieldToken>& token, const ports::Ticket& ticket) RAILHEAD_REQUIRES(mutex_) {
    if (token && token->qos == 2) open_[*token] = ticket;
  }
  ports::Ticket next_ticket() RAILHEAD_REQUIRES(mutex_) {
    ports::Ticket ticket;
    ticket.through[0] = Sequence(++sequence_);
    durable_changed_.signal();
    return ticket;
  }

  bool is_open(const FieldToken& token) const override {
    const base::MutexLock lock(mutex_);
    return open_.contains(token);
  }
  ports::Ticket open_ticket(const FieldToken& token) const override {
    const base::MutexLock lock(mutex_);
    const auto found = open_.find(token);
    return found == open_.end() ? ports::Ticket{} : found->second;
  }
  Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) override {
    const base::MutexLock lock(mutex_);
    std::erase_if(
        open_, [&](const auto& entry) { return entry.first.session == session && entry.first.packet_id == packet_id; });
    return next_ticket();
  }
  void acknowledged(std::uint64_t, std::uint16_t) override {}
  void session_lost(std::uint64_t session) override {
    const base::MutexLock lock(mutex_);
    std::erase_if(open_, [&](const auto& entry) { return entry.first.session == session; });
  }

  mutable base::Mutex mutex_;
  system::EventFd durable_changed_;
  std::vector<Reading> readings_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Refused> refused_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<FieldToken, ports::Ticket, ByToken> open_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<Errc> failing_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<BootTime> next_due_ RAILHEAD_GUARDED_BY(mutex_);
  std::uint64_t sequence_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t ignored_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t offers_ RAILHEAD_GUARDED_BY(mutex_) = 0;
};

}  // namespace railhead::test
