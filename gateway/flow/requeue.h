// What `railhead dead requeue` and `drop` do (S15): a record goes again as it was routed, with the identity it had; a
// reading goes through the rule that set it aside, as that rule is today, and through no other: the others had it. If
// the letter names no rule, or one that is no more, it goes through all of today's; so does a payload that was never
// read, if its source can read it now. Each begins without memory (no
// `previous`, nothing that dedup saw), and what rules would gather is refused: a window or a snapshot counts a reading
// when it comes. Both stand outside the order promise. A letter is settled when what it became is durable, so a kill in
// between repeats it at most; what cannot be requeued stays. Threads: one caller at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/flow/stores.h"
#include "gateway/message/dead_letter.h"
#include "gateway/ports/router.h"
#include "gateway/ports/source.h"
#include "gateway/system/clock.h"

namespace railhead::flow {

class Requeue {
 public:
  // The readings of a payload that was set aside unread, by its source as it is configured today.
  using ReadAgain = std::function<Result<std::vector<Reading>>(const ports::RawInput& raw, Time arrived)>;
  // What letters go through. Either may be null: then those that need it are refused.
  struct Today {
    std::shared_ptr<const ports::Router> rules;
    ReadAgain read_again;
  };
  Requeue(const Stores& stores, Today today, const system::Clock& clock);

  [[nodiscard]] std::vector<Sequence> letters() const;  // all that wait

  struct Done {
    std::uint64_t letters = 0;
    std::uint64_t records = 0;        // that the letters became
    std::vector<std::string> errors;  // of letters that stay
  };
  // Letters named twice count once. Ends early when `stop` says so.
  [[nodiscard]] Done requeue(std::vector<Sequence> letters, const std::function<bool()>& stop = {});
  [[nodiscard]] Done drop(std::vector<Sequence> letters, const std::function<bool()>& stop = {});

 private:
  struct Appended;
  [[nodiscard]] Result<DeadLetter> find(Sequence letter) const;
  // Of each reading those that stand together.
  using Groups = std::vector<EncodedRecords>;
  [[nodiscard]] Result<Groups> records_of(const DeadLetter& letter) const;
  [[nodiscard]] Result<Groups> records_of(std::span<const Reading> readings, const std::string& rule) const;
  [[nodiscard]] Result<ports::Ticket> append(const Groups& groups) const;
  // Settles what was appended when it is durable; false if the disk does not take it.
  [[nodiscard]] bool settle(Appended& appended, Done& done);

  const Stores& stores_;
  const Today today_;
  const system::Clock& clock_;
  spool::LaneId lane_;
};

}  // namespace railhead::flow
