// What `railhead dead requeue` and `drop` do (S15): a record goes again as it was routed, with the identity it had; a
// reading goes through today's rules. Both stand outside the order promise. The letter is settled when what it became
// is durable, so a kill in between repeats it at most. Errors: invalid (no such letter), refused (it cannot be
// requeued, and why: the letter stays), the spools' own. Threads: one caller at a time.
#pragma once

#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/flow/stores.h"
#include "gateway/message/dead_letter.h"
#include "gateway/ports/router.h"
#include "gateway/system/clock.h"

namespace railhead::flow {

class Requeue {
 public:
  // `router` may be null: then readings are refused.
  Requeue(const Stores& stores, const ports::Router* router, const system::Clock& clock);

  [[nodiscard]] std::vector<Sequence> letters() const;  // all that wait
  // How many records the letter became.
  [[nodiscard]] Result<std::size_t> requeue(Sequence letter);
  [[nodiscard]] Result<void> drop(Sequence letter);

 private:
  [[nodiscard]] Result<DeadLetter> find(Sequence letter) const;
  [[nodiscard]] Result<EncodedRecords> records_of(const DeadLetter& letter) const;
  [[nodiscard]] Result<void> append(const EncodedRecords& records) const;

  const Stores& stores_;
  const ports::Router* router_;
  const system::Clock& clock_;
  spool::LaneId lane_;
};

}  // namespace railhead::flow
