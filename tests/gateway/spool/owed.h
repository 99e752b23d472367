// What a spool owes, in plain containers: a test's own account, held against what a spool gives back after a power cut.
// Threads: none of its own.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/support/crash_disk.h"

namespace railhead::spool {

struct OwedRecord {
  std::string lane;
  std::string payload;
  std::uint8_t klass = 1;
  bool internal = false;
  std::uint64_t group = 0;
  std::size_t group_size = 1;
  bool ends_group = true;
  Epoch epoch;
};

struct Owed {
  std::map<std::uint64_t, OwedRecord> records;  // by sequence; those beyond `acknowledged` may be lost
  std::set<std::uint64_t> settled;              // confirmed by a sink; may come again
  std::set<std::uint64_t> saved;                // of these, what durable lane states call settled: never come again
  std::map<std::string, std::uint64_t> settled_count;
  std::map<std::string, status::LaneLedger> before;  // the ledgers the account begins with
  std::uint64_t acknowledged = 0;
  Epoch epoch;
  bool may_drop = false;  // a bound may have dropped records, which are then counted

  // Opens a spool on a copy of `disk` and looks for anything that must not be: a record that was acknowledged and is
  // neither there nor settled nor counted as dropped; one that is there twice, again although it was settled for good,
  // out of order, changed, invented or without its group; a ledger that does not add up; damage; a second opening that
  // finds another state or changes the disk. Returns a sentence, or nothing. `survived` becomes the account of what the
  // spool has then.
  [[nodiscard]] std::string problem_of(const test::FrozenDisk& disk, std::uint64_t acknowledged,
                                       const SpoolOptions& options, Owed& survived) const;

 private:
  [[nodiscard]] std::string problem_of(Spool& spool, std::uint64_t acknowledged, Owed& survived) const;
};

// Everything the spool owes, lane by lane; a sentence if a lane's records are not in order.
[[nodiscard]] std::string read_everything(Spool& spool, std::vector<Frame>& frames);

}  // namespace railhead::spool
