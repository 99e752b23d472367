#include "gateway/spool/recovery.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/spool/recovery_work.h"

namespace railhead::spool {

LaneId Recovery::lane(const std::string& name) {
  const auto [at, made] = lane_by_name_.try_emplace(name, LaneId(static_cast<std::uint32_t>(out_.lanes.size())));
  if (made) {
    out_.lanes.push_back(name);
    out_.ledgers.emplace_back();
  }
  return at->second;
}

Result<void> Recovery::read_state() {
  Result<std::optional<LoadedState>> state = load_state(disk_, input_.directory);
  if (!state) {
    if (state.error().code != Errc::damaged) return fail(state.error().in("spool " + input_.directory));
    state_damaged_ = true;
    set_aside(std::string(kStateName), "lane states: " + state.error().what, 1, true);
    return {};
  }
  if (!*state) return {};
  have_state_ = true;
  state_ = std::move((*state)->state);
  is_copy_ = (*state)->is_copy;
  // Held records are saved as spooled; a file that has some is read so.
  for (StoredLane& stored : state_.lanes) stored.ledger.spooled += std::exchange(stored.ledger.held, 0);
  for (const StoredLane& stored : state_.lanes) {
    const LaneId id = lane(stored.name);
    out_.ledgers[id.value()] = stored.ledger;
  }
  out_.note = state_.note;
  out_.next_segment = state_.next_segment;
  proven_ = state_.durable;
  return {};
}

void Recovery::choose_epoch() {
  // Nobody knows what was in it, or behind it.
  if (!scanned_.empty() && scanned_.back().unreadable_blocks > 0) tail_lost_ = "the tail cannot be read";
  const bool any = !files_.empty() || !scanned_.empty() || state_damaged_;
  out_.fresh = !have_state_ && !any;
  if (have_state_) {
    out_.epoch = state_.epoch;
    out_.earlier = state_.earlier;
    if (is_copy_) out_.new_epoch_why = "the directory is a copy";
    if (state_.machine != input_.machine) out_.new_epoch_why = "this is another machine";
    if (!tail_lost_.empty()) out_.new_epoch_why = tail_lost_;
    if (out_.cut_bytes > 0) out_.new_epoch_why = "the tail was not whole";
    if (out_.new_epoch_why.empty()) return;
    out_.earlier.push_back(state_.epoch);
    if (out_.earlier.size() > kEpochsKept) out_.earlier.erase(out_.earlier.begin());
  } else {
    if (any) out_.new_epoch_why = state_damaged_ ? "the lane states are damaged" : "the lane states are missing";
    for (const File& file : files_) {
      if (out_.earlier.empty() || out_.earlier.back() != file.header.epoch) out_.earlier.push_back(file.header.epoch);
    }
  }
  out_.epoch = input_.fresh_epoch;
  out_.state_changed = true;
}

void Recovery::list_repairs() {
  // Keeping bytes takes room: it comes last, so that a full disk holds up nothing else.
  std::vector<Repair> last;
  for (Scanned& scanned : scanned_) {
    Segment& segment = scanned.segment;
    if (scanned.unreadable) continue;
    std::vector<Repair> repairs;
    const auto mend = [&](Repair repair) { repairs.push_back(std::move(repair)); };
    bool kept_bytes = false;
    const bool whole_blocks = scanned.unreadable_blocks == 0;
    if (scanned.headless) {
      SegmentHeader header = *segment.header;
      const std::uint64_t frames_begin = header.frames_begin();
      kept_bytes = true;
      if (disk_.exists(path("damaged/" + damaged_name(scanned.file, 0, frames_begin)))) {
        ++out_.known_holes;
      } else {
        mend({Repair::Kind::keep_bytes, scanned.file, 0, frames_begin, false});
        out_.damaged_bytes += frames_begin;
        complain(scanned.file + ": its header is damaged; its records were read without");
      }
      if (whole_blocks)
        mend({Repair::Kind::renew_header, scanned.file, 0, 0, false, false, false, encode_header(header)});
    }
    for (const Hole& hole : scanned.scan.holes) {
      if (hole.zeros || disk_.exists(path("damaged/" + damaged_name(scanned.file, hole.begin, hole.end)))) {
        ++out_.known_holes;
        continue;
      }
      mend({Repair::Kind::keep_bytes, scanned.file, hole.begin, hole.end, false});
      kept_bytes = true;
      out_.damaged_bytes += hole.end - hole.begin;
      complain(scanned.file + ": bytes " + std::to_string(hole.begin) + " to " + std::to_string(hole.end) +
               (hole.whole_frames ? " are a group that is not whole" : " are damaged"));
    }
    const std::uint64_t end = scanned.scan.end;
    if (segment.empty() || (segment.header->compacted && segment.records == 0)) {
      if (whole_blocks) mend({Repair::Kind::remove, scanned.file, 0, 0, false});
    } else if (scanned.file_bytes > end && whole_blocks) {
      mend({Repair::Kind::cut, scanned.file, end, 0, false});
    }
    std::vector<Repair>& to = kept_bytes ? last : out_.repairs;
    for (Repair& one : repairs) {
      one.own_file_only = kept_bytes;
      to.push_back(std::move(one));
    }
    if (segment.empty() || (segment.header->compacted && segment.records == 0)) continue;
    segment.allocated = in_disk_blocks(whole_blocks ? end : scanned.file_bytes);
    out_.segments.add(std::move(segment));
  }
  std::move(last.begin(), last.end(), std::back_inserter(out_.repairs));
  std::stable_partition(out_.repairs.begin(), out_.repairs.end(),
                        [](const Repair& repair) { return repair.before_states; });
}

Result<Recovered> Recovery::run() {
  if (const Result<void> state = read_state(); !state) return fail(state.error());
  if (const Result<void> headers = read_headers(); !headers) return fail(headers.error());
  refuse_strangers();
  read_headless();
  refuse_superseded();
  scan_all();
  find_end();
  judge_lost_tail();
  settle_ledgers();
  choose_epoch();
  out_.durable = have_state_ ? state_.durable : Sequence(0);
  for (const Scanned& scanned : scanned_) out_.durable = std::max(out_.durable, scanned.segment.last);
  list_repairs();
  if (out_.damaged_records > 0) {
    for (const std::string& name : all_zeros_) complain(name + " is nothing but zeros");
    complain(std::to_string(out_.damaged_records) + " records are lost");
  }
  if (!out_.repairs.empty() && !have_state_) out_.state_changed = true;
  return std::move(out_);
}

std::string damaged_name(const std::string& file, std::uint64_t begin, std::uint64_t end) {
  return file + "-" + std::to_string(begin) + "-" + std::to_string(end);
}

Result<Recovered> recover(system::Disk& disk, const RecoveryInput& input) { return Recovery(disk, input).run(); }

}  // namespace railhead::spool
