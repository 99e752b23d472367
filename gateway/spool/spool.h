// Spool: the disk log between the field and the upstreams. Groups of records go in, get a sequence, become durable, are
// read lane by lane and settled one by one; what nobody is owed any more is trimmed. It knows neither Record nor
// Reading.
//
// Contract  append() never waits for the disk: the group is acknowledged when durable() has reached its sequence.
//           Only durable records are ever given out by read() (S2). trimmed <= settled <= durable < next.
// Bounds    memory does not grow with the backlog: an append buffer (pending_bytes_max), a tail of what was written
// last
//           (tail_bytes), one read buffer per lane that is behind, some bytes of index per 256 KiB on disk.
// Errors    full: a bound is reached; io: the disk does not take writes at the moment (it is tried again by itself);
//           invalid: the group can never fit. In each case nothing of the group was taken.
// Threads   every function may be called from any thread; reads of one lane take turns. One committer thread is the
// only
//           writer of the directory; it sleeps while nothing happens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/strong.h"
#include "gateway/base/time.h"
#include "gateway/status/ledger.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

// A lane's number within one open spool. Names, not numbers, are what lasts across restarts.
using LaneId = Strong<struct LaneTag, std::uint32_t>;

inline constexpr std::size_t kLanesMax = 4096;
inline constexpr std::size_t kLaneNameBytesMax = 255;
inline constexpr std::size_t kFrameOverheadMax = 128;  // what a frame takes beside its payload, at most

struct SpoolOptions {
  enum class WhenFull : std::uint8_t { drop_oldest, block };

  std::string path;
  std::string name = "telemetry";                // in events
  std::uint64_t limit = std::uint64_t{2} << 30;  // bytes on disk; at least 1 MiB
  std::uint64_t keep_free = 0;                   // bytes left to others; growth stops there (S12)
  WhenFull when_full = WhenFull::drop_oldest;
  Duration age{};             // records older than this expire (S12), by times of a trusted clock alone; 0: never
  Duration keep_delivered{};  // settled records stay for replay that long, while nobody needs the space; 0: they go
  Duration commit = std::chrono::milliseconds{10};  // 0: back to back (S13)
  std::size_t commit_bytes = 256 * 1024;
  Duration state_interval = std::chrono::seconds{1};  // how much settling a kill may forget (it is then repeated)
  std::size_t pending_bytes_max = 8 * 1024 * 1024;    // appended, not yet written
  std::size_t tail_bytes = 2 * 1024 * 1024;           // kept in memory for lanes that follow closely
  Duration retry_interval = std::chrono::seconds{1};  // between attempts on a failing disk
};

// One record to append. Consecutive entries form a group that ends with `ends_group` (S6): all of it is seen, or
// nothing.
struct Entry {
  LaneId lane;
  std::uint8_t klass = 1;  // 0 low, 1 normal, 2 high
  // The gateway's own state (S7), in lanes whose names begin with @: the lane's owner reads it with for_each() and
  // settles it when a newer one replaces it. No bound ever drops it.
  bool internal = false;
  bool ends_group = true;
  std::string_view payload;
};

enum class Outcome : std::uint8_t { delivered, expired, set_aside, dropped };

struct Frame {
  Epoch epoch;
  Sequence sequence;
  LaneId lane;
  Time appended;                          // wall clock at append()
  std::optional<BootTime> appended_boot;  // boot time at append(); absent when that was before the last reboot
  bool clock_trusted = false;             // was the wall clock trusted then (S20)
  bool internal = false;
  bool settled = false;  // only for_each() shows settled frames
  std::uint8_t klass = 1;
  std::string payload;
};

struct LaneInfo {
  std::string name;
  LaneId id;
  status::LaneLedger ledger;
  Sequence first_unsettled;         // nothing of the lane below it is owed; may be lower than the first owed record
  std::uint64_t backlog_bytes = 0;  // of what it is owed, on disk; an estimate where a segment is partly settled
  // When the oldest record owed was appended: exact in the tail, else that of a record at most 256 KiB in front of it.
  std::optional<Time> oldest;
};

