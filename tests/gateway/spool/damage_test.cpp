// Damage, exhaustively, on a spool small enough for it: every bit of every file flipped, every file cut at every
// length, zeroed from every place (of the zeros behind a file's contents only some), lost, doubled. The start never
// fails, nothing is invented, what is lost is at most the group that was hit, the
// ledgers add up, and a second start changes nothing.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "tests/gateway/spool/owed.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/effort.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::FileBytes;
using test::FrozenDisk;

constexpr std::size_t kStride = test::effort(1, 61);

SpoolOptions small_options() {
  SpoolOptions options;
  options.path = "/spool";
  options.limit = 1 << 20;
  options.when_full = SpoolOptions::WhenFull::block;
  options.commit = Duration{0};
  options.state_interval = std::chrono::hours{1000};
  return options;
}

// Three segments, groups of one to three, one record settled out of order and saved so.
class Small {
 public:
  Small() {
    disk_.directories = {"/"};
    for (int life = 0; life < 2; ++life) {
      CrashDisk disk(disk_);
      const auto opened = Spool::open(disk, clock_, small_options(), reporter_);
      REQUIRE(opened.has_value());
      for (std::uint64_t size = 1; size <= 3; ++size) {
        std::vector<Entry> entries;
        const std::uint64_t first = (*opened)->next().value();
        std::vector<std::string> payloads;
        for (std::uint64_t i = 0; i < size; ++i) payloads.push_back("payload " + std::to_string(first + i));
        for (std::uint64_t i = 0; i < size; ++i) {
          entries.push_back({(*opened)->lane(i == 1 ? "amqp" : "kafka"), 1, false, i + 1 == size, payloads[i]});
          payload_[first + i] = payloads[i];
          group_[first + i] = first;
        }
        REQUIRE((*opened)->append(entries).has_value());
        REQUIRE((*opened)->flush(kPatience).has_value());
      }
      if (life == 1) (*opened)->settle((*opened)->lane("kafka"), Sequence(4), Outcome::delivered);
      REQUIRE((*opened)->flush(kPatience).has_value());
      disk_ = CrashDisk(disk.frozen()).frozen();
    }
  }

  // Opens the spool on `disk`, twice. `groups`: how many groups may be gone; the settled record may come again when the
  // lane states were hit.
  void check(const FrozenDisk& disk, std::size_t groups, bool state_hit) const {
    FrozenDisk once = disk;
    std::set<std::uint64_t> first_found;
    for (const bool again : {false, true}) {
      INFO("again ", again);
      CrashDisk running(once);
      test::CapturingReporter reporter;
      std::set<std::uint64_t> found;
      std::set<std::uint64_t> lost;
      {
        const auto opened = Spool::open(running, clock_, small_options(), reporter);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
        std::vector<Frame> frames;
        const std::string problem = read_everything(**opened, frames);
        REQUIRE_MESSAGE(problem.empty(), problem);
        for (const Frame& frame : frames) {
          const auto known = payload_.find(frame.sequence.value());
          REQUIRE(known != payload_.end());
          REQUIRE(frame.payload == known->second);
          REQUIRE(found.insert(frame.sequence.value()).second);
        }
        REQUIRE((found.count(4) == 0 || state_hit));
        for (const LaneInfo& lane : (*opened)->lanes()) REQUIRE(lane.ledger.adds_up());
        for (const auto& [sequence, group] : group_) {
          if (found.count(sequence) == 0 && sequence != 4) lost.insert(group);
        }
        REQUIRE(lost.size() <= groups);
        if (again) REQUIRE(found == first_found);
        first_found = found;
      }
      const FrozenDisk after = running.frozen();
      if (again) REQUIRE(after.hash() == once.hash());
      once = after;
    }
  }
  [[nodiscard]] const FrozenDisk& disk() const { return disk_; }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : disk_.files) {
      if (path.ends_with(".seg") || path.ends_with("/lanes")) paths.push_back(path);
    }
    return paths;
  }

 private:
  test::ManualClock clock_;
  test::CapturingReporter reporter_;
  FrozenDisk disk_;
  std::map<std::uint64_t, std::string> payload_;
  std::map<std::uint64_t, std::uint64_t> group_;
};

