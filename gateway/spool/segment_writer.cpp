#include "gateway/spool/segment_writer.h"

#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::spool {

SegmentWriter::SegmentWriter(std::unique_ptr<system::File> file, SegmentHeader header, std::uint64_t capacity,
                             WriteCounts& counts)
    : file_(std::move(file)),
      header_(std::make_shared<const SegmentHeader>(std::move(header))),
      seed_(frame_seed(header_->epoch, header_->number)),
      used_(header_->frames_begin()),
      capacity_(capacity),
      counts_(counts) {}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(system::Disk& disk, const std::string& directory,
                                                             const std::string& spare, SegmentHeader header,
                                                             std::uint64_t capacity, WriteCounts& counts) {
  const std::string path = directory + "/" + segment_name(header.number);
  header.reused = !spare.empty();
  if (header.reused) {
    if (Result<void> renamed = disk.rename(directory + "/" + spare, path); !renamed) return fail(renamed.error());
  }
  Result<std::unique_ptr<system::File>> file =
      disk.open(path, header.reused ? system::OpenMode::read_write : system::OpenMode::create_new);
  if (!file) return fail(file.error());
  std::string head = encode_header(header);
  if (header.reused) head.append(kTerminatorBytes, '\0');  // durable: old bytes do not follow the header
  RAILHEAD_ASSERT(head.size() <= capacity);
  Result<void> made = (*file)->preallocate(capacity);
  if (made) made = (*file)->write_at(0, head);
  if (made) made = disk.sync_directory(directory);  // durable: the segment's name
  if (!made) {
    static_cast<void>(disk.remove(path));  // else a failing disk would collect empty segments
    return fail(made.error());
  }
  counts.bytes_written += head.size();
  ++counts.syncs;
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(*file), std::move(header), capacity, counts));
}

Result<void> SegmentWriter::append(std::string_view frames) {
  RAILHEAD_ASSERT(frames.size() <= capacity_ - used_);
  if (Result<void> written = file_->write_at(used_, frames); !written) return written;
  counts_.bytes_written += frames.size();
  if (header_->reused) {  // where old bytes begin nothing more was written: so the end is told from a torn write
    const std::uint64_t end = used_ + frames.size();
    const std::string zeros(static_cast<std::size_t>(std::min<std::uint64_t>(kTerminatorBytes, capacity_ - end)), '\0');
    if (Result<void> written = file_->write_at(end, zeros); !written) return written;  // durable: terminator
    counts_.bytes_written += zeros.size();
  }
  ++counts_.syncs;
  if (Result<void> synced = file_->sync(); !synced) return synced;  // durable: frames, header and size
  used_ += frames.size();
  return {};
}

Result<void> SegmentWriter::seal() { return file_->truncate(used_); }

}  // namespace railhead::spool
