// CrashDisk: a disk in memory that can lose power. It keeps what is durable apart from what was only written, and makes
// images of what could be found after a power cut: any subset of the unsynced writes, truncations and directory changes
// survives, the last surviving write may be torn at a sector boundary.
// Modelled: bytes and size become durable with File::sync, names with Disk::sync_directory; a directory's own changes
// may
//           survive in any combination, a rename whole or not at all.
//           An image says what is found after the cut; a frozen one shares the files that did not change, so that many
//           thousands are cheap.
// Faults:   any operation can be made to fail (full, io) from a given moment on.
// Threads:  any; one mutex. The hook runs on the thread that does the operation, with no lock held.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/system/disk.h"

namespace railhead::test {

// Files by path, and directories: what a power cut leaves.
struct DiskImage {
  std::map<std::string, std::string> files;
  std::set<std::string> directories;
  [[nodiscard]] std::uint64_t hash() const;
};

// The bytes of a file, shared until they change. Their hash is kept with them. Threads: as a std::string.
class FileBytes {
 public:
  FileBytes() : FileBytes(std::string()) {}
  explicit FileBytes(std::string text);
  [[nodiscard]] const std::string& text() const { return block_->text; }
  [[nodiscard]] std::string& change();
  [[nodiscard]] std::uint64_t hash() const;

 private:
  struct Block {
    std::string text;
    std::atomic<std::uint64_t> hash{0};  // 0: not known
  };
  std::shared_ptr<Block> block_;
};

// The same as a DiskImage, for many of them.
struct FrozenDisk {
  std::map<std::string, FileBytes> files;
  std::set<std::string> directories;
  [[nodiscard]] std::uint64_t hash() const;
  [[nodiscard]] DiskImage thawed() const;
};

enum class DiskOperation : std::uint8_t {
  write,
  sync,
  truncate,
  preallocate,
  create,
  rename,
  remove,
  sync_directory,
  make
};
[[nodiscard]] std::string_view name_of(DiskOperation operation);

class CrashDisk final : public system::Disk {
 public:
  struct Inode;
  struct State;
  CrashDisk();
  explicit CrashDisk(const DiskImage& image);
  explicit CrashDisk(const FrozenDisk& disk);
  ~CrashDisk() override;

  // Called after every operation that changes something.
  void on_operation(std::function<void(DiskOperation)> hook);
  // What could be left of what was not synced if power failed now.
  enum class Survival : std::uint8_t {
    nothing,
    everything,
    random,      // any subset, each write whole, torn or lost
    torn_last,   // everything but the last write, which is torn
    names_lost,  // everything but the changes of directories
    one_lost,    // everything but one change
  };
  [[nodiscard]] DiskImage crash(Survival survival, std::mt19937_64& random) const;
  [[nodiscard]] FrozenDisk crash_frozen(Survival survival, std::mt19937_64& random) const;
  // As the running program sees it.
  [[nodiscard]] DiskImage contents() const;
  [[nodiscard]] FrozenDisk frozen() const;

  // Faults. `fail_with` applies to writes, preallocation, creation (full) or to everything that changes the disk (io).
  void fail_writes(Errc code);  // write_at, preallocate, create_new fail
  // create_new and preallocate alone fail, of files whose path begins so: not a block is left.
  void fail_creation(const std::string& under = "/");
  void fail_next_syncs(int count);  // File::sync fails, and what it should have synced is lost
  void fail_reads(bool fail);       // read_at of files
  void fail_reads_of(const std::string& path, std::uint64_t begin, std::uint64_t end);  // that touch these bytes
  // Disk::sync_directory fails, and what it should have made durable never is, whatever a later one says.
  void fail_next_directory_syncs(int count);
  void heal();
  void set_free_bytes(std::uint64_t bytes);
  void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);
  [[nodiscard]] std::uint64_t operations() const;

  // system::Disk
  Result<std::unique_ptr<system::File>> open(const std::string& path, system::OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::unique_ptr<Lock>> lock(const std::string& path) override;

 private:
  class OpenFile;
  class HeldLock;
  void happened(DiskOperation operation) const;
  std::shared_ptr<State> state_;
};

}  // namespace railhead::test
