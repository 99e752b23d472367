// IdentifierUse: whether a broker gives a packet identifier to another message soon after it was acknowledged. Read off
// the frames that a start finds.
//
// Why: after a kill nobody knows which acknowledgements had left. A redelivery with the identifier and content of a
// frame is that message again if the broker counts its identifiers through (mosquitto). Brokers that take the lowest
// free one may mean a new message with the same content: that must not be taken for a repeat (S19). Those count up too
// while many messages are under way at once. What tells them apart: an identifier above one that has been free for a
// while, or above as many as can be under way.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

#include "gateway/base/time.h"
#include "gateway/message/reading.h"

namespace railhead::flow {

class IdentifierUse {
 public:
  // A frame with this token, in the order of its spool; not of a message that was marked as a possible repeat.
  // `appended`: as it stands in the frame.
  void saw(const FieldToken& token, Time appended);
  // Frames of another spool follow: their places say nothing of those before.
  void next_spool();
  // It is certain that this session's identifiers do not come again soon.
  [[nodiscard]] bool counts_through(std::uint64_t session) const;

 private:
  static constexpr std::uint64_t kSoon = 32'768;  // messages; half of the identifiers there are
  // More than that are hardly ever under way at once: the default of receive_maximum, and above what brokers of 3.1.1
  // allow by themselves.
  static constexpr std::uint16_t kUnderWayMost = 4096;
  static constexpr Duration kSurelyFree = std::chrono::seconds{1};  // its acknowledgement left and was read
  struct Last {
    std::uint64_t message;
    Time appended;
  };
  struct Session {
    std::uint64_t messages = 0;
    bool reuses = false;
    bool passes_over_free = false;
    std::uint16_t highest = 0;
    std::optional<std::pair<std::uint16_t, Time>> lowest;  // and when it was seen last
    std::unordered_map<std::uint16_t, Last> last;          // by packet identifier
  };
  std::unordered_map<std::uint64_t, Session> sessions_;
};

}  // namespace railhead::flow
