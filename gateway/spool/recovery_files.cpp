// Recovery's first step: which files of the directory are segments of this spool, and which stand in their way.
#include <algorithm>
#include <utility>

#include "gateway/spool/compaction.h"
#include "gateway/spool/recovery_work.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {

// A directory, a pipe, a dead link: what cannot be opened, and is there.
bool Recovery::is_no_file(const std::string& name) const {
  const auto file = disk_.open(path(name), system::OpenMode::read);
  if (file) return false;
  return file.error().code == Errc::damaged || (file.error().code == Errc::unavailable && disk_.exists(path(name)));
}

void Recovery::set_aside(const std::string& name, const std::string& why, std::uint64_t bytes, bool before_states) {
  complain(why);
  out_.repairs.push_back({Repair::Kind::set_aside, name, 0, 0, false, before_states});
  out_.damaged_bytes += std::max<std::uint64_t>(bytes, 1);
}

Result<void> Recovery::read_headers() {
  const Result<std::vector<std::string>> names = disk_.list(input_.directory);
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    if (name == kCompactNewName || name == kStateNewName || is_spare_name(name)) {
      if (is_no_file(name)) {
        set_aside(name, name + " is no file", 1, true);
      } else if (name != kStateNewName) {
        out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, true});  // unfinished
      }
    }
    const std::optional<std::uint64_t> number = segment_number(name);
    if (!number) continue;  // not ours: left alone
    out_.next_segment = std::max(out_.next_segment, *number + 1);
    const Result<std::unique_ptr<system::File>> file = disk_.open(path(name), system::OpenMode::read);
    if (!file && is_no_file(name)) {
      set_aside(name, file.error().what, 1, false);
      continue;
    }
    if (!file && file.error().code == Errc::unavailable) continue;  // gone meanwhile: somebody else's spool is running
    if (!file) return fail(file.error());
    Result<ReadBack> read = read_whole(**file, 8192);
    if (!read) return fail(read.error());
    if (is_blank(read->bytes)) {
      out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, true});  // made ahead of its use
      continue;
    }
    Result<SegmentHeader> header = decode_header(read->bytes);
    if (!header && header.error().code == Errc::damaged && read->bytes.size() == 8192) {
      read = read_whole(**file, kHeaderBytesMax);
      if (!read) return fail(read.error());
      header = decode_header(read->bytes);
    }
    if (!header && header.error().code == Errc::unsupported) return fail(header.error().in(path(name)));
    if (!header) {
      const Result<ReadBack> all = read_whole(**file);
      if (all && all_zero(all->bytes) && all->unreadable_blocks == 0) {
        out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, false});  // made, but never written
        if (!all->bytes.empty()) all_zeros_.push_back(name);
        continue;
      }
      headless_.emplace_back(name, header.error().what);
      continue;
    }
    if (header->number != *number || header->generation != segment_generation(name)) {
      const Result<std::uint64_t> size = (*file)->size();
      set_aside(name, name + " is a copy of " + segment_name(*header) + " or was renamed", size ? *size : 0, false);
      continue;
    }
    const Result<std::uint64_t> size = (*file)->size();
    files_.push_back({name, std::move(*header), size ? *size : 0});
  }
  // As new as this it was never written, or what it held is lost and may have been seen.
  const auto is_older = [&](const File& file) { return file.name < all_zeros_.back(); };
  if (!all_zeros_.empty() && std::all_of(files_.begin(), files_.end(), is_older)) {
    tail_lost_ = all_zeros_.back() + " is nothing but zeros";
  }
  return {};
}

// Files of another spool, or of an older copy of this one, must not hide what is ours.
void Recovery::refuse_strangers() {
  const auto is_stranger = [&](const File& file) {
    if (!have_state_ || file.header.epoch == state_.epoch) return false;
    return std::find(state_.earlier.begin(), state_.earlier.end(), file.header.epoch) == state_.earlier.end();
  };
  std::erase_if(files_, [&](const File& file) {
    if (!is_stranger(file)) return false;
    set_aside(file.name, file.name + " belongs to another spool", file.bytes, false);
    return true;
  });
}

// Power failed between the new file's name and the end of the old ones'.
void Recovery::refuse_superseded() {
  const auto superseded = [&](const File& file) {
    return std::any_of(files_.begin(), files_.end(), [&](const File& by) {
      const SegmentHeader& header = by.header;
      if (!header.compacted || file.header.first < header.first || header.last < file.header.first) return false;
      return file.header.number < header.number ||
             (file.header.number == header.number && file.header.generation < header.generation);
    });
  };
  std::vector<File> kept;
  for (File& file : files_) {
    if (superseded(file)) {  // durable: what compaction left out must not come back
      out_.repairs.push_back({Repair::Kind::remove, file.name, 0, 0, false});
    } else {
      kept.push_back(file);
    }
  }
  files_ = std::move(kept);
}

}  // namespace railhead::spool
