// FileStore: where the files of a configuration are read: from the disk, or from a copy of all that an earlier one was
// read from, so that the last good configuration outlives its files. Remembers what it read.
// Copy, version 1: "railhead configuration 1\n", then each file: "<bytes> <crc32c> <path>\n" <its bytes> "\n".
// Bounds:  kCopyBytesMax. Errors: io; invalid: the copy is damaged or of a newer version.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace railhead::config {

class FileStore {
 public:
  static constexpr std::size_t kCopyBytesMax = std::size_t{128} << 20;

  // Reads the disk.
  FileStore() = default;
  // Reads the copy, and from the disk what is not in it (certificates, secrets).
  [[nodiscard]] static Result<FileStore> from_copy(std::string_view copy);

  // Errc::io: it cannot be read, Errc::invalid: it has more than `bytes_max`; the text is the reason alone.
  [[nodiscard]] Result<std::string> read(const std::filesystem::path& path, std::size_t bytes_max);
  [[nodiscard]] bool is_directory(const std::filesystem::path& path) const;
  // Sorted: *.yaml and *.yml in a directory; what a glob matches.
  [[nodiscard]] std::vector<std::filesystem::path> yaml_files_in(const std::filesystem::path& directory);
  [[nodiscard]] std::vector<std::filesystem::path> matches_of(const std::filesystem::path& pattern);

  // Everything that was read, as a copy.
  [[nodiscard]] std::string copy() const;
  // What `newer` read takes the place of what this one has: of a copy, all of it then counts as read.
  void overlay(const FileStore& newer);
  // Forgets the texts; the paths stay for a watch.
  void forget_texts();
  // Files that were read, directories that were listed.
  [[nodiscard]] std::vector<std::filesystem::path> paths() const;

 private:
  bool from_copy_ = false;
  std::map<std::filesystem::path, std::string> copied_;
  std::map<std::filesystem::path, std::string> read_;
  std::set<std::filesystem::path> listed_;
};

}  // namespace railhead::config
