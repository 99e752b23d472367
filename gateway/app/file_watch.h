// FileWatch: tells that files of a configuration changed, by looking at them again: works on every file system and with
// every way in which editors and deployment tools replace files. A change counts when two looks in a row saw the same,
// so that a half-written set is not taken. Threads: one owner.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace railhead::app {

class FileWatch {
 public:
  // From now on these; what they are now is the base.
  void watch(std::vector<std::filesystem::path> paths);
  // Looks; true once for each change.
  [[nodiscard]] bool changed();

 private:
  [[nodiscard]] std::uint64_t look() const;

  std::vector<std::filesystem::path> paths_;
  std::uint64_t base_ = 0;
  std::uint64_t seen_ = 0;
};

}  // namespace railhead::app
