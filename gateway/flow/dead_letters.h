// DeadLetters: where what cannot go on is kept with its reason (S15): in their own bounded spool and, if
// `dead_letters.to` names a sink, as a record of that sink too. Threads: any.
#pragma once

#include <optional>
#include <string>

#include "gateway/base/result.h"
#include "gateway/flow/append_batch.h"
#include "gateway/flow/stores.h"
#include "gateway/message/dead_letter.h"
#include "gateway/message/record.h"
#include "gateway/status/reporter.h"

namespace railhead::flow {

class DeadLetters {
 public:
  struct Options {
    std::string gateway;
    std::string sink;  // empty: kept here only
    std::string topic;
  };
  DeadLetters(Stores& stores, Options options, status::Reporter& reporter);

  // Adds the letter (and its copy for the sink) to the group at hand.
  void add(const DeadLetter& letter, AppendBatch& batch) const;
  // Appends one letter by itself. Errors: as Spool::append.
  [[nodiscard]] Result<ports::Ticket> append(const DeadLetter& letter) const;

 private:
  [[nodiscard]] Record copy_for_sink(const DeadLetter& letter) const;

  Stores& stores_;
  Options options_;
  status::Reporter& reporter_;
  spool::LaneId lane_;
  std::optional<spool::LaneId> sink_lane_;
};

}  // namespace railhead::flow
