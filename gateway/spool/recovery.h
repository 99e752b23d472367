// Recovery: from the files to what the engine knows. It reads everything, decides what is torn and what is damaged
// (S8), which epoch goes on (S1) and where every ledger stands (S14), and lists what must be mended on disk. It writes
// nothing: the engine saves the lane states first, then mends, then appends, each again if the disk refuses at first.
//
// Ends.    Everything below a segment's first sequence was durable when that segment was made. A hole whose first
// missing
//          sequence is at or below what anything proves durable is damage: its bytes go to damaged/, what follows is
//          kept. Any other hole is the end: the rest was never acknowledged and is cut, records behind the hole
//          included.
// Groups.  A group that is not whole is dropped whole: cut at the end, counted as damaged elsewhere.
// Epoch.   A new one begins when the lane states are missing or unreadable beside segments, when they were copied here
//          (restored, cloned), when the machine is another one, when bytes that are not zero were cut (they may have
//          been seen outside), or when the last segment is all zeros or cannot be read (so may what it held).
// Headers. A segment neither copy of whose header verifies is read without, where its neighbours or the lane states
// tell
//          its epoch and its lanes; else it is set aside. As the youngest, with nothing that proves any of it durable,
//          it was torn while it was made.
// Zeros.   A last segment of zeros was made and never written, or is lost: what the lane states knew in it counts as
//          damaged; of what is younger nothing on disk tells that it was there.
// Ledger.  Of the records the lane states knew: damaged += expected - found, per lane. Of younger ones that are missing
//          between neighbours: accepted and damaged of the lane of the record before the hole (else of the first lane).
//          Found but not expected (lane states lost): carried_over.
// Errors:  unsupported (a newer format), and the disk's when the directory cannot be read. Damage is no error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/spool/lane_state.h"
#include "gateway/spool/segment_table.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

struct Repair {
  enum class Kind : std::uint8_t {
    keep_bytes,    // copy [begin, end) of `file` to damaged/
    cut,           // truncate `file` to `begin`
    remove,        // `file` holds nothing
    set_aside,     // move the whole `file` to damaged/
    renew_header,  // write `header` at the beginning of `file`
  };
  Kind kind = Kind::cut;
  std::string file;  // name in the directory
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool tidy = false;           // not needed for anything but space: tried once
  bool before_states = false;  // it stands where the lane states are saved
  bool own_file_only = false;  // other segments may be trimmed before it
  std::string header{};
};

struct Recovered {
  Epoch epoch;
  std::string new_epoch_why;  // empty: the old epoch goes on, or the spool is new
  std::vector<Epoch> earlier;
  bool fresh = false;  // there was nothing
  Sequence durable;    // next = durable + 1
  std::uint64_t next_segment = 1;
  std::vector<std::string> lanes;
  std::vector<status::LaneLedger> ledgers;
  SegmentTable segments;  // all sealed
  std::string note;
  std::vector<Repair> repairs;
  std::uint64_t damaged_records = 0;
  std::uint64_t damaged_bytes = 0;      // not yet in damaged/
  std::uint64_t known_holes = 0;        // damage in a segment that needs no keeping: zeros, or already in damaged/
  std::uint64_t cut_bytes = 0;          // other than zeros
  std::vector<std::string> complaints;  // for people: what was found wrong
  bool state_changed = false;           // the lane states must be saved before the repairs
};

// Bytes of segments read, of all. On the caller's thread.
using ReadProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;

struct RecoveryInput {
  std::string directory;
  std::uint64_t machine = 0;
  BootId boot{};
  Epoch fresh_epoch;  // taken when a new one begins
  ReadProgress progress{};
};

[[nodiscard]] Result<Recovered> recover(system::Disk& disk, const RecoveryInput& input);

// Name in damaged/ for a part of a segment.
[[nodiscard]] std::string damaged_name(const std::string& file, std::uint64_t begin, std::uint64_t end);

}  // namespace railhead::spool
