// A real file system of 32 MiB, filled to the brim and emptied again while records stream through the spool. In a child
// with a mount namespace of its own, so that nothing is left mounted: an ext4 on a loop device, or where that is not
// allowed a tmpfs in a user namespace. Where neither is allowed the test says so and passes.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/effort.h"

namespace railhead::spool {
namespace {

constexpr int kNoFileSystem = 77;
constexpr int kRounds = test::effort(3, 1);

bool mount_small(const std::string& scratch, const std::string& at) {
  const std::string image = scratch + "/image";
  if (::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
    const bool made = std::ofstream(image).good() && ::truncate(image.c_str(), 32 << 20) == 0 &&
                      test::run({"mkfs.ext4", "-q", "-F", "-m", "0", image}).status == 0 &&
                      test::run({"mount", "-o", "loop,errors=remount-ro", image, at}).status == 0;
    if (made) return true;
    return ::mount("none", at.c_str(), "tmpfs", 0, "size=32m") == 0;
  }
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  return ::mount("none", at.c_str(), "tmpfs", 0, "size=32m") == 0;
}

// Appends numbered records, takes them out again, and knows which were acknowledged.
class Stream {
 public:
  // `appended`: by earlier ones, in the same directory.
  explicit Stream(const std::string& directory, std::uint64_t appended = 0)
      : directory_(directory), disk_(system::posix_disk()), appended_(appended) {
    options_.path = directory + "/spool";
    options_.limit = 64 << 20;  // more than the disk has: the disk itself is the bound
    options_.when_full = SpoolOptions::WhenFull::block;
    options_.commit = Duration{0};
    options_.retry_interval = std::chrono::milliseconds{10};
    options_.state_interval = std::chrono::milliseconds{10};
    auto opened = Spool::open(*disk_, clock_, options_, reporter_);
    if (!opened) throw std::runtime_error("open: " + opened.error().what);
    spool_ = std::move(*opened);
    lane_ = spool_->lane("sink");
  }

  // Appends until `records` were acknowledged, or the disk takes no more; says whether all were.
  bool append(int records) {
    constexpr int kAtOnce = 50;
    for (int i = 0; i < records; i += kAtOnce) {
      std::vector<std::string> payloads;
      std::vector<Entry> entries;
      for (std::uint64_t one = appended_ + 1; one <= appended_ + kAtOnce; ++one) {
        payloads.push_back(std::to_string(one) + std::string(4000, 'x'));
      }
      for (const std::string& payload : payloads) entries.push_back({lane_, 1, false, true, payload});
      const Result<Sequence> last = spool_->append(entries);
      if (!last) return false;
      appended_ += kAtOnce;
      if (last->value() != appended_) throw std::runtime_error("a sequence is missing");
      const bool durable = test::eventually(std::chrono::seconds{10},
                                            [&] { return *last <= spool_->durable() || spool_->usage().failing; });
      if (!durable) throw std::runtime_error("neither durable nor failing");
      if (spool_->usage().failing && spool_->durable() < *last) return false;  // taken, and not acknowledged
    }
    return true;
  }
  // Reads everything owed, in order, and settles all but what `keep` says.
  void deliver() {
    std::vector<Frame> frames;
    for (;;) {
      frames.clear();
      const Result<Sequence> next = spool_->read(lane_, at_, 500, 1 << 20, frames);
      if (!next) throw std::runtime_error("read: " + next.error().what);
      for (const Frame& frame : frames) {
        if (frame.sequence.value() != delivered_ + 1) throw std::runtime_error("a gap, or out of order");
        if (frame.payload.substr(0, frame.payload.find('x')) != std::to_string(delivered_ + 1)) {
          throw std::runtime_error("another payload");
        }
        ++delivered_;
        spool_->settle(lane_, frame.sequence, Outcome::delivered);
      }
      if (*next == at_) return;
      at_ = *next;
    }
  }
  void fill_to_the_brim() const {
    std::FILE* const file = std::fopen((directory_ + "/filler").c_str(), "wb");
    const std::string block(64 * 1024, 'f');
    for (std::size_t bytes : {block.size(), std::size_t{512}}) {
      while (std::fwrite(block.data(), 1, bytes, file) == bytes && std::fflush(file) == 0) {
      }
      std::clearerr(file);
    }
    std::fclose(file);
  }
  void empty_again() const { ::unlink((directory_ + "/filler").c_str()); }

