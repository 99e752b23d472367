// The spool's rival: what is the least that puts the same bytes on the same disk at the same cadence? One buffer, one
// write per commit into preallocated files, one fdatasync per commit. No checksum, no index, no reader, no recovery.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/system/disk.h"

namespace railhead::bench {

class PlainLoop {
 public:
  PlainLoop(system::Disk& disk, std::string directory, std::uint64_t file_bytes);
  // Copies the payload and `overhead` bytes beside it into the buffer; writes and syncs when `commit_bytes` wait.
  void append(std::string_view payload, std::size_t overhead, std::size_t commit_bytes);
  void commit();
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  void next_file();

  system::Disk& disk_;
  const std::string directory_;
  const std::uint64_t file_bytes_;
  std::unique_ptr<system::File> file_;
  std::uint64_t at_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t syncs_ = 0;
  std::string buffer_;
};

}  // namespace railhead::bench