struct Usage {
  std::uint64_t bytes = 0;  // allocated on disk
  std::uint64_t limit = 0;  // in force now: lower than the option when keep_free stops growth
  Sequence durable;
  Sequence next;
  Sequence first;  // oldest record still on disk; == next when there is none
  std::uint64_t segments = 0;
  bool failing = false;  // the disk does not take writes
  bool full = false;     // append() says Errc::full
  std::string why;       // of failing
  // Since this spool was opened. Write amplification = bytes_written / payload_bytes.
  std::uint64_t bytes_written = 0;
  std::uint64_t syncs = 0;
  std::uint64_t payload_bytes = 0;     // committed
  std::uint64_t compactions = 0;       // segments rewritten
  std::uint64_t compaction_bytes = 0;  // of bytes_written
};

class Spool final {
 public:
  // Locks the directory (made if missing), recovers, starts the committer. Damage is set aside, counted and reported;
  // it is no error. Errors: unavailable (another process has it), unsupported (a newer format; nothing was touched),
  // denied or io (the directory cannot be read at all).
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(system::Disk& disk, const system::Clock& clock,
                                                           const SpoolOptions& options, status::Reporter& reporter);
  // Commits what was appended and saves the lane states, if the disk takes it. Readers and appenders must be gone.
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  [[nodiscard]] Epoch epoch() const;  // of records appended from now on (S1)
  // Finds or registers a lane; a new one begins at the end of the log. REQUIRES a name of 1..255 bytes.
  [[nodiscard]] LaneId lane(std::string_view name);

  // Takes one or several whole groups (the last entry ends one), all or none. Returns the last sequence; the entries
  // have consecutive ones. The payloads are copied.
  [[nodiscard]] Result<Sequence> append(std::span<const Entry> groups);
  [[nodiscard]] std::size_t group_bytes_max() const;  // payloads and kFrameOverheadMax each of one group
  [[nodiscard]] Sequence durable() const;             // everything at or below it survives a power cut
  [[nodiscard]] Sequence next() const;                // what the next record will get
  // `event` is signalled whenever durable() rises, until unsubscribe() returns.
  void subscribe(const system::EventFd* event);
  void unsubscribe(const system::EventFd* event);

  // Adds durable, unsettled frames of the lane with sequence >= `from` in order to `out`, until a bound is reached (one
  // frame may exceed bytes_max). Returns where to go on; the same value as `from` and no frames when there is nothing
  // new.
  [[nodiscard]] Result<Sequence> read(LaneId lane, Sequence from, std::size_t records_max, std::size_t bytes_max,
                                      std::vector<Frame>& out);
  // The lane no longer owes this record. Any order; again, or for a record already dropped, is fine.
  void settle(LaneId lane, Sequence one, Outcome outcome);
  void settle(LaneId lane, std::span<const Sequence> many, Outcome outcome);
  // Unsettled records that wait for their destination are counted as held (S14). Nothing of it is stored: after a
  // restart they count as spooled. Any order; again, or for a settled one, is fine.
  void hold(LaneId lane, std::span<const Sequence> many);
  void release(LaneId lane, std::span<const Sequence> many);
  void count_repeat(LaneId lane);
  // Nobody will ever read this lane: all it is owed now is dropped. Returns how many records. Errors: invalid (no such
  // lane).
  [[nodiscard]] Result<std::uint64_t> drop_lane(std::string_view name);

  [[nodiscard]] status::LaneLedger ledger(LaneId lane) const;  // counts durable records only
  [[nodiscard]] std::vector<LaneInfo> lanes() const;           // also those only the disk knows
  // Opaque bytes of the flow, saved with the lane states and as lazily; at most 64 KiB.
  void set_note(std::string note);
  [[nodiscard]] std::string note() const;
  // Every durable frame still on disk from `from` on, internal and settled ones too, in order: to rebuild state at
  // start, to replay. `visit` may append and settle. Ends early, without an error, when `enough` is requested, which
  // `visit` may do itself.
  [[nodiscard]] Result<void> for_each(Sequence from, const std::function<void(const Frame&)>& visit,
                                      const std::stop_token& enough = {}) const;

  [[nodiscard]] Usage usage() const;
  // Commits everything appended so far and saves the lane states. Errors: timeout, io.
  [[nodiscard]] Result<void> flush(Duration at_most);

 private:
  class Engine;
  explicit Spool(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace railhead::spool
