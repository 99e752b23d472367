#include "gateway/system/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gateway/system/descriptor.h"

namespace railhead::system {
namespace {

tl::unexpected<Error> failed(std::string_view operation, const std::string& path) {
  return fail(system_error(std::string(operation) + " " + path, errno));
}

Error open_error(const std::string& path, int error_number) {
  Error error = system_error("open " + path, error_number);
  switch (error_number) {
    case ENOENT: error.code = Errc::unavailable; break;
    case EISDIR:
    case ENXIO:
    case ELOOP:
    case EIO:
    case EBADMSG:
    case EUCLEAN: error.code = Errc::damaged; break;  // the last two: the file system's own checksums
    default: break;
  }
  return error;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failed("write", path_);
      if (written == 0) return fail(Errc::io, "write " + path_ + ": nothing written");
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Result<std::size_t> read_to(std::uint64_t offset, std::size_t size, char* to) const override {
    std::size_t filled = 0;
    while (filled < size) {
      const ssize_t got = ::pread(fd_.get(), to + filled, size - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("read", path_);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return failed("fdatasync", path_);  // durable: a file's bytes and size
    struct stat status {};
    if (::fstat(fd_.get(), &status) == 0 && status.st_nlink == 0) return fail(Errc::io, path_ + " was removed");
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("truncate", path_);
    return {};
  }

  Result<void> preallocate(std::uint64_t size) override {
    // Not posix_fallocate: where the file system cannot, glibc would write every block, which wears flash.
    if (::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)) == 0) return {};
    if (errno == EOPNOTSUPP || errno == ENOSYS) return truncate(size);
    return failed("preallocate", path_);
  }

  Result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return failed("stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<std::uint64_t> allocated() const override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return failed("stat", path_);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  std::uint64_t birth() const override {
    struct statx status {};
    if (::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_BTIME | STATX_INO, &status) != 0) return 0;
    if ((status.stx_mask & STATX_BTIME) == 0) return status.stx_ino;
    const auto seconds = static_cast<std::uint64_t>(status.stx_btime.tv_sec);
    return (seconds * 1'000'000'000 + status.stx_btime.tv_nsec) | 1;
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class PosixLock final : public Disk::Lock {
 public:
  explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_NONBLOCK;  // Why: opening a pipe that lies in the way would wait for ever
    switch (mode) {
      case OpenMode::read: flags |= O_RDONLY; break;
      case OpenMode::read_write: flags |= O_RDWR; break;
      case OpenMode::create_new: flags |= O_RDWR | O_CREAT | O_EXCL; break;
    }
    Descriptor fd(::open(path.c_str(), flags, 0640));
    if (!fd.valid()) return fail(open_error(path, errno));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failed("stat", path);
    if (!S_ISREG(status.st_mode)) return fail(Errc::damaged, path + " is no file");
    return std::make_unique<PosixFile>(std::move(fd), path);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return failed("list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return fail(system_error("list " + directory, error));
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> make_directories(const std::string& path) override {
    for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
      const std::string part = path.substr(0, at);
      if (::mkdir(part.c_str(), 0750) != 0 && errno != EEXIST) return failed("make directory", part);
      if (at == std::string::npos) break;
    }
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return failed("open directory", path);
    if (::fsync(fd.get()) != 0) return failed("fsync directory", path);  // durable: names
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return failed("statvfs", path);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  bool exists(const std::string& path) override {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
  }

  Result<std::unique_ptr<Lock>> lock(const std::string& path) override {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd.valid() && errno == EROFS) fd = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return failed("open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return fail(Errc::unavailable, path + " is locked by another process");
      return failed("lock", path);
    }
    return std::make_unique<PosixLock>(std::move(fd));
  }
};

}  // namespace

std::unique_ptr<Disk> posix_disk() { return std::make_unique<PosixDisk>(); }

}  // namespace railhead::system
