#include "tests/support/crash_disk.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "gateway/base/assert.h"

namespace railhead::test {
namespace {

constexpr std::size_t kSector = 512;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25;
  return hash ^ (hash >> 32);
}

std::uint64_t mix(std::uint64_t hash, std::string_view bytes) {
  hash = mix(hash, bytes.size());
  std::uint64_t word = 0;
  for (; bytes.size() >= sizeof word; bytes.remove_prefix(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = mix(hash, word);
  }
  word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  return mix(hash, word);
}

}  // namespace

FileBytes::FileBytes(std::string text) : block_(std::make_shared<Block>()) { block_->text = std::move(text); }

std::string& FileBytes::change() {
  if (block_.use_count() != 1) {
    auto own = std::make_shared<Block>();
    own->text = block_->text;
    block_ = std::move(own);
  }
  block_->hash.store(0, std::memory_order_relaxed);
  return block_->text;
}

std::uint64_t FileBytes::hash() const {
  std::uint64_t hash = block_->hash.load(std::memory_order_relaxed);
  if (hash != 0) return hash;
  // A run of zeros at the end (preallocation) is hashed by its length alone.
  std::size_t used = text().size();
  while (used >= 8 && std::memcmp(text().data() + used - 8, "\0\0\0\0\0\0\0", 8) == 0) used -= 8;
  while (used > 0 && text()[used - 1] == '\0') --used;
  hash = mix(mix(1, std::string_view(text()).substr(0, used)), text().size());
  if (hash == 0) hash = 1;
  block_->hash.store(hash, std::memory_order_relaxed);
  return hash;
}

std::uint64_t FrozenDisk::hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto& [path, bytes] : files) hash = mix(mix(hash, path), bytes.hash());
  for (const std::string& directory : directories) hash = mix(hash, directory);
  return hash;
}

std::uint64_t DiskImage::hash() const {
  FrozenDisk disk;
  for (const auto& [path, bytes] : files) disk.files.emplace(path, FileBytes(bytes));
  disk.directories = directories;
  return disk.hash();
}

DiskImage FrozenDisk::thawed() const {
  DiskImage image;
  for (const auto& [path, bytes] : files) image.files.emplace(path, bytes.text());
  image.directories = directories;
  return image;
}

std::string_view name_of(DiskOperation operation) {
  switch (operation) {
    case DiskOperation::write: return "write";
    case DiskOperation::sync: return "sync";
    case DiskOperation::truncate: return "truncate";
    case DiskOperation::preallocate: return "preallocate";
    case DiskOperation::create: return "create";
    case DiskOperation::rename: return "rename";
    case DiskOperation::remove: return "remove";
    case DiskOperation::sync_directory: return "sync_directory";
    case DiskOperation::make: return "make_directory";
  }
  return "?";
}

// One change of a file that is not yet durable.
struct FileChange {
  bool resize = false;
  std::uint64_t at = 0;  // offset, or the new size
  std::string bytes;
  std::uint64_t stamp = 0;  // rises with every change of the disk
  void apply(FileBytes& to) const { apply(to.change()); }
  void apply(std::string& to) const {
    if (resize) {
      to.resize(static_cast<std::size_t>(at), '\0');
      return;
    }
    if (to.size() < at + bytes.size()) to.resize(static_cast<std::size_t>(at) + bytes.size(), '\0');
    std::memcpy(to.data() + at, bytes.data(), bytes.size());
  }
};

struct CrashDisk::Inode {
  FileBytes now;
  FileBytes durable;
  std::vector<FileChange> unsynced;
  bool lost = false;  // a failed sync lost something: `durable` never becomes `now` again
};

struct NameChange {
  std::string directory;
  std::string name;                         // full path
  std::shared_ptr<CrashDisk::Inode> inode;  // null: removed
  std::string also_removed;                 // rename: the old path
  std::string made;                         // a directory
  std::uint64_t stamp = 0;
};

struct CrashDisk::State {
  mutable base::Mutex mutex;
  std::map<std::string, std::shared_ptr<Inode>> now;
  std::map<std::string, std::shared_ptr<Inode>> durable;
  std::set<std::string> directories;
  std::set<std::string> durable_directories;
  std::vector<NameChange> unsynced;
  std::set<std::string> locked;
  std::optional<Errc> failing;
  int failing_syncs = 0;
  int failing_directory_syncs = 0;
  bool failing_reads = false;
  std::string unreadable;  // a path, and which of its bytes
  std::uint64_t unreadable_begin = 0;
  std::uint64_t unreadable_end = 0;
  std::optional<std::string> no_blocks;  // for files under it
  [[nodiscard]] bool has_block(const std::string& path) const { return !no_blocks || !path.starts_with(*no_blocks); }
  std::uint64_t free = std::uint64_t{1} << 40;
  std::uint64_t operations = 0;
  std::uint64_t stamp = 0;
  std::function<void(DiskOperation)> hook;
};