bool is_state(const std::string& path) { return path.ends_with("/lanes"); }

// Behind the contents lie preallocated zeros, all alike.
std::size_t next_place(const std::string& whole, std::size_t at) {
  return at < whole.find_last_not_of('\0') + 64 ? at + kStride : at + test::effort(1021, 9973);
}

TEST_CASE("a spool survives the flip of any bit of any of its files, and loses at most the group it hits") {
  const Small small;
  REQUIRE(small.files().size() == 4);  // three segments and the lane states
  for (const std::string& path : small.files()) {
    const std::string& whole = small.disk().files.at(path).text();
    const std::size_t headers = is_state(path) ? 0 : static_cast<std::size_t>(decode_header(whole)->frames_begin());
    for (std::size_t at = 0; at < whole.size(); at = next_place(whole, at)) {
      INFO(path, " byte ", at);
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (at < headers && bit != at % 8) continue;  // every byte of the headers, every bit of the rest
        FrozenDisk disk = small.disk();
        char& byte = disk.files.at(path).change()[at];
        byte = static_cast<char>(byte ^ (1 << bit));
        // A header has a second copy.
        small.check(disk, is_state(path) || at < headers ? 0 : 1, is_state(path));
      }
    }
  }
}

TEST_CASE("a spool survives any of its files cut at any length, or zeroed from any place") {
  const Small small;
  for (const std::string& path : small.files()) {
    const std::string& whole = small.disk().files.at(path).text();
    const std::size_t size = whole.size();
    for (std::size_t at = 0; at < size; at = next_place(whole, at)) {
      INFO(path, " from ", at);
      for (const bool zeros : {false, true}) {
        INFO("zeros ", zeros);
        FrozenDisk disk = small.disk();
        std::string& bytes = disk.files.at(path).change();
        bytes.resize(at);
        if (zeros) bytes.resize(size, '\0');
        // A segment's three groups lie behind its header: what is in front of the place is there.
        small.check(disk, is_state(path) ? 0 : 3, is_state(path));
      }
    }
  }
}

TEST_CASE("a spool survives each of its files lost, empty, doubled under another number, or another's") {
  const Small small;
  const Small other;
  for (const std::string& path : small.files()) {
    INFO(path);
    FrozenDisk lost = small.disk();
    lost.files.erase(path);
    small.check(lost, is_state(path) ? 0 : 3, is_state(path));
    FrozenDisk empty = small.disk();
    empty.files.at(path) = FileBytes();
    small.check(empty, is_state(path) ? 0 : 3, is_state(path));
    if (is_state(path)) continue;
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{0xffff}}) {
      INFO(number);
      if (small.disk().files.count("/spool/" + segment_name(number)) != 0) continue;
      FrozenDisk doubled = small.disk();
      doubled.files["/spool/" + segment_name(number)] = small.disk().files.at(path);
      small.check(doubled, 0, false);
      FrozenDisk strange = small.disk();
      strange.files["/spool/" + segment_name(number)] = other.disk().files.at(path);
      small.check(strange, 0, false);
    }
  }
}

TEST_CASE("stale bytes of an earlier life behind the frames of a segment are never taken for records") {
  const Small small;
  for (const std::string& path : small.files()) {
    if (is_state(path)) continue;
    // The frames of both segments, behind the end of this one: as in a file that is used again.
    FrozenDisk disk = small.disk();
    std::string& bytes = disk.files.at(path).change();
    for (const std::string& from : small.files()) {
      if (!is_state(from) && from != path) bytes += small.disk().files.at(from).text();
    }
    small.check(disk, 0, false);
  }
}

}  // namespace
}  // namespace railhead::spool
