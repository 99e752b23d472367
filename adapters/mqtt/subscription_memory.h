// SubscriptionMemory: what the sessions of one source at its brokers are subscribed to. No broker tells, and the
// configuration may have been another one when a session was made: what it still sends then comes for nothing, or twice
// where the old filter overlaps a new one. Sessions as in FieldToken.
//
// Note, version 1 (little-endian, ports::Deliveries): u8 version | varint sessions, oldest first | each: u64 session |
// u8 1 if from its beginning | varint filters | each: text. A note that cannot be read is an empty one.
// Bound: kSessionsMost; the one that was set longest ago goes. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::mqtt {

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
  // It has had these and no others, in this order, from its beginning: whatever the broker queued bears the identifiers
  // that we give them now.
  [[nodiscard]] bool has_always_had(const std::vector<std::string>& filters, std::uint64_t session) const;
  void set(std::uint64_t session, std::vector<std::string> filters, bool from_its_beginning);
  // True if there was one: the sessions of other client identifiers, which this source had before.
  bool forget_other_clients(std::uint64_t session);
  [[nodiscard]] std::string note() const;

 private:
  struct Known {
    std::uint64_t session = 0;
    bool from_its_beginning = false;
    std::vector<std::string> filters;
  };
  std::vector<Known> sessions_;
};

}  // namespace railhead::mqtt