class CrashDisk::OpenFile final : public system::File {
 public:
  OpenFile(CrashDisk& disk, std::shared_ptr<Inode> inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    if (const Result<void> allowed = disk_fault("write"); !allowed) return allowed;
    {
      const base::MutexLock lock(disk_.state_->mutex);
      FileChange change{false, offset, std::string(bytes), ++disk_.state_->stamp};
      change.apply(inode_->now);
      inode_->unsynced.push_back(std::move(change));
    }
    disk_.happened(DiskOperation::write);
    return {};
  }
  Result<std::size_t> read_to(std::uint64_t offset, std::size_t size, char* to) const override {
    const base::MutexLock lock(disk_.state_->mutex);
    if (disk_.state_->failing_reads) return fail(Errc::io, "read " + path_ + ": Input/output error");
    if (path_ == disk_.state_->unreadable && offset < disk_.state_->unreadable_end &&
        disk_.state_->unreadable_begin < offset + size) {
      return fail(Errc::io, "read " + path_ + ": Input/output error");
    }
    const std::string& text = inode_->now.text();
    return offset < text.size() ? text.copy(to, size, static_cast<std::size_t>(offset)) : 0;
  }
  Result<void> sync() override {
    {
      const base::MutexLock lock(disk_.state_->mutex);
      if (disk_.state_->failing_syncs > 0) {
        --disk_.state_->failing_syncs;
        // As Linux does: the pages count as clean afterwards, a second fdatasync would succeed, the bytes are not
        // there.
        inode_->lost = inode_->lost || !inode_->unsynced.empty();
        inode_->unsynced.clear();
        return fail(Errc::io, "fdatasync " + path_ + ": Input/output error");
      }
      if (!inode_->lost) {
        inode_->durable = inode_->now;
      } else {
        for (const FileChange& change : inode_->unsynced) change.apply(inode_->durable);
      }
      inode_->unsynced.clear();
    }
    disk_.happened(DiskOperation::sync);
    return {};
  }
  Result<void> truncate(std::uint64_t size) override { return resize(size, DiskOperation::truncate); }
  Result<void> preallocate(std::uint64_t size) override {
    if (const Result<void> allowed = disk_fault("preallocate"); !allowed) return allowed;
    {
      const base::MutexLock lock(disk_.state_->mutex);
      if (size <= inode_->now.text().size()) return {};  // as fallocate: it has its blocks, and never shrinks
      if (!disk_.state_->has_block(path_)) return fail(Errc::full, "preallocate " + path_ + ": injected");
    }
    return resize(size, DiskOperation::preallocate);
  }
  Result<std::uint64_t> size() const override {
    const base::MutexLock lock(disk_.state_->mutex);
    return inode_->now.text().size();
  }
  Result<std::uint64_t> allocated() const override { return size(); }

 private:
  Result<void> disk_fault(const std::string& operation) const {
    const base::MutexLock lock(disk_.state_->mutex);
    if (!disk_.state_->failing) return {};
    return fail(*disk_.state_->failing, operation + " " + path_ + ": injected");
  }
  Result<void> resize(std::uint64_t size, DiskOperation operation) {
    {
      const base::MutexLock lock(disk_.state_->mutex);
      FileChange change{true, size, {}, ++disk_.state_->stamp};
      change.apply(inode_->now);
      inode_->unsynced.push_back(std::move(change));
    }
    disk_.happened(operation);
    return {};
  }

  CrashDisk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

class CrashDisk::HeldLock final : public Disk::Lock {
 public:
  HeldLock(std::shared_ptr<State> state, std::string path) : state_(std::move(state)), path_(std::move(path)) {}
  ~HeldLock() override {
    const base::MutexLock lock(state_->mutex);
    state_->locked.erase(path_);
  }

