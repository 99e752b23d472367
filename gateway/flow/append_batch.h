// AppendBatch: what a batch of readings became, gathered group by group and appended to the spools it names, alarms
// first (S6, S11), then dead letters; the telemetry's spool, which says what is done, is last. An append that fails
// half-way can be tried again: a spool that took its part is not asked twice. Threads: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/flow/stores.h"
#include "gateway/message/record.h"
#include "gateway/ports/ticket.h"

namespace railhead::flow {

// Alarms have a spool of their own (S11); within the other one a bound drops the lowest class first (S10).
[[nodiscard]] ports::SpoolId spool_of(Priority priority);
[[nodiscard]] std::uint8_t klass_of(Priority priority);

class AppendBatch {
 public:
  // An entry whose place its owner wants to know, to settle it.
  struct Placed {
    ports::SpoolId spool;
    Sequence sequence;
    std::size_t bytes = 0;
    std::uint8_t tag = 0;  // the owner's; 0 is not told
  };

  // Adds an entry to the group at hand; `encode` writes its payload to the given string.
  template <class Encode>
  void add(ports::SpoolId spool, spool::LaneId lane, std::uint8_t klass, bool internal, Encode encode,
           std::uint8_t tag = 0) {
    const std::size_t from = bytes_.size();
    encode(bytes_);
    parts_[static_cast<std::size_t>(spool)].push_back({lane, klass, internal, false, tag, from, bytes_.size() - from});
  }
  // What was added since the last call is one group in each spool.
  void end_group();
  // Bytes of the group at hand in one spool, its frames included.
  [[nodiscard]] std::size_t group_bytes(ports::SpoolId spool) const;
  // In all spools together.
  [[nodiscard]] std::size_t group_bytes() const {
    std::size_t parts = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) parts += parts_[i].size() - group_from_[i];
    return bytes_.size() - group_bytes_from_ + parts * spool::kFrameOverheadMax;
  }
  // Forgets the group at hand.
  void drop_group();
  // What is reported of a dead letter in the group at hand when all is appended (dead_letters.h).
  struct LetterNote {
    std::string source, rule, sink, reason;
  };
  void note(LetterNote letter) { letters_.push_back(std::move(letter)); }
  [[nodiscard]] const std::vector<LetterNote>& letters() const { return letters_; }

  // All groups, a few at a time, or the first error; then append again later: what was taken is not appended twice.
  [[nodiscard]] Result<ports::Ticket> append(const Stores& stores);
  // What was appended since clear(), also when that is not all.
  [[nodiscard]] const ports::Ticket& ticket() const { return ticket_; }
  // Of all that was appended since clear().
  [[nodiscard]] const std::vector<Placed>& placed() const { return placed_; }
  // The alarms of this batch become durable before the rest is appended.
  void alarms_first() { alarms_first_ = true; }
  void clear();

 private:
  struct Part {
    spool::LaneId lane;
    std::uint8_t klass = 1;
    bool internal = false;
    bool ends_group = false;
    std::uint8_t tag = 0;
    std::size_t from = 0;
    std::size_t size = 0;
  };
  // Groups of about this many bytes go into one append.
  static constexpr std::size_t kAppendBytes = std::size_t{512} << 10;
  // How many of `parts` from `from` on go into the next append: whole groups.
  [[nodiscard]] static std::size_t chunk_end(const std::vector<Part>& parts, std::size_t from);

  std::string bytes_;
  std::array<std::vector<Part>, ports::kSpools> parts_;
  std::array<std::size_t, ports::kSpools> group_from_{};  // where the group at hand begins in parts_
  std::size_t group_bytes_from_ = 0;                      // and in bytes_
  std::vector<LetterNote> letters_;
  std::size_t group_letters_from_ = 0;
  static constexpr Duration kAlarmsFirst = std::chrono::seconds{1};
  bool alarms_first_ = false;
  ports::Ticket ticket_;
  std::vector<Placed> placed_;
  std::vector<spool::Entry> entries_;  // scratch
};

}  // namespace railhead::flow
