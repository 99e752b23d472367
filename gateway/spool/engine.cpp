// The engine's life: opening and the committer's loop.
#include "gateway/spool/engine.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "gateway/base/assert.h"
#include "gateway/system/thread.h"

namespace railhead::spool {
namespace {

constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{8} * 1024 * 1024;
constexpr std::uint64_t kSegmentBytesMin = std::uint64_t{64} * 1024;
constexpr std::uint64_t kSegmentShare = 16;  // of the limit
constexpr std::uint64_t kLimitMin = std::uint64_t{1024} * 1024;
// A timed wait never lasts longer, so that a clock that is moved by hand is seen.
constexpr Duration kWaitMax = std::chrono::milliseconds{100};
constexpr Duration kRest = std::chrono::seconds{1};
constexpr std::size_t kIdleBufferBytes = 64 * 1024;

SpoolOptions bounded(SpoolOptions options) {
  options.limit = std::max(options.limit, kLimitMin);
  while (options.path.size() > 1 && options.path.back() == '/') options.path.pop_back();
  return options;
}

Epoch random_epoch() {
  std::random_device device;
  std::uint64_t value = 0;
  while (value == 0) value = std::uint64_t{device()} << 32 | device();
  return Epoch(value);
}

}  // namespace

Spool::Engine::Engine(system::Disk& disk, const system::Clock& clock, const SpoolOptions& options,
                      status::Reporter& reporter)
    : disk_(disk),
      clock_(clock),
      options_(bounded(options)),
      reporter_(reporter),
      segment_bytes_(std::clamp(options_.limit / kSegmentShare, kSegmentBytesMin, kSegmentBytesMax)),
      pending_bytes_max_(
          static_cast<std::size_t>(std::min<std::uint64_t>(options_.pending_bytes_max, options_.limit / 4))),
      group_bytes_max_(static_cast<std::size_t>(std::min<std::uint64_t>(options_.limit / 8, pending_bytes_max_))),
      pace_(options_.commit, std::min(options_.commit_bytes, pending_bytes_max_ / 2)),
      state_file_(disk_, options_.path) {}

Spool::Engine::~Engine() {
  if (!committer_.joinable()) return;
  {
    const base::MutexLock lock(append_mutex_);
    stop_ = true;
    committer_wakes_.notify_one();
  }
  committer_.join();
}

Result<void> Spool::Engine::open() {
  if (const Result<void> made = disk_.make_directories(options_.path); !made) return made;
  Result<std::unique_ptr<system::Disk::Lock>> lock = disk_.lock(path("lock"));
  if (!lock) {
    if (lock.error().code == Errc::unavailable) {
      return fail(Errc::unavailable, "spool " + options_.path + " is in use by another process");
    }
    return fail(lock.error());
  }
  lock_ = std::move(*lock);
  machine_ = machine_hash(system::machine_id());
  boot_ = parse_boot_id(system::boot_id());
  Result<Recovered> recovered = recover(disk_, {options_.path, machine_, boot_, random_epoch()});
  if (!recovered) return fail(recovered.error());
  adopt(std::move(*recovered));
  update_room();
  static_cast<void>(work(false, false));
  committer_ = std::thread([this] {
    system::name_this_thread("spool-" + options_.name);
    system::take_short_turns();
    run();
  });
  return {};
}

void Spool::Engine::adopt(Recovered recovered) {
  epoch_ = recovered.epoch;
  earlier_ = std::move(recovered.earlier);
  fresh_ = recovered.fresh;
  next_segment_ = recovered.next_segment;
  state_must_be_saved_ = recovered.state_changed || !recovered.repairs.empty();
  repairs_ = std::move(recovered.repairs);
  saved_through_ = recovered.durable;
  std::uint64_t records = 0;
  {
    const base::MutexLock lock(append_mutex_);
    next_ = recovered.durable.value() + 1;
    next_shown_.store(next_);
  }
  {
    const base::MutexLock lock(shelf_.mutex);
    shelf_.segments = std::move(recovered.segments);
    shelf_.note = std::move(recovered.note);
    shelf_.durable.store(recovered.durable.value());
    for (std::size_t i = 0; i < recovered.lanes.size(); ++i) {
      shelf_.lane_by_name.emplace(recovered.lanes[i], LaneId(static_cast<std::uint32_t>(i)));
      records += recovered.ledgers[i].spooled;
      shelf_.lanes.push_back({recovered.lanes[i], recovered.ledgers[i], std::make_shared<LaneReader>()});
    }
    lanes_known_.store(static_cast<std::uint32_t>(shelf_.lanes.size()));
  }
  if (recovered.damaged_records > 0 || recovered.damaged_bytes > 0) {
    reporter_.report(status::Event::spool_damaged,
                     {{"spool", options_.name},
                      {"records", std::to_string(recovered.damaged_records)},
                      {"bytes", std::to_string(recovered.damaged_bytes)},
                      {"what", recovered.complaints.empty() ? "" : recovered.complaints[0]}});
  }
  if (recovered.cut_bytes > 0) {
    reporter_.report(status::Event::spool_tail_cut,
                     {{"spool", options_.name}, {"bytes", std::to_string(recovered.cut_bytes)}});
  }
  if (!recovered.new_epoch_why.empty()) {
    reporter_.report(status::Event::spool_epoch_begun, {{"spool", options_.name}, {"why", recovered.new_epoch_why}});
  }
  reporter_.report(status::Event::spool_opened, {{"spool", options_.name},
                                                 {"path", options_.path},
                                                 {"records", std::to_string(records)},
                                                 {"next", std::to_string(recovered.durable.value() + 1)}});
}

void Spool::Engine::run() {
  for (;;) {
    bool save = false;
    bool stop = false;
    bool room = false;
    std::uint64_t flushing = 0;
    {
      const base::MutexLock lock(append_mutex_);
      bool rested = false;
      for (;;) {
        const std::optional<Duration> wait = time_until_work(clock_.boot_now());
        if (wait && *wait <= Duration{0}) break;
        if (wait) {
          committer_wakes_.wait_for(append_mutex_, std::min(*wait, kWaitMax));
          continue;
        }
        if (rested) give_back_memory();
        if (has_time_bounds() || keeps_memory()) {
          rested = !committer_wakes_.wait_for(append_mutex_, kRest);
        } else {
          committer_wakes_.wait(append_mutex_);
        }
        if (has_time_bounds() && look_at_ages_at_ <= clock_.boot_now()) break;
      }
      const BootTime now = clock_.boot_now();
      if (batch_.empty()) {
        batch_.frames.clear();
        batch_.done = 0;
        std::swap(batch_.frames, pending_);
        in_flight_.store(batch_.frames.size(), std::memory_order_release);
        if (!batch_.empty()) pace_.committed(now);
      }
      stop = stop_;
      room = std::exchange(look_for_room_, false);
      flushing = flush_wanted_;
      save = stop || flushing > std::max(flush_done_, flush_failed_) ||
             (dirty_since_ && (room || now - *dirty_since_ >= options_.state_interval));
    }
    const bool unsaved = dirty_.load() || saved_through_ < durable() || !batch_.empty();
    const bool done = work(save && (unsaved || dirty_.load()), room);
    if (room) update_room();
    if (has_time_bounds() && look_at_ages_at_ <= clock_.boot_now()) look_at_ages();
    bool again = false;
    {
      const base::MutexLock lock(append_mutex_);
      if (flushing > std::max(flush_done_, flush_failed_)) {
        (done ? flush_done_ : flush_failed_) = flushing;
        flushed_.notify_all();
      }
      again = stop && done && pending_.size() > 0;
    }
    if (stop && !again) break;
  }
  job_.reset();
  if (active_ != nullptr) static_cast<void>(active_->seal());
  active_.reset();
  static_cast<void>(remove_spares(0));  // the next start would: an orderly stop leaves nothing to mend
}

// The memory of a burst goes when nothing came for kRest. Between two commits it stays: the page faults and the growing
// anew of the append buffer would cost the next batch more than its append.
bool Spool::Engine::keeps_memory() const {
  return pending_.capacity() > kIdleBufferBytes || batch_.frames.capacity() > kIdleBufferBytes ||
         !idle_buffers_.empty();
}

void Spool::Engine::give_back_memory() {
  if (pending_.capacity() > kIdleBufferBytes) pending_ = FrameBuffer();
  if (batch_.frames.capacity() > kIdleBufferBytes) batch_.frames = FrameBuffer();
  idle_buffers_.clear();
}

std::optional<Duration> Spool::Engine::time_until_work(BootTime now) {
  if (stop_ || look_for_room_ || flush_wanted_ > std::max(flush_done_, flush_failed_)) return Duration{0};
  if (failing_) return std::max(Duration{0}, retry_at_ - now);
  std::optional<Duration> wait;
  if (pending_.size() > 0) wait = pace_.wait(now, pending_.size());
  if (dirty_since_) {
    const Duration until = std::max(Duration{0}, *dirty_since_ + options_.state_interval - now);
    wait = wait ? std::min(*wait, until) : until;
  }
  return wait;
}

void Spool::Engine::failed(const Error& error) {
  bool first = false;
  {
    const base::MutexLock lock(append_mutex_);
    first = !failing_;
    failing_ = true;
    why_ = error.what;
    retry_at_ = clock_.boot_now() + options_.retry_interval;
  }
  if (first) reporter_.report(status::Event::disk_failed, {{"spool", options_.name}, {"error", error.what}});
}

void Spool::Engine::recovered() {
  bool was = false;
  {
    const base::MutexLock lock(append_mutex_);
    was = std::exchange(failing_, false);
    why_.clear();
  }
  if (was) reporter_.report(status::Event::disk_recovered, {{"spool", options_.name}});
}

void Spool::Engine::subscribe(const system::EventFd* event) {
  const base::MutexLock lock(subscribers_mutex_);
  subscribers_.push_back(event);
}

void Spool::Engine::unsubscribe(const system::EventFd* event) {
  const base::MutexLock lock(subscribers_mutex_);
  std::erase(subscribers_, event);
}

Result<void> Spool::Engine::flush(Duration at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  const base::MutexLock lock(append_mutex_);
  const std::uint64_t mine = ++flush_wanted_;
  committer_wakes_.notify_one();
  while (flush_done_ < mine && flush_failed_ < mine) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return fail(Errc::timeout, "spool '" + options_.name + "' was not flushed in time");
    flushed_.wait_for(append_mutex_, left);
  }
  if (flush_done_ < mine) return fail(Errc::io, why_.empty() ? "the disk does not take writes" : why_);
  return {};
}

}  // namespace railhead::spool
