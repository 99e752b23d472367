// What the POSIX disk asks of the kernel: whether power may fail afterwards cannot be tried here, so the calls are
// counted.
#include "gateway/system/disk.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/process.h"

namespace {

struct Synced {
  std::vector<std::string> files;        // by fdatasync
  std::vector<std::string> directories;  // by fsync
};
Synced* watching = nullptr;

std::string path_of(int fd) {
  char path[4096];
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : "?";
}

}  // namespace

// In front of libc's.
extern "C" int fdatasync(int fd) {
  if (watching != nullptr) watching->files.push_back(path_of(fd));
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
  if (watching != nullptr) watching->directories.push_back(path_of(fd));
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace railhead::system {
namespace {

TEST_CASE("syncing a file reaches fdatasync, syncing a directory fsync") {
  const test::TemporaryDirectory directory;
  const auto disk = posix_disk();
  const auto file = disk->open(directory.path() + "/file", OpenMode::create_new);
  REQUIRE(file.has_value());
  REQUIRE((*file)->write_at(0, "bytes").has_value());
  Synced synced;
  watching = &synced;
  const Result<void> data = (*file)->sync();
  const Result<void> names = disk->sync_directory(directory.path());
  watching = nullptr;
  REQUIRE(data.has_value());
  REQUIRE(names.has_value());
  CHECK(synced.files == std::vector{directory.path() + "/file"});
  CHECK(synced.directories == std::vector{directory.path()});
}

}  // namespace
}  // namespace railhead::system
