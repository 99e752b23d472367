// SubscriptionMemory: what the sessions of one source at its brokers are subscribed to. No broker tells, and the
// configuration may have been another one when a session was made: what it still sends then comes for nothing, or twice
// where the old filter overlaps a new one. Sessions as in FieldToken.
//
// Note, version 2 (little-endian, ports::Deliveries): u8 version | varint sessions, oldest first | each: u64 session |
// u64 what it began with | varint filters | each: text. Version 1 has u8 in place of that, which is no longer believed:
// it did not tell the QoS. A note that cannot be read is an empty one.
// Bound: kSessionsMost; the one that was set longest ago goes. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::mqtt {

// Stands for these filters with these QoS in this order; never 0. REQUIRES as many of both.
[[nodiscard]] std::uint64_t subscriptions_mark(const std::vector<std::string>& filters,
                                               const std::vector<std::uint8_t>& qos);

class SubscriptionMemory {
 public:
  static constexpr std::size_t kSessionsMost = 16;

  SubscriptionMemory() = default;
  explicit SubscriptionMemory(std::string_view note);

  // There was such a session.
  [[nodiscard]] bool knows(std::uint64_t session) const;
  // What the session may be subscribed to beyond `wanted`. One that is not known, a broker under another name perhaps:
  // what any session of this client may be.
  [[nodiscard]] std::vector<std::string> beyond(const std::vector<std::string>& wanted, std::uint64_t session) const;
  // It has had what this mark stands for (subscriptions_mark) and no other from its beginning: whatever the broker
  // queued bears the identifiers that we give them now, and has the copies that they ask for.
  [[nodiscard]] bool has_always_had(std::uint64_t mark, std::uint64_t session) const;
  // began_with: a mark, or 0 where the session began with something else.
  void set(std::uint64_t session, std::vector<std::string> filters, std::uint64_t began_with);
  // True if there was one: the sessions of other client identifiers, which this source had before.
  bool forget_other_clients(std::uint64_t session);
  [[nodiscard]] std::string note() const;

 private:
  struct Known {
    std::uint64_t session = 0;
    std::uint64_t began_with = 0;
    std::vector<std::string> filters;
  };
  std::vector<Known> sessions_;
};

}  // namespace railhead::mqtt
