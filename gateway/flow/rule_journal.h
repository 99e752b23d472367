// RuleJournal: which state entries of one source's rules are in the spool and still needed (S7).
// Entries pile up until they are restated: the rules say all they remember afresh, and what was there before is settled
// once that is durable. It is time when they take more than kBytesMax (or twice what the last restatement took), or
// when the spool has written kSpoolBytesMax since, because what is not settled keeps its segments and is read at start.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/flow/append_batch.h"
#include "gateway/flow/open_state.h"
#include "gateway/flow/stores.h"

namespace railhead::flow {

class RuleJournal {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 20;
  static constexpr std::uint64_t kSpoolBytesMax = std::uint64_t{64} << 20;

  RuleJournal(Stores& stores, OpenState& open_state);

  void recalled(const OpenState::Recalled& entry);
  void appended(Sequence entry, std::size_t bytes, bool has_token);
  [[nodiscard]] bool wants_restatement() const;
  // The next chance, whatever the sizes.
  void want_restatement() { wanted_ = true; }
  // Entries that replace all those before, appended just now (none: nothing is remembered).
  void restated(const std::vector<AppendBatch::Placed>& entries, Sequence through);
  // Settles what a restatement that is durable now has replaced.
  void settle_replaced();
  // Nothing is remembered any more, and a restatement that is durable says so: all there is may go, that one last.
  void end();

 private:
  struct Entries {
    std::vector<Sequence> plain;
    std::vector<Sequence> with_token;  // kept until their acknowledgement has surely left
    [[nodiscard]] bool empty() const { return plain.empty() && with_token.empty(); }
  };
  Stores& stores_;
  OpenState& open_state_;
  Entries live_;
  Entries replaced_;
  Sequence replaced_by_;  // replaced_ may go when this is durable
  std::uint64_t bytes_ = 0;
  std::uint64_t restated_bytes_ = 0;
  std::uint64_t spool_bytes_ = 0;  // written by the spool when last restated
  bool wanted_ = false;
};

}  // namespace railhead::flow
