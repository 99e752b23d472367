// The works of a Spool (spool.h): appenders fill a buffer, one committer thread writes it, settles bounds, saves the
// lane states, trims, compacts, and mends what recovery found. The only file that knows how these pieces play together.
//
// Order on disk, on which everything rests:
//   lane states with the epoch   before  the first segment of that epoch, and before any tail is cut
//   frames synced                before  durable rises and before a younger segment is made
//   damaged bytes copied         before  the place they came from is cut
//   lane states synced           before  a segment they call settled is removed
//   removals synced              before  lane states that no longer mention the segment
//   a compacted segment synced, and lane states that settle what it leaves out
//                                before  its name
//   its name synced              before  the files it replaces are removed
//   a spare's new name synced    before  it is made a blank; that synced before it becomes a segment
// Locks: append_mutex_ and the shelf's are never held together, and neither while a file is touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/spool/commit_pace.h"
#include "gateway/spool/compaction.h"
#include "gateway/spool/frame_buffer.h"
#include "gateway/spool/lane_reader.h"
#include "gateway/spool/recovery.h"
#include "gateway/spool/segment_writer.h"
#include "gateway/spool/shelf.h"
#include "gateway/spool/spool.h"

namespace railhead::spool {

class Spool::Engine {
 public:
  Engine(system::Disk& disk, const system::Clock& clock, const SpoolOptions& options, status::Reporter& reporter);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] Result<void> open();

  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] std::size_t group_bytes_max() const { return group_bytes_max_; }
  [[nodiscard]] LaneId lane(std::string_view name);
  [[nodiscard]] Result<Sequence> append(std::span<const Entry> groups);
  [[nodiscard]] Sequence durable() const { return Sequence(shelf_.durable.load(std::memory_order_acquire)); }
  [[nodiscard]] Sequence next() const { return Sequence(next_shown_.load(std::memory_order_acquire)); }
  void subscribe(const system::EventFd* event);
  void unsubscribe(const system::EventFd* event);
  [[nodiscard]] Result<Sequence> read(LaneId lane, Sequence from, std::size_t records_max, std::size_t bytes_max,
                                      std::vector<Frame>& out);
  void settle(LaneId lane, std::span<const Sequence> many, Outcome outcome);
  void set_held(LaneId lane, std::span<const Sequence> many, bool held);
  void count_repeat(LaneId lane);
  [[nodiscard]] Result<std::uint64_t> drop_lane(std::string_view name);
  [[nodiscard]] status::LaneLedger ledger(LaneId lane) const;
  [[nodiscard]] std::vector<LaneInfo> lanes() const;
  void set_note(std::string note);
  [[nodiscard]] std::string note() const;
  [[nodiscard]] Result<void> for_each(Sequence from, const std::function<void(const Frame&)>& visit,
                                      const std::stop_token& enough) const;
  [[nodiscard]] Usage usage() const;
  [[nodiscard]] Result<void> flush(Duration at_most);

 private:
  // A run of frames on its way to the disk; what lies before `done` is durable.
  struct Batch {
    FrameBuffer frames;
    std::size_t done = 0;
    [[nodiscard]] bool empty() const { return done == frames.size(); }
  };
  struct Run {  // whole groups that fit into the active segment
    std::size_t begin = 0;
    std::size_t end = 0;
    Sequence last;
    std::vector<IndexPoint> index;
    std::uint64_t records = 0;
    std::uint8_t classes = 0;
    Time first_appended;
    Time newest;
    Time oldest = Time::max();
    bool all_trusted = true;
  };
  struct LaneRun {  // of one lane in a run
    std::uint32_t records = 0;
    std::uint64_t bytes = 0;
  };

  // --- appending (engine_append.cpp)
  [[nodiscard]] Result<std::size_t> check(std::span<const Entry> groups) const;
  [[nodiscard]] bool clock_trusted(BootTime now) RAILHEAD_REQUIRES(append_mutex_);
  void mark_dirty();

  // --- the committer's thread (engine.cpp, engine_commit.cpp, engine_mend.cpp)
  void run();
  // nullopt: nothing to do until somebody notifies.
  [[nodiscard]] std::optional<Duration> time_until_work(BootTime now) RAILHEAD_REQUIRES(append_mutex_);
  [[nodiscard]] bool keeps_memory() const RAILHEAD_REQUIRES(append_mutex_);
  void give_back_memory() RAILHEAD_REQUIRES(append_mutex_);
  // Mends, commits batch_, saves the lane states if asked to or needed; reports what fails and what works again.
  [[nodiscard]] bool work(bool save, bool look_for_room);
  [[nodiscard]] Result<void> mend();
  [[nodiscard]] Result<void> sync_name();
  [[nodiscard]] Result<void> make_damaged();
  [[nodiscard]] Result<void> commit(Batch& batch);
  [[nodiscard]] Run next_run(Batch& batch);
  void publish(Batch& batch, const Run& run);
  [[nodiscard]] Result<void> begin_segment(std::string_view frames);
  void end_segment();
  void give_up_segment();

  // --- making room (engine_compact.cpp)
  [[nodiscard]] Result<void> make_room(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t missing_room(std::uint64_t bytes) const;
  [[nodiscard]] std::vector<CompactionSource> choose_sources() const RAILHEAD_REQUIRES(shelf_.mutex);
  [[nodiscard]] Result<bool> compact_one(std::uint8_t evict);
  void begin_job(std::uint8_t evict);
  [[nodiscard]] Result<void> go_on_with_job(std::uint64_t bytes);
  void go_on_with_job_behind(std::uint64_t committed);
  [[nodiscard]] Result<void> publish(const std::vector<CompactionSource>& sources, Compacted compacted);
  [[nodiscard]] Result<void> remove_replaced();
  [[nodiscard]] Result<void> renew_name();
  void settle_evicted(const std::vector<std::pair<Sequence, LaneId>>& evicted);
  [[nodiscard]] Result<bool> evict_one();
  void report_dropped(const std::vector<std::uint64_t>& per_lane);
  // Compaction writes beside what it replaces: so much of the limit is not used otherwise.
  [[nodiscard]] std::uint64_t working_bytes() const { return segment_bytes_; }

  // --- files to be used again (engine_spares.cpp)
  struct Spare {
    std::string file;
    std::uint64_t bytes = 0;
  };
  // Takes the file of a segment that is trimmed; false: it is to be removed.
  [[nodiscard]] Result<bool> keep_as_spare(const std::string& file, std::uint64_t bytes);
  [[nodiscard]] Result<void> blank_spares();
  [[nodiscard]] Result<void> remove_spares(std::size_t but);
  [[nodiscard]] Spare take_spare();
  [[nodiscard]] std::uint64_t spare_bytes() const { return spare_bytes_.load(std::memory_order_acquire); }

  // --- bounds in time (engine_age.cpp)
  void look_at_ages();
  void expire_aged();
  [[nodiscard]] bool has_time_bounds() const {
    return options_.age > Duration{0} || options_.keep_delivered > Duration{0};
  }

  // --- bounds and lane states (engine_state.cpp)
  [[nodiscard]] std::uint64_t effective_limit() const;
  void update_room();
  [[nodiscard]] Result<void> save_state();
  struct Trim {
    std::uint64_t number = 0;
    std::string file;
    std::uint64_t bytes = 0;
  };
  using Trimmable = std::vector<Trim>;
  [[nodiscard]] bool is_kept(const Segment& segment, std::uint64_t freed) const;
  [[nodiscard]] StoredState snapshot(Trimmable& trimmable) RAILHEAD_REQUIRES(shelf_.mutex);
  [[nodiscard]] Result<void> apply(const Repair& repair);
  void failed(const Error& error);
  void recovered();

  void adopt(Recovered recovered);
  void condemn(const SegmentHeader& segment);
  [[nodiscard]] Result<void> load_members(const SegmentHeader& segment);
  [[nodiscard]] std::string path(const std::string& name) const { return options_.path + "/" + name; }
  [[nodiscard]] ReadContext read_context() const;

  system::Disk& disk_;
  const system::Clock& clock_;
  const SpoolOptions options_;
  status::Reporter& reporter_;
  std::unique_ptr<system::Disk::Lock> lock_;
  std::uint64_t machine_ = 0;
  BootId boot_{};
  Epoch epoch_;
  std::vector<Epoch> earlier_;
  std::uint64_t segment_bytes_;
  std::size_t pending_bytes_max_;
  std::size_t group_bytes_max_;

  Shelf shelf_;

  mutable base::Mutex append_mutex_;
  base::CondVar committer_wakes_;
  base::CondVar flushed_;
  FrameBuffer pending_ RAILHEAD_GUARDED_BY(append_mutex_);
  std::uint64_t next_ RAILHEAD_GUARDED_BY(append_mutex_) = 1;
  CommitPace pace_ RAILHEAD_GUARDED_BY(append_mutex_);
  bool failing_ RAILHEAD_GUARDED_BY(append_mutex_) = false;
  std::string why_ RAILHEAD_GUARDED_BY(append_mutex_);
  BootTime retry_at_ RAILHEAD_GUARDED_BY(append_mutex_){};
  bool full_ RAILHEAD_GUARDED_BY(append_mutex_) = false;
  bool look_for_room_ RAILHEAD_GUARDED_BY(append_mutex_) = false;
  BootTime looked_for_room_ RAILHEAD_GUARDED_BY(append_mutex_){};
  bool stop_ RAILHEAD_GUARDED_BY(append_mutex_) = false;
  std::uint64_t flush_wanted_ RAILHEAD_GUARDED_BY(append_mutex_) = 0;
  std::uint64_t flush_done_ RAILHEAD_GUARDED_BY(append_mutex_) = 0;
  std::uint64_t flush_failed_ RAILHEAD_GUARDED_BY(append_mutex_) = 0;
  bool trusted_ RAILHEAD_GUARDED_BY(append_mutex_) = false;
  std::optional<BootTime> trust_asked_ RAILHEAD_GUARDED_BY(append_mutex_);
  std::optional<BootTime> dirty_since_ RAILHEAD_GUARDED_BY(append_mutex_);

  std::atomic<std::uint64_t> next_shown_{1};
  std::atomic<std::uint32_t> lanes_known_{0};
  std::atomic<bool> dirty_{false};
  std::atomic<std::uint64_t> in_flight_{0};   // swapped out of pending_, not yet durable
  std::atomic<std::uint64_t> occupied_{0};    // sealed segments and the used part of the active one
  std::atomic<std::uint64_t> room_limit_{0};  // what `occupied_` and the pending bytes may reach (block)
  std::atomic<std::uint64_t> limit_shown_{0};
  std::atomic<std::uint64_t> bytes_written_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> payload_bytes_{0};
  std::atomic<std::uint64_t> spare_bytes_{0};
  std::atomic<std::uint64_t> compactions_{0};
  std::atomic<std::uint64_t> compaction_bytes_{0};

  // The committer's own.
  FrameBuffers idle_buffers_;
  std::unique_ptr<SegmentWriter> active_;
  Segment* active_entry_ = nullptr;  // in the shelf's table
  std::shared_ptr<const std::vector<LaneId>> active_lanes_;
  Batch batch_;  // kept while the disk fails
  std::uint64_t next_segment_ = 1;
  bool state_must_be_saved_ = false;  // before anything else is written
  std::vector<Repair> repairs_;
  bool fresh_ = false;         // the directory's own name is not yet durable
  bool damaged_made_ = false;  // damaged/, and its name is durable
  bool removals_unsynced_ = false;
  BootTime look_at_ages_at_{};
  std::vector<Spare> renamed_spares_;  // not yet blank
  std::vector<Spare> spares_;          // blanks
  StateFile state_file_;
  std::uint64_t wanted_bytes_ = 0;     // while room is made: what is kept for replay gives way
  std::unique_ptr<Compaction> job_;    // under way
  std::vector<std::string> replaced_;  // files that a compacted segment replaces, to be removed
  std::string replacing_;              // that segment's
  bool name_in_doubt_ = false;         // a sync of its name failed
  Sequence saved_through_;             // durable() in the newest lane states on disk
  WriteCounts counts_;
  std::vector<LaneRun> run_lanes_;  // by lane, of the run at hand

  base::Mutex repairs_mutex_;
  std::vector<Repair> found_repairs_ RAILHEAD_GUARDED_BY(repairs_mutex_);  // by readers
  std::vector<std::string> condemned_ RAILHEAD_GUARDED_BY(repairs_mutex_);

  base::Mutex subscribers_mutex_;
  std::vector<const system::EventFd*> subscribers_ RAILHEAD_GUARDED_BY(subscribers_mutex_);

  std::thread committer_;
};

}  // namespace railhead::spool