 private:
  std::shared_ptr<State> state_;
  std::string path_;
};

CrashDisk::CrashDisk() : state_(std::make_shared<State>()) {
  state_->directories.insert("/");
  state_->durable_directories.insert("/");
}

CrashDisk::CrashDisk(const DiskImage& image)
    : CrashDisk([&] {
        FrozenDisk disk;
        for (const auto& [path, bytes] : image.files) disk.files.emplace(path, FileBytes(bytes));
        disk.directories = image.directories;
        return disk;
      }()) {}

CrashDisk::CrashDisk(const FrozenDisk& disk) : CrashDisk() {
  for (const auto& [path, bytes] : disk.files) {
    auto inode = std::make_shared<Inode>();
    inode->now = bytes;
    inode->durable = bytes;
    state_->now.emplace(path, inode);
    state_->durable.emplace(path, inode);
  }
  state_->directories.insert(disk.directories.begin(), disk.directories.end());
  state_->durable_directories = state_->directories;
}

CrashDisk::~CrashDisk() = default;

void CrashDisk::on_operation(std::function<void(DiskOperation)> hook) {
  const base::MutexLock lock(state_->mutex);
  state_->hook = std::move(hook);
}

void CrashDisk::happened(DiskOperation operation) const {
  std::function<void(DiskOperation)> hook;
  {
    const base::MutexLock lock(state_->mutex);
    ++state_->operations;
    hook = state_->hook;
  }
  if (hook) hook(operation);
}

DiskImage CrashDisk::contents() const {
  // Read under the mutex: as soon as nobody shares a file's bytes they are changed in place.
  const base::MutexLock lock(state_->mutex);
  DiskImage image;
  for (const auto& [path, inode] : state_->now) image.files.emplace(path, inode->now.text());
  image.directories = state_->directories;
  return image;
}

FrozenDisk CrashDisk::frozen() const {
  const base::MutexLock lock(state_->mutex);
  FrozenDisk disk;
  for (const auto& [path, inode] : state_->now) disk.files.emplace(path, inode->now);
  disk.directories = state_->directories;
  return disk;
}

DiskImage CrashDisk::crash(Survival survival, std::mt19937_64& random) const {
  return crash_frozen(survival, random).thawed();
}

namespace {

// A beginning of the write, or each sector of it for itself.
void apply_torn(const FileChange& change, FileBytes& to, std::mt19937_64& random) {
  if (random() % 2 == 0) {
    FileChange part = change;
    part.bytes.resize(static_cast<std::size_t>(random() % (change.bytes.size() + 1)));
    part.apply(to);
    return;
  }
  for (std::size_t at = 0; at < change.bytes.size();) {
    const std::size_t sector_end = (static_cast<std::size_t>(change.at) + at) / kSector * kSector + kSector;
    const std::size_t end = std::min(change.bytes.size(), sector_end - static_cast<std::size_t>(change.at));
    if (random() % 2 == 0) FileChange{false, change.at + at, change.bytes.substr(at, end - at), 0}.apply(to);
    at = end;
  }
}

}  // namespace

FrozenDisk CrashDisk::crash_frozen(Survival survival, std::mt19937_64& random) const {
  const base::MutexLock lock(state_->mutex);
  // The one change that torn_last and one_lost are about.
  std::vector<std::uint64_t> stamps;
  std::uint64_t chosen = 0;
  std::set<const Inode*> seen;
  const auto look_at = [&](const std::shared_ptr<Inode>& inode) {
    if (inode == nullptr || !seen.insert(inode.get()).second) return;
    for (const FileChange& change : inode->unsynced) {
      stamps.push_back(change.stamp);
      if (survival == Survival::torn_last) chosen = std::max(chosen, change.stamp);
    }
  };
  if (survival == Survival::torn_last || survival == Survival::one_lost) {
    for (const auto& [path, inode] : state_->now) look_at(inode);
    for (const auto& [path, inode] : state_->durable) look_at(inode);
    for (const NameChange& change : state_->unsynced) stamps.push_back(change.stamp);
    std::sort(stamps.begin(), stamps.end());
    if (survival == Survival::one_lost && !stamps.empty()) {
      chosen = stamps[static_cast<std::size_t>(random() % stamps.size())];
    }
  }
  const auto survives = [&](std::uint64_t stamp, bool name) {
    switch (survival) {
      case Survival::nothing: return false;
      case Survival::everything:
      case Survival::torn_last: return true;
      case Survival::random: return random() % 2 == 0;
      case Survival::names_lost: return !name;
      case Survival::one_lost: return stamp != chosen;
    }
    return false;
  };
  std::map<std::string, std::shared_ptr<Inode>> names = state_->durable;
  FrozenDisk image;
  image.directories = state_->durable_directories;
  for (const NameChange& change : state_->unsynced) {
    if (!survives(change.stamp, true)) continue;
    if (!change.made.empty()) {
      image.directories.insert(change.made);
      continue;
    }
    if (!change.also_removed.empty()) names.erase(change.also_removed);
    if (change.inode != nullptr) {
      names[change.name] = change.inode;
    } else {
      names.erase(change.name);
    }
  }
  std::erase_if(image.directories, [&](const std::string& path) {  // lost with one above it
    for (std::string above = parent_of(path); above != "/"; above = parent_of(above)) {
      if (image.directories.count(above) == 0) return true;
    }
    return false;
  });
  std::map<const Inode*, FileBytes> contents;  // one inode may have two names after a half-survived rename
  for (const auto& [path, inode] : names) {
    // A name in a directory that did not survive is lost with it.
    if (image.directories.count(parent_of(path)) == 0) continue;
    const auto known = contents.find(inode.get());
    if (known != contents.end()) {
      image.files.emplace(path, known->second);
      continue;
    }
    FileBytes bytes = inode->durable;
    for (const FileChange& change : inode->unsynced) {
      if (!survives(change.stamp, false)) continue;
      const bool torn =
          survival == Survival::torn_last ? change.stamp == chosen : survival == Survival::random && random() % 3 == 0;
      if (!torn) {
        change.apply(bytes);
      } else if (!change.resize) {
        apply_torn(change, bytes, random);
      }
    }
    contents.emplace(inode.get(), bytes);
    image.files.emplace(path, std::move(bytes));
  }
  return image;
}

void CrashDisk::fail_writes(Errc code) {
  const base::MutexLock lock(state_->mutex);
  state_->failing = code;
}
void CrashDisk::fail_creation(const std::string& under) {
  const base::MutexLock lock(state_->mutex);
  state_->no_blocks = under;
}
void CrashDisk::fail_next_syncs(int count) {
  const base::MutexLock lock(state_->mutex);
  state_->failing_syncs = count;
}
void CrashDisk::fail_reads(bool fail) {
  const base::MutexLock lock(state_->mutex);
  state_->failing_reads = fail;
}
void CrashDisk::fail_reads_of(const std::string& path, std::uint64_t begin, std::uint64_t end) {
  const base::MutexLock lock(state_->mutex);
  state_->unreadable = path;
  state_->unreadable_begin = begin;
  state_->unreadable_end = end;
}
void CrashDisk::fail_next_directory_syncs(int count) {
  const base::MutexLock lock(state_->mutex);
  state_->failing_directory_syncs = count;
}
void CrashDisk::heal() {
  const base::MutexLock lock(state_->mutex);
  state_->failing.reset();
  state_->no_blocks.reset();
  state_->failing_syncs = 0;
  state_->failing_directory_syncs = 0;
  state_->failing_reads = false;
  state_->unreadable.clear();
}
void CrashDisk::set_free_bytes(std::uint64_t bytes) {
  const base::MutexLock lock(state_->mutex);
  state_->free = bytes;
}
void CrashDisk::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  const base::MutexLock lock(state_->mutex);
  Inode& inode = *state_->now.at(path);
  for (FileBytes* bytes : {&inode.now, &inode.durable}) {
    if (offset < bytes->text().size()) {
      char& byte = bytes->change()[static_cast<std::size_t>(offset)];
      byte = static_cast<char>(byte ^ (1 << bit));
    }
  }
}
std::uint64_t CrashDisk::operations() const {
  const base::MutexLock lock(state_->mutex);
  return state_->operations;
}

