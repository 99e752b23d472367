#include "adapters/file/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "adapters/file/line.h"

namespace railhead::file {
namespace {

constexpr std::size_t kStep = 64 * 1024;

}  // namespace

LineFile::~LineFile() {
  if (to_standard_output()) static_cast<void>(file_.release());
}

Result<void> LineFile::open() {
  if (to_standard_output()) {
    static_cast<void>(file_.release());
    file_.reset(STDOUT_FILENO);
    return {};
  }
  file_.reset(::open(options_.path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file_.valid()) return fail(system_error("open " + options_.path, errno));
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return fail(system_error("stat " + options_.path, errno));
  if (!S_ISREG(status.st_mode)) {
    file_.reset();
    return fail(Errc::denied, options_.path + " is not a file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (Result<void> mended = mend(); !mended) return mended;
  return sync_directory();
}

// Only what never was whole is cut: append() makes a line durable with its end before its record is settled.
Result<void> LineFile::mend() {
  std::array<char, kStep> bytes{};
  std::uint64_t end = size_;  // of the part not looked at; behind it there is no line end
  std::string head;           // of what stands there
  while (end > 0) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(end, kStep));
    const ssize_t got = ::pread(file_.get(), bytes.data(), count, static_cast<off_t>(end - count));
    if (got < 0 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(count)) return fail(system_error("read " + options_.path, got < 0 ? errno : EIO));
    const std::string_view part(bytes.data(), count);
    const std::size_t line_end = part.rfind('\n');
    const std::size_t begin = line_end == std::string_view::npos ? 0 : line_end + 1;
    head.insert(0, part.substr(begin, kLineBegin.size()));
    head.resize(std::min(head.size(), kLineBegin.size()));
    end -= count - begin;
    if (line_end != std::string_view::npos) break;
  }
  if (end == size_) return {};
  if (!kLineBegin.starts_with(head) && !head.starts_with(kLineBegin)) return write("\n");
  if (::ftruncate(file_.get(), static_cast<off_t>(end)) != 0) {
    return fail(system_error("truncate " + options_.path, errno));
  }
  size_ = end;
  return {};
}

Result<void> LineFile::append(std::string_view lines) {
  if (!file_.valid()) {
    if (Result<void> opened = open(); !opened) return opened;
  }
  if (to_standard_output()) return write(lines);
  if (moved()) {
    if (Result<void> opened = open(); !opened) return opened;
  }
  if (options_.rotate > 0 && size_ > 0 && size_ + lines.size() > options_.rotate) {
    if (Result<void> rotated = rotate(); !rotated) return rotated;
  }
  const std::uint64_t before = size_;
  Result<void> written = write(lines);
  if (written && ::fdatasync(file_.get()) != 0) written = fail(system_error("fdatasync " + options_.path, errno));
  if (!written) {
    // Nothing of it counts: it will be written again.
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(before)));
    file_.reset();
  }
  return written;
}

Result<void> LineFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file_.get(), bytes.data(), bytes.size());
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return fail(system_error("write " + options_.path, errno));
    }
    size_ += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

std::string LineFile::numbered(std::uint32_t number) const { return options_.path + "." + std::to_string(number); }

Result<void> LineFile::rotate() {
  std::error_code ignored;  // of files that are not there
  if (options_.keep == 0) {
    std::filesystem::remove(options_.path, ignored);
  } else {
    std::filesystem::remove(numbered(options_.keep), ignored);
    for (std::uint32_t number = options_.keep; number > 1; --number) {
      std::filesystem::rename(numbered(number - 1), numbered(number), ignored);
    }
    if (std::rename(options_.path.c_str(), numbered(1).c_str()) != 0) {
      return fail(system_error("rename " + options_.path, errno));
    }
  }
  return open();
}

bool LineFile::moved() const {
  struct stat here {};
  struct stat open_one {};
  if (::stat(options_.path.c_str(), &here) != 0) return true;
  if (::fstat(file_.get(), &open_one) != 0) return true;
  return here.st_ino != open_one.st_ino || here.st_dev != open_one.st_dev;
}

Result<void> LineFile::sync_directory() const {
  std::filesystem::path directory = std::filesystem::path(options_.path).parent_path();
  if (directory.empty()) directory = ".";
  const system::Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return fail(system_error("fsync " + directory.string(), errno));
  return {};
}

}  // namespace railhead::file
