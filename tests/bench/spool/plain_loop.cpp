#include "tests/bench/spool/plain_loop.h"

#include <utility>

#include "gateway/base/assert.h"

namespace railhead::bench {

PlainLoop::PlainLoop(system::Disk& disk, std::string directory, std::uint64_t file_bytes)
    : disk_(disk), directory_(std::move(directory)), file_bytes_(file_bytes) {
  next_file();
}

void PlainLoop::next_file() {
  if (file_ != nullptr) RAILHEAD_ASSERT(file_->truncate(at_).has_value());
  auto made = disk_.open(directory_ + "/" + std::to_string(files_++), system::OpenMode::create_new);
  RAILHEAD_ASSERT(made.has_value());
  file_ = std::move(*made);
  RAILHEAD_ASSERT(file_->preallocate(file_bytes_).has_value());
  RAILHEAD_ASSERT(disk_.sync_directory(directory_).has_value());
  at_ = 0;
}

void PlainLoop::append(std::string_view payload, std::size_t overhead, std::size_t commit_bytes) {
  buffer_.append(overhead, '\x01');
  buffer_.append(payload);
  if (buffer_.size() >= commit_bytes) commit();
}

void PlainLoop::commit() {
  if (buffer_.empty()) return;
  if (at_ + buffer_.size() > file_bytes_) next_file();
  RAILHEAD_ASSERT(file_->write_at(at_, buffer_).has_value());
  RAILHEAD_ASSERT(file_->sync().has_value());
  ++syncs_;
  at_ += buffer_.size();
  bytes_ += buffer_.size();
  buffer_.clear();
}

}  // namespace railhead::bench
