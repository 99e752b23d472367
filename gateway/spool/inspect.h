// `railhead spool verify|dump|stats`: looks at a spool's directory without changing it, also beside a running gateway
// and on a copy. Beside a running one, what is being written or trimmed at this moment is not called damage. Threads:
// one caller.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/spool/recovery.h"
#include "gateway/spool/spool.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

enum class Condition : std::uint8_t { whole = 0, damaged = 1, unusable = 2 };  // the exit codes of `verify`

// Reads every frame and says what it found, a line each. `progress` is told before anything is said.
[[nodiscard]] Condition verify(system::Disk& disk, const std::string& directory, std::ostream& out,
                               const ReadProgress& progress = {});

// Which records.
struct DumpOptions {
  std::optional<std::string> lane;  // only this one
  Sequence from{1};
  std::optional<Sequence> through;
  std::optional<Time> since;  // by the wall clock at the append
  std::optional<Time> until;
  bool settled = false;   // also what nobody owes any more and is still on disk
  bool internal = false;  // also the gateway's own state
};

// Appends the payload's own members to an open JSON object, with a comma before each: `,"key":"a","body":{}`.
using PayloadMembers = std::function<void(std::string_view payload, std::string& json)>;

// One JSON object a line: sequence, epoch, lane, appended, settled, and the payload's members. In order of sequence.
[[nodiscard]] Result<void> dump(system::Disk& disk, const std::string& directory, const DumpOptions& options,
                                const PayloadMembers& payload, std::ostream& out, const ReadProgress& progress = {});

// Sizes, sequences, ages, and every lane's ledger.
[[nodiscard]] Result<void> stats(system::Disk& disk, const std::string& directory, std::ostream& out,
                                 const ReadProgress& progress = {});

}  // namespace railhead::spool