  void wait_until(const char* what, const std::function<bool()>& condition) const {
    if (!test::eventually(std::chrono::seconds{20}, condition)) {
      throw std::runtime_error(std::string("never happened: ") + what + "; " + spool_->usage().why);
    }
  }
  [[nodiscard]] Spool& spool() const { return *spool_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  void reopen() {
    spool_.reset();
    auto opened = Spool::open(*disk_, clock_, options_, reporter_);
    if (!opened) throw std::runtime_error("open: " + opened.error().what);
    spool_ = std::move(*opened);
    lane_ = spool_->lane("sink");
  }
  [[nodiscard]] std::size_t count(status::Event event) const { return reporter_.count(event); }

 private:
  std::string directory_;
  std::unique_ptr<system::Disk> disk_;
  system::SystemClock clock_;
  test::CapturingReporter reporter_;
  SpoolOptions options_;
  std::unique_ptr<Spool> spool_;
  LaneId lane_;
  std::uint64_t appended_;
  std::uint64_t delivered_ = 0;
  Sequence at_{1};
};

void stream_through(const std::string& directory) {
  Stream stream(directory);
  for (int round = 0; round < kRounds; ++round) {
    // Somebody else fills the disk in the middle of the stream, and makes room again.
    if (!stream.append(300)) throw std::runtime_error("an empty disk took no records");
    stream.fill_to_the_brim();
    if (stream.append(3000)) throw std::runtime_error("a full disk took 12 MB");
    stream.deliver();
    stream.empty_again();
    stream.wait_until("the spool goes on by itself", [&] { return !stream.spool().usage().failing; });
    stream.wait_until("what was taken becomes durable",
                      [&] { return stream.spool().durable().value() + 1 == stream.spool().next().value(); });
    if (!stream.append(300)) throw std::runtime_error("an emptied disk took no records");
    stream.deliver();
    // The spool itself fills it, while its sink is away.
    if (stream.append(10'000)) throw std::runtime_error("32 MiB took 40 MB");
    stream.deliver();
    stream.wait_until("settled records make room on a full disk", [&] { return !stream.spool().usage().failing; });
    stream.wait_until("what was taken becomes durable",
                      [&] { return stream.spool().durable().value() + 1 == stream.spool().next().value(); });
    stream.deliver();
  }
  // The open segment and two spare ones, 4 MiB each, may stay.
  stream.wait_until("all is trimmed", [&] { return stream.spool().usage().bytes <= (16 << 20); });
  const std::uint64_t all = stream.spool().next().value() - 1;
  const status::LaneLedger ledger = stream.spool().ledger(stream.spool().lane("sink"));
  if (stream.delivered() != all || ledger.delivered != all || ledger.accepted != all || !ledger.adds_up()) {
    throw std::runtime_error("delivered " + std::to_string(stream.delivered()) + " of " + std::to_string(all));
  }
  if (stream.count(status::Event::disk_failed) < kRounds) throw std::runtime_error("nobody was told");
  if (stream.count(status::Event::spool_damaged) > 0) throw std::runtime_error("damage");
  stream.reopen();
  stream.deliver();  // nothing comes again
  if (stream.delivered() != all || stream.spool().next().value() != all + 1)
    throw std::runtime_error("other after all");
}

// The backlog leaves while the file system is read-only from the start, and appending goes on when it no longer is.
void start_read_only(const std::string& directory) {
  {
    Stream stream(directory);
    if (!stream.append(300)) throw std::runtime_error("an empty disk took no records");
  }
  if (::mount("none", directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return;
  Stream stream(directory, 300);
  stream.deliver();
  if (stream.delivered() != 300) throw std::runtime_error("the backlog did not leave a read-only disk");
  stream.wait_until("the spool says that it cannot be written", [&] { return stream.spool().usage().failing; });
  if (::mount("none", directory.c_str(), nullptr, MS_REMOUNT, nullptr) != 0) throw std::runtime_error("remount");
  stream.wait_until("the spool goes on by itself", [&] { return !stream.spool().usage().failing; });
  if (!stream.append(300)) throw std::runtime_error("a disk that can be written again took no records");
}

// A read-only mount over the directory: what is open can be written, and nothing can be opened, made, renamed or
// removed. When it is gone, what was taken becomes durable, and more is taken, without a restart.
void read_only_and_back(const std::string& directory) {
  Stream stream(directory);
  if (!stream.append(300)) throw std::runtime_error("an empty disk took no records");
  const char* const at = directory.c_str();
  if (::mount(at, at, nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, at, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
    throw std::runtime_error("mount read-only");
  }
  if (stream.append(3000)) throw std::runtime_error("a read-only disk took 12 MB");
  stream.wait_until("the spool says why",
                    [&] { return stream.spool().usage().why.find("Read-only") != std::string::npos; });
  stream.deliver();
  if (stream.delivered() != stream.spool().durable().value()) throw std::runtime_error("not all that was acknowledged");
  if (::umount(at) != 0) throw std::runtime_error("mount as it was");
  stream.wait_until("the spool goes on by itself", [&] { return !stream.spool().usage().failing; });
  stream.wait_until("what was taken becomes durable",
                    [&] { return stream.spool().durable().value() + 1 == stream.spool().next().value(); });
  if (!stream.append(300)) throw std::runtime_error("a disk that can be written again took no records");
  stream.deliver();
  if (stream.delivered() != stream.spool().next().value() - 1) throw std::runtime_error("not all was delivered");
  if (stream.count(status::Event::disk_failed) != 1 || stream.count(status::Event::disk_recovered) != 1 ||
      stream.count(status::Event::spool_damaged) != 0) {
    throw std::runtime_error("not told once, or damage");
  }
}

// An ext4 that met an error is read-only at once, under open files; nothing but another mount makes it writable again.
void becomes_read_only(const std::string& directory) {
  struct stat about {};
  if (::stat(directory.c_str(), &about) != 0) throw std::runtime_error("stat");
  const std::string device = "/sys/fs/ext4/loop" + std::to_string(minor(about.st_dev));
  std::ofstream trigger(device + "/trigger_fs_error");
  if (!trigger) {
    std::cout << "SKIPPED: no ext4 on a loop device\n" << std::flush;
    return;
  }
  Stream stream(directory);
  if (!stream.append(300)) throw std::runtime_error("an empty disk took no records");
  trigger << 1 << std::flush;
  if (stream.append(300)) throw std::runtime_error("a read-only disk acknowledged records");
  stream.wait_until("somebody is told", [&] { return stream.count(status::Event::disk_failed) > 0; });
  stream.deliver();
  if (stream.delivered() != 300) throw std::runtime_error("what was acknowledged did not leave a read-only disk");
}

// `work` gets a directory on a small disk, in a child; its exceptions fail the test.
void on_a_small_disk(const std::function<void(const std::string&)>& work) {
  const test::TemporaryDirectory scratch;
  const std::string at = scratch.write("disk/.here", "");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string directory = scratch.path() + "/disk";
    if (!mount_small(scratch.path(), directory)) ::_exit(kNoFileSystem);
    try {
      work(directory);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "small disk: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoFileSystem) {
    std::cout << "SKIPPED: neither a loop device nor a user namespace may be used here\n";
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a 32 MiB file system filled to the brim and emptied again mid-stream loses nothing and needs no restart") {
  on_a_small_disk([](const std::string& directory) {
    start_read_only(directory);
    if (std::system(("rm -rf '" + directory + "/spool'").c_str()) != 0) throw std::runtime_error("rm");
    stream_through(directory);
  });
}

TEST_CASE("a directory that becomes read-only under the running spool, and writable again: it goes on by itself") {
  on_a_small_disk(read_only_and_back);
}

TEST_CASE("a file system that becomes read-only under the running spool acknowledges nothing more and gives the rest") {
  on_a_small_disk(becomes_read_only);
}

}  // namespace
}  // namespace railhead::spool
