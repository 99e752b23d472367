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

// Bytes that a letter keeps of a payload that the dead letters' spool does not take whole.
inline constexpr std::size_t kOversizedPayloadKept = std::size_t{64} << 10;

class DeadLetters {
 public:
  struct Options {
    std::string gateway;
    std::string sink;  // empty: kept here only
    std::string topic;
  };
  DeadLetters(Stores& stores, Options options, status::Reporter& reporter);

  // Adds the letter (and its copy for the sink) to the group at hand. What a spool could never take is cut: the
  // beginning of the payload stays, and the reason says so.
  void add(const DeadLetter& letter, AppendBatch& batch) const;
  // Reports the letters of a batch that the spools have taken.
  void report(const AppendBatch& batch) const;

 private:
  [[nodiscard]] Record copy_for_sink(const DeadLetter& letter) const;

  Stores& stores_;
  Options options_;
  status::Reporter& reporter_;
  spool::LaneId lane_;
  std::optional<spool::LaneId> sink_lane_;
};

}  // namespace railhead::flow
