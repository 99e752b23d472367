// Disk: the few file operations the spool rests on, as an interface, so that tests can lose power at any of them
// (tests/support/crash_disk.h). What durable means: bytes after File::sync, names after Disk::sync_directory.
// Errors: full (ENOSPC, EDQUOT), denied (EROFS, EACCES), io (everything else); open() also says unavailable (not there)
//         and damaged (no regular file, or one that cannot be opened any more). `what` names operation and path.
// Threads: a File is one thread's at a time for writing; positional reads may run beside it. Disk: any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace railhead::system {

class File {
 public:
  virtual ~File() = default;
  // All of `bytes` at `offset`, or an error (then any part may have been written).
  [[nodiscard]] virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  // Up to `size` bytes to `to`; says how many, fewer only at the end of the file.
  [[nodiscard]] virtual Result<std::size_t> read_to(std::uint64_t offset, std::size_t size, char* to) const = 0;
  // The same into `out` (replaced; empty on error).
  [[nodiscard]] Result<void> read_at(std::uint64_t offset, std::size_t size, std::string& out) const {
    out.resize(size);
    const Result<std::size_t> got = read_to(offset, size, out.data());
    out.resize(got ? *got : 0);
    if (!got) return fail(got.error());
    return {};
  }
  // fdatasync: contents and size are durable on return. A failure must not be retried as if it could succeed. io also
  // when nobody will find the file again: its last name is gone.
  [[nodiscard]] virtual Result<void> sync() = 0;
  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
  // Reserves blocks so that later writes below `size` do not run out of space; the file's size grows to `size` (zeros).
  [[nodiscard]] virtual Result<void> preallocate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
  // Bytes the file takes on the disk.
  [[nodiscard]] virtual Result<std::uint64_t> allocated() const = 0;
  // A number that a copy of the file does not share (from the time of its birth, else from its inode); 0: not known.
  [[nodiscard]] virtual std::uint64_t birth() const { return 0; }
};

enum class OpenMode : std::uint8_t { read, read_write, create_new };

class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Names in the directory, sorted, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  [[nodiscard]] virtual Result<void> make_directories(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void> sync_directory(const std::string& path) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // Is there anything of this name, whatever it is?
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
  // An exclusive advisory lock on `path` (created) for the life of the returned object; Errc::unavailable when another
  // process holds it. On a read-only file system a lock file that is there will do.
  class Lock {
   public:
    virtual ~Lock() = default;
  };
  [[nodiscard]] virtual Result<std::unique_ptr<Lock>> lock(const std::string& path) = 0;
};

// The real one.
[[nodiscard]] std::unique_ptr<Disk> posix_disk();

}  // namespace railhead::system
