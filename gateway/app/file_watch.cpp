#include "gateway/app/file_watch.h"

#include <sys/stat.h>

namespace railhead::app {

void FileWatch::watch(std::vector<std::filesystem::path> paths) {
  paths_ = std::move(paths);
  base_ = seen_ = look();
}

bool FileWatch::changed() {
  const std::uint64_t before = seen_;
  seen_ = look();
  if (seen_ == base_ || seen_ != before) return false;
  base_ = seen_;
  return true;
}

std::uint64_t FileWatch::look() const {
  std::uint64_t mixed = paths_.size();
  const auto mix = [&](auto more) { mixed = (mixed ^ static_cast<std::uint64_t>(more)) * 0x9e3779b97f4a7c15ULL; };
  for (const std::filesystem::path& path : paths_) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) {
      mix(1);
      continue;
    }
    mix(found.st_ino);
    mix(found.st_size);
    mix(found.st_mtim.tv_sec);
    mix(found.st_mtim.tv_nsec);
  }
  return mixed;
}

}  // namespace railhead::app
