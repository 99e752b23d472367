#include "gateway/flow/replay.h"

#include <algorithm>
#include <stop_token>
#include <thread>

#include "gateway/message/record.h"

namespace railhead::flow {
namespace {

constexpr std::uint64_t kProgressEvery = 1'000;  // records
constexpr auto kFullWait = std::chrono::milliseconds{10};
constexpr auto kFullMost = std::chrono::seconds{30};
constexpr Duration kFlushMost = std::chrono::seconds{30};

bool wanted(const ReplayOptions& options, const spool::Frame& frame) {
  if (options.from && frame.sequence < *options.from) return false;
  if (options.through && *options.through < frame.sequence) return false;
  if (options.since && frame.appended < *options.since) return false;
  return !options.until || frame.appended <= *options.until;
}

// A full spool is waited for: the disk may just be slower than we are.
Result<void> append(spool::Spool& spool, const spool::Entry& entry, const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + kFullMost;
  for (;;) {
    const Result<Sequence> last = spool.append({&entry, 1});
    if (last) return {};
    if (last.error().code != Errc::full && last.error().code != Errc::io) return fail(last.error());
    if (stop.stop_requested()) return fail(Errc::stopped, "stopped");
    if (std::chrono::steady_clock::now() > deadline) return fail(Errc::timeout, last.error().what);
    std::this_thread::sleep_for(kFullWait);
  }
}

std::optional<spool::LaneId> find_lane(const spool::Spool& spool, std::string_view name) {
  for (const spool::LaneInfo& info : spool.lanes()) {
    if (info.name == name) return info.id;
  }
  return std::nullopt;
}

Error no_lane(std::string_view name) { return {Errc::invalid, "there is no lane '" + std::string(name) + "'"}; }

}  // namespace

bool has_lane(const spool::Spool& spool, std::string_view lane) { return find_lane(spool, lane).has_value(); }

Result<std::uint64_t> replay(spool::Spool& spool, const ReplayOptions& options, const ReplayProgress& progress,
                             const std::stop_token& stop) {
  const std::optional<spool::LaneId> from = find_lane(spool, options.lane);
  if (!from) return fail(no_lane(options.lane));
  const bool same = options.to.empty() || options.to == options.lane;
  const std::string& to_name = same ? options.lane : options.to;
  const spool::LaneId to = spool.lane(to_name);
  const spool::Usage usage = spool.usage();
  const Sequence end = usage.durable;  // not what we append ourselves
  const Sequence begin = std::max(options.from.value_or(Sequence(1)), usage.first);
  const std::uint64_t span = std::max<std::uint64_t>(1, end.value() - std::min(begin, end).value());
  std::uint64_t appended = 0;
  std::uint64_t looked = 0;
  Result<void> result;
  std::stop_source enough;
  const auto visit = [&](const spool::Frame& frame) {
    if (stop.stop_requested()) result = fail(Errc::stopped, "stopped");
    if (!result || end < frame.sequence) {
      enough.request_stop();
      return;
    }
    if (++looked % kProgressEvery == 0 && progress) {
      progress(appended, static_cast<unsigned>(100 * (frame.sequence.value() - begin.value()) / span));
    }
    if (frame.lane != *from || frame.internal || !wanted(options, frame) || (same && !frame.settled)) return;
    Result<Record> record = decode_record(frame.payload);
    if (!record) return;  // not ours to judge: `verify` and the lane do
    record->sink = to_name;
    if (record->identity.empty()) record->identity = identity_of("", frame.epoch, frame.sequence);
    record->token.reset();  // it is no delivery of the field any more
    std::string payload;
    encode(*record, payload);
    result = append(spool, {.lane = to, .klass = frame.klass, .payload = payload}, stop);
    if (result) ++appended;
  };
  if (const Result<void> read = spool.for_each(begin, visit, enough.get_token()); !read) return fail(read.error());
  if (!result) return fail(result.error());
  if (const Result<void> flushed = spool.flush(kFlushMost); !flushed) return fail(flushed.error());
  if (progress) progress(appended, 100);
  return appended;
}

Result<std::uint64_t> drop_lane(spool::Spool& spool, std::string_view lane) {
  Result<std::uint64_t> dropped = spool.drop_lane(lane);
  if (!dropped) return dropped;
  if (const Result<void> flushed = spool.flush(kFlushMost); !flushed) return fail(flushed.error());
  return dropped;
}

}  // namespace railhead::flow
