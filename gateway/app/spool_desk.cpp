#include "gateway/app/spool_desk.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/flow/requeue.h"
#include "gateway/message/json.h"
#include "gateway/status/json_writer.h"
#include "gateway/system/thread.h"

namespace railhead::app {
namespace {

using ports::SpoolId;

constexpr Duration kSaveMost = std::chrono::seconds{10};

std::string text_of(const Value& request, std::string_view name) {
  const Value* found = request.find(name);
  return found != nullptr && found->is(Kind::string) ? std::string(found->as_text()) : std::string();
}

bool flag_of(const Value& request, std::string_view name) {
  const Value* found = request.find(name);
  return found != nullptr && *found == Value::boolean(true);
}

Result<std::optional<Sequence>> sequence_of(const Value& request, std::string_view name) {
  const std::string text = text_of(request, name);
  if (text.empty()) return std::optional<Sequence>();
  const std::optional<std::uint64_t> number = base::parse_uint(text);
  if (!number) return fail(Errc::invalid, "'" + text + "' is no sequence");
  return std::optional<Sequence>(Sequence(*number));
}

Result<std::optional<Time>> time_of(const Value& request, std::string_view name) {
  const std::string text = text_of(request, name);
  if (text.empty()) return std::optional<Time>();
  const std::optional<Time> time = parse_rfc3339(text);
  if (!time) return fail(Errc::invalid, "'" + text + "' is no time like 2026-01-31T12:00:00Z");
  return time;
}

}  // namespace

Result<flow::ReplayOptions> replay_options(const Value& request) {
  flow::ReplayOptions options;
  options.lane = text_of(request, "lane");
  options.to = text_of(request, "to");
  if (options.lane.empty()) return fail(Errc::invalid, "which lane? Name the sink");
  const auto from = sequence_of(request, "from");
  const auto through = sequence_of(request, "through");
  const auto since = time_of(request, "since");
  const auto until = time_of(request, "until");
  if (!from) return fail(from.error());
  if (!through) return fail(through.error());
  if (!since) return fail(since.error());
  if (!until) return fail(until.error());
  options.from = *from;
  options.through = *through;
  options.since = *since;
  options.until = *until;
  return options;
}

SpoolDesk::SpoolDesk(flow::Pipeline& pipeline, const system::Clock& clock, Today today)
    : pipeline_(pipeline), clock_(clock), today_(std::move(today)) {}

SpoolDesk::~SpoolDesk() = default;

std::optional<Result<std::string>> SpoolDesk::answer(std::string_view command, std::string_view line) {
  if (command == "replay_state") return replay_state();
  const bool known =
      command == "spool_replay" || command == "spool_drop" || command == "dead_requeue" || command == "dead_drop";
  if (!known) return std::nullopt;
  const Result<Value> request = JsonParser().parse(line);
  if (!request) return Result<std::string>(fail(request.error()));
  if (command == "spool_replay") return begin_replay(*request);
  if (command == "spool_drop") return drop(*request);
  return letters(*request, command == "dead_requeue");
}

Result<std::string> SpoolDesk::begin_replay(const Value& request) {
  const Result<flow::ReplayOptions> options = replay_options(request);
  if (!options) return fail(options.error());
  spool::Spool& spool = pipeline_.stores().of(flag_of(request, "alarms") ? SpoolId::alarms : SpoolId::telemetry);
  if (!flow::has_lane(spool, options->lane)) {
    return fail(Errc::invalid, "there is no lane '" + options->lane + "' in this spool");
  }
  {
    const base::MutexLock lock(mutex_);
    if (state_.running) return fail(Errc::unavailable, "a replay is running");
    state_ = State{.running = true, .appended = 0, .percent = 0, .error = {}};
  }
  replay_ = {};
  replay_ = system::start_thread("replay", [this, &spool, options = *options](const std::stop_token& stop) {
    const Result<std::uint64_t> done = flow::replay(
        spool, options,
        [this](std::uint64_t appended, unsigned percent) {
          const base::MutexLock lock(mutex_);
          state_.appended = appended;
          state_.percent = percent;
        },
        stop);
    const base::MutexLock lock(mutex_);
    state_.running = false;
    if (done) {
      state_.appended = *done;
    } else {
      state_.error = done.error().what;
    }
  });
  return replay_state();
}

std::string SpoolDesk::replay_state() const {
  const base::MutexLock lock(mutex_);
  status::JsonWriter json;
  json.begin_object();
  json.field("running", state_.running);
  json.field("appended", state_.appended);
  json.field("percent", state_.percent);
  json.field("error", state_.error);
  json.end_object();
  return json.take();
}

Result<std::string> SpoolDesk::drop(const Value& request) {
  const std::string lane = text_of(request, "lane");
  const std::vector<flow::Pipeline::LaneView> lanes = pipeline_.lanes();
  const auto view = std::find_if(lanes.begin(), lanes.end(), [&](const auto& one) { return one.name == lane; });
  if (view != lanes.end() && !view->orphan) {
    return fail(Errc::refused, "lane '" + lane + "' belongs to a sink that is configured: remove the sink first");
  }
  std::uint64_t dropped = 0;
  bool known = false;
  for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms}) {
    spool::Spool& spool = pipeline_.stores().of(id);
    if (lane.starts_with('@') || !flow::has_lane(spool, lane)) continue;
    known = true;
    const Result<std::uint64_t> some = flow::drop_lane(spool, lane);
    if (!some) return fail(some.error());
    dropped += *some;
  }
  if (!known) return fail(Errc::invalid, "there is no lane '" + lane + "'");
  return "{\"dropped\":" + std::to_string(dropped) + "}";
}

Result<std::string> SpoolDesk::letters(const Value& request, bool requeue) {
  flow::Requeue desk(pipeline_.stores(), today_(), clock_);
  std::vector<Sequence> wanted;
  if (flag_of(request, "all")) {
    wanted = desk.letters();
  } else if (const Value* list = request.find("letters"); list != nullptr && list->is(Kind::list)) {
    for (const Value& one : list->as_list()) {
      const std::optional<std::uint64_t> number =
          one.is(Kind::string) ? base::parse_uint(one.as_text()) : std::optional<std::uint64_t>();
      if (!number) return fail(Errc::invalid, "a letter is named by its sequence");
      wanted.push_back(Sequence(*number));
    }
  }
  const auto closing = [&] { return closing_.load(); };
  const flow::Requeue::Done done =
      requeue ? desk.requeue(std::move(wanted), closing) : desk.drop(std::move(wanted), closing);
  std::string errors;
  for (const std::string& error : done.errors) {
    if (!errors.empty()) errors += ',';
    status::append_json_text(error, errors);
  }
  // So that a list read from the disk right now says the same.
  if (const Result<void> saved = pipeline_.stores().of(SpoolId::dead).flush(kSaveMost); !saved) {
    return fail(saved.error());
  }
  return "{\"done\":" + std::to_string(done.letters) + ",\"records\":" + std::to_string(done.records) +
         ",\"errors\":[" + errors + "]}";
}

}  // namespace railhead::app