Result<std::unique_ptr<system::File>> CrashDisk::open(const std::string& path, system::OpenMode mode) {
  std::shared_ptr<Inode> inode;
  {
    const base::MutexLock lock(state_->mutex);
    const auto at = state_->now.find(path);
    if (mode != system::OpenMode::create_new) {
      if (at == state_->now.end()) return fail(Errc::unavailable, "open " + path + ": No such file or directory");
      return std::make_unique<OpenFile>(*this, at->second, path);
    }
    if (at != state_->now.end()) return fail(Errc::io, "open " + path + ": File exists");
    if (state_->failing) return fail(*state_->failing, "open " + path + ": injected");
    if (!state_->has_block(path)) return fail(Errc::full, "open " + path + ": injected");
    if (state_->directories.count(parent_of(path)) == 0) return fail(Errc::io, "open " + path + ": no such directory");
    inode = std::make_shared<Inode>();
    state_->now.emplace(path, inode);
    state_->unsynced.push_back({parent_of(path), path, inode, {}, {}, ++state_->stamp});
  }
  happened(DiskOperation::create);
  return std::make_unique<OpenFile>(*this, inode, path);
}

Result<std::vector<std::string>> CrashDisk::list(const std::string& directory) {
  const base::MutexLock lock(state_->mutex);
  if (state_->directories.count(directory) == 0) return fail(Errc::io, "list " + directory + ": no such directory");
  std::vector<std::string> names;
  for (const auto& [path, inode] : state_->now) {
    if (parent_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  }
  for (const std::string& path : state_->directories) {
    if (path != "/" && parent_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> CrashDisk::make_directories(const std::string& path) {
  bool made = false;
  {
    const base::MutexLock lock(state_->mutex);
    for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
      const std::string part = path.substr(0, at);
      if (state_->directories.count(part) == 0) {
        if (state_->failing) return fail(*state_->failing, "make directory " + part + ": injected");
        state_->directories.insert(part);
        state_->unsynced.push_back({parent_of(part), {}, nullptr, {}, part, ++state_->stamp});
        made = true;
      }
      if (at == std::string::npos) break;
    }
  }
  if (made) happened(DiskOperation::make);
  return {};
}

Result<void> CrashDisk::rename(const std::string& from, const std::string& to) {
  {
    const base::MutexLock lock(state_->mutex);
    const auto at = state_->now.find(from);
    if (at == state_->now.end()) return fail(Errc::io, "rename " + from + ": No such file or directory");
    if (state_->failing == Errc::io) return fail(Errc::io, "rename " + from + ": injected");
    const std::shared_ptr<Inode> inode = at->second;
    state_->now.erase(at);
    state_->now[to] = inode;
    state_->unsynced.push_back({parent_of(to), to, inode, from, {}, ++state_->stamp});
  }
  happened(DiskOperation::rename);
  return {};
}

Result<void> CrashDisk::remove(const std::string& path) {
  {
    const base::MutexLock lock(state_->mutex);
    if (state_->now.count(path) == 0) return fail(Errc::io, "remove " + path + ": No such file or directory");
    if (state_->failing == Errc::io) return fail(Errc::io, "remove " + path + ": injected");
    state_->now.erase(path);
    state_->unsynced.push_back({parent_of(path), path, nullptr, {}, {}, ++state_->stamp});
  }
  happened(DiskOperation::remove);
  return {};
}

Result<void> CrashDisk::sync_directory(const std::string& path) {
  {
    const base::MutexLock lock(state_->mutex);
    if (state_->failing == Errc::io) return fail(Errc::io, "fsync directory " + path + ": injected");
    if (state_->failing_directory_syncs > 0) {
      --state_->failing_directory_syncs;
      std::erase_if(state_->unsynced, [&](const NameChange& change) { return change.directory == path; });
      return fail(Errc::io, "fsync directory " + path + ": Input/output error");
    }
    std::vector<NameChange> rest;
    for (NameChange& change : state_->unsynced) {
      if (change.directory != path) {
        rest.push_back(std::move(change));
        continue;
      }
      if (!change.made.empty()) {
        state_->durable_directories.insert(change.made);
        continue;
      }
      if (!change.also_removed.empty()) state_->durable.erase(change.also_removed);
      if (change.inode != nullptr) {
        state_->durable[change.name] = change.inode;
      } else {
        state_->durable.erase(change.name);
      }
    }
    state_->unsynced = std::move(rest);
  }
  happened(DiskOperation::sync_directory);
  return {};
}

Result<std::uint64_t> CrashDisk::free_bytes(const std::string&) {
  const base::MutexLock lock(state_->mutex);
  return state_->free;
}

bool CrashDisk::exists(const std::string& path) {
  const base::MutexLock lock(state_->mutex);
  return state_->now.count(path) != 0 || state_->directories.count(path) != 0;
}

Result<std::unique_ptr<CrashDisk::Lock>> CrashDisk::lock(const std::string& path) {
  const base::MutexLock lock(state_->mutex);
  if (!state_->locked.insert(path).second) return fail(Errc::unavailable, path + " is locked by another process");
  return std::make_unique<HeldLock>(state_, path);
}

}  // namespace railhead::test
