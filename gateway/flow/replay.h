// What `railhead spool replay` and `drop` do, on an open spool, beside a running gateway's lanes or on its own.
// A replayed record is appended again with the identity it had (S3), so that its reader upstream can tell it; it stands
// outside the order promise (S15). What the lane still owes is not appended again to that same lane: it leaves anyway.
// Errors: invalid (no such lane), timeout (the spool takes no more), stopped. Threads: one caller.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/spool/spool.h"

namespace railhead::flow {

struct ReplayOptions {
  std::string lane{};
  std::string to{};  // a lane; empty: the same
  std::optional<Sequence> from{};
  std::optional<Sequence> through{};
  std::optional<Time> since{};  // by the wall clock at the append
  std::optional<Time> until{};
};

// Called now and then: appended so far, and the part of the spool that was looked through, 0..100.
using ReplayProgress = std::function<void(std::uint64_t appended, unsigned percent)>;

// How many records were appended; they are durable on return.
[[nodiscard]] Result<std::uint64_t> replay(spool::Spool& spool, const ReplayOptions& options,
                                           const ReplayProgress& progress, const std::stop_token& stop);

// Settles everything the lane is owed as dropped; how many records.
[[nodiscard]] Result<std::uint64_t> drop_lane(spool::Spool& spool, std::string_view lane);

[[nodiscard]] bool has_lane(const spool::Spool& spool, std::string_view lane);

}  // namespace railhead::flow
