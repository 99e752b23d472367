// The lane states: one small file `lanes` that says what has been settled, what every lane's ledger stands at, and
// which epoch and sequence come next (S4, S9, S14). Saved lazily: losing the newest version only repeats records.
// Written to lanes.new, synced, renamed over lanes, the directory synced: either version is whole after a power cut.
//
// offset | size | field (little-endian)
//      0 |    8 | magic "RHLANES\n"
//      8 |    4 | format version; a reader refuses a greater one
//     12 |    4 | mandatory features; a reader refuses bits it does not know
//     16 |    4 | bytes of the body
//     20 |    4 | crc32c of bytes 8..20 and the body
//     24 |      | body: fields as in StoredState, numbers as LEB128, texts with their length before them
// Settled is a record of lane l with sequence q <= durable, if q < l.low_water, or if some s has s.first <= q <= s.last
// and s.full names l or bit (q - s.first) of s.bits is 1. (By sequence, not by file: compaction renames files.)
// Version 1 had neither birth, s.last nor dropped_full, and plain words for s.bits; it is read as well.
// Errors: Errc::damaged, Errc::unsupported, and the disk's. Threads: none of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/spool/settled_bits.h"
#include "gateway/spool/spool.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

struct StoredLane {
  std::string name;
  Sequence low_water;  // everything of the lane below it is settled
  status::LaneLedger ledger;
};

struct StoredSegment {
  std::uint64_t number = 0;
  Sequence first;
  Sequence last;
  std::vector<LaneId> full;  // lanes with nothing left in it
  SettledBits bits;
};

struct StoredState {
  Epoch epoch;
  std::vector<Epoch> earlier;  // epochs this spool had before, newest last; at most kEpochsKept
  std::uint64_t machine = 0;
  std::uint64_t birth = 0;  // of the file itself (File::birth), so that a copy knows itself for one (S1); 0: not known
  Sequence durable;         // the ledgers count records up to here
  std::uint64_t next_segment = 1;
  std::vector<StoredLane> lanes;        // a lane's place is its LaneId
  std::vector<StoredSegment> segments;  // those with something settled above a low-water mark
  std::string note;
};
inline constexpr std::size_t kEpochsKept = 1000;
inline constexpr std::string_view kStateName = "lanes";
inline constexpr std::string_view kStateNewName = "lanes.new";

[[nodiscard]] std::string encode_state(const StoredState& state);
[[nodiscard]] Result<StoredState> decode_state(std::string_view bytes);

struct LoadedState {
  StoredState state;
  bool is_copy = false;  // the file was copied here: restored or cloned
};
// nullopt when there is none.
[[nodiscard]] Result<std::optional<LoadedState>> load_state(system::Disk& disk, const std::string& directory);

// Saves them. The next lanes.new is made and given its blocks ahead, so that settling can be saved, and trimming free
// space, also on a disk that is full to the brim.
class StateFile {
 public:
  StateFile(system::Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}
  // Durable on return. Sets state.birth; adds to `bytes_written` and `syncs`.
  [[nodiscard]] Result<void> save(StoredState& state, std::uint64_t& bytes_written, std::uint64_t& syncs);
  // On disk: the file and the one made ahead.
  [[nodiscard]] std::uint64_t allocated() const { return allocated_ + room_; }

 private:
  [[nodiscard]] Result<void> prepare(std::uint64_t bytes);

  system::Disk& disk_;
  const std::string directory_;
  std::unique_ptr<system::File> next_;  // lanes.new
  std::uint64_t room_ = 0;              // bytes it has blocks for
  std::uint64_t allocated_ = 0;         // of lanes
};

}  // namespace railhead::spool
