// Recovery at work: read the lane states, find the files that are ours, scan them, find where the spool ends, count
// what is there and what is lost, choose the epoch, and list what is to be mended. recovery.cpp alone uses it; each
// step has its own file. Threads: one, but for scan(), of which two run side by side.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/spool/recovery.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {

struct Scanned {
  std::string file;
  std::uint64_t file_bytes = 0;
  Segment segment;
  SegmentScan scan;
  bool unreadable = false;  // left alone
  bool headless = false;
  std::uint64_t unreadable_blocks = 0;  // zeros in their place
  std::vector<std::string> complaints;
};

struct LaneFound {
  std::uint64_t known = 0;  // unsettled, at or below the state's durable
  std::uint64_t young = 0;  // unsettled, beyond it
};

class Recovery {
 public:
  Recovery(system::Disk& disk, const RecoveryInput& input) : disk_(disk), input_(input) {}

  Result<Recovered> run();

 private:
  struct File {
    std::string name;
    SegmentHeader header;
    std::uint64_t bytes = 0;
    bool headless = false;  // the header was found again, not read
  };

  Result<void> read_state();
  Result<void> read_headers();
  [[nodiscard]] bool is_no_file(const std::string& name) const;
  void set_aside(const std::string& name, const std::string& why, std::uint64_t bytes, bool before_states);
  void read_headless();
  [[nodiscard]] std::optional<File> without_header(const std::string& name, std::string_view bytes, const File* front,
                                                   const File* behind) const;
  [[nodiscard]] std::optional<std::vector<std::string>> lanes_in_order() const;
  [[nodiscard]] Sequence last_of(const File& file) const;
  void judge_lost_tail();
  void refuse_strangers();
  void refuse_superseded();
  Scanned scan(const File& file, std::uint64_t superseded_at, std::uint64_t bytes_max) const;
  void scan_all();
  void find_end();
  void cut_at(std::size_t place, std::uint64_t offset);
  void count_again(const Scanned& scanned, Sequence known, std::vector<LaneFound>& found);
  void settle_ledgers();
  void choose_epoch();
  void list_repairs();

  LaneId lane(const std::string& name);
  bool was_settled(Sequence one, LaneId lane, const std::vector<const StoredSegment*>& stored) const;
  std::string path(const std::string& name) const { return input_.directory + "/" + name; }
  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  system::Disk& disk_;
  const RecoveryInput& input_;
  StoredState state_;
  bool have_state_ = false;
  bool state_damaged_ = false;
  bool is_copy_ = false;
  std::vector<File> files_;                                    // by name
  std::vector<std::pair<std::string, std::string>> headless_;  // names of files whose header does not verify, and why
  std::string lost_tail_;  // the oldest of those that are younger than every other file
  std::uint64_t lost_tail_bytes_ = 0;
  std::vector<Scanned> scanned_;
  std::map<std::string, LaneId> lane_by_name_;
  Sequence proven_;
  std::vector<std::string> all_zeros_;  // files of segments; in order
  std::string tail_lost_;               // why nobody knows what the last segment held; empty: it is known
  Recovered out_;
};

}  // namespace railhead::spool
