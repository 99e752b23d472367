#include "gateway/flow/pipeline.h"

#include <algorithm>
#include <map>

#include "gateway/base/assert.h"
#include "gateway/system/thread.h"

namespace railhead::flow {

using ports::SpoolId;

Pipeline::Pipeline(const system::Clock& clock, PipelineOptions options, status::Reporter& reporter)
    : clock_(clock), options_(std::move(options)), reporter_(reporter) {}

Result<std::unique_ptr<Pipeline>> Pipeline::open(system::Disk& disk, const system::Clock& clock,
                                                 PipelineOptions options, status::Reporter& reporter) {
  std::unique_ptr<Pipeline> pipeline(new Pipeline(clock, std::move(options), reporter));
  const PipelineOptions& wanted = pipeline->options_;
  spool::SpoolOptions telemetry = wanted.telemetry;
  telemetry.name = ports::name_of(SpoolId::telemetry);
  telemetry.path = wanted.directory + "/" + telemetry.name;
  spool::SpoolOptions alarms = telemetry;
  alarms.name = ports::name_of(SpoolId::alarms);
  alarms.path = wanted.directory + "/" + alarms.name;
  alarms.limit = wanted.alarms_limit;
  alarms.when_full = spool::SpoolOptions::WhenFull::drop_oldest;
  alarms.tail_bytes = 256 * 1024;
  spool::SpoolOptions dead = alarms;
  dead.name = ports::name_of(SpoolId::dead);
  dead.path = wanted.directory + "/" + dead.name;
  dead.limit = wanted.dead_limit;

  Stores::All spools;
  for (const auto& [id, spool_options] : {std::pair{SpoolId::telemetry, &telemetry},
                                          std::pair{SpoolId::alarms, &alarms}, std::pair{SpoolId::dead, &dead}}) {
    Result<std::unique_ptr<spool::Spool>> opened = spool::Spool::open(disk, clock, *spool_options, reporter);
    if (!opened) return fail(opened.error().in("spool " + spool_options->path));
    spools[static_cast<std::size_t>(id)] = std::move(*opened);
  }
  pipeline->stores_ = std::make_unique<Stores>(std::move(spools));
  pipeline->dead_letters_ = std::make_unique<DeadLetters>(
      *pipeline->stores_, DeadLetters::Options{wanted.gateway, wanted.dead_sink, wanted.dead_topic}, reporter);
  pipeline->open_state_ = std::make_unique<OpenState>(*pipeline->stores_, clock);
  pipeline->started_ = std::make_unique<StartedRecords>(*pipeline->stores_);
  if (Result<void> recovered = pipeline->started_->recover(); !recovered) return fail(recovered.error());
  pipeline->counts_.restore(pipeline->stores_->of(SpoolId::telemetry).note());
  if (Result<void> recovered = pipeline->open_state_->recover(pipeline->deliveries_); !recovered) {
    return fail(recovered.error());
  }
  pipeline->notes_ = std::make_unique<SourceNotes>(*pipeline->stores_, *pipeline->open_state_);
  if (Result<void> recovered = pipeline->notes_->recover(); !recovered) return fail(recovered.error());
  return pipeline;
}

Pipeline::~Pipeline() { stop(Duration::zero()); }

void Pipeline::add_source(std::string name, std::unique_ptr<ports::Source> source,
                          std::unique_ptr<ports::RuleState> rules) {
  auto ingest = std::make_unique<Ingest>(name,
                                         Ingest::Shared{options_.gateway, *stores_, *dead_letters_, deliveries_,
                                                        *open_state_, *notes_, counts_, clock_, reporter_},
                                         std::move(rules));
  std::unique_ptr<SourceSeat> seat(new SourceSeat{std::move(name), std::move(ingest), std::move(source), {}});
  if (running_) start(*seat);
  const base::MutexLock lock(mutex_);
  sources_.push_back(std::move(seat));
}

void Pipeline::add_sink(std::string name, std::unique_ptr<ports::Sink> sink) {
  auto lane = std::make_unique<Lane>(name, Lane::Shared{options_.gateway, *stores_, *dead_letters_, *started_, clock_});
  std::unique_ptr<SinkSeat> seat(new SinkSeat{std::move(name), std::move(lane), std::move(sink), {}});
  if (running_) start(*seat);
  const base::MutexLock lock(mutex_);
  sinks_.push_back(std::move(seat));
}

template <class Seat>
Seat& Pipeline::seat_of(std::vector<std::unique_ptr<Seat>>& seats, std::string_view name) {
  const auto found = std::find_if(seats.begin(), seats.end(), [&](const auto& seat) { return seat->name == name; });
  RAILHEAD_ASSERT(found != seats.end());
  return **found;
}

void Pipeline::start(SourceSeat& seat) {
  seat.thread = system::start_thread(
      "s:" + seat.name,
      [&source = *seat.source, &ingest = *seat.ingest](std::stop_token stop) { source.run(ingest, std::move(stop)); });
}

void Pipeline::start(SinkSeat& seat) {
  seat.thread = system::start_thread("k:" + seat.name, [&sink = *seat.sink, &lane = *seat.lane](std::stop_token stop) {
    sink.run(lane, std::move(stop));
  });
}

void Pipeline::stop_sources(std::span<const std::string> names) {
  for (const std::string& name : names) seat_of(sources_, name).thread.request_stop();
  for (const std::string& name : names) {
    SourceSeat& seat = seat_of(sources_, name);
    if (seat.thread.joinable()) seat.thread.join();
  }
}

void Pipeline::end_source(std::string_view name) {
  SourceSeat& seat = seat_of(sources_, name);
  seat.thread = {};
  seat.source.reset();
}

void Pipeline::end_sink(std::string_view name) {
  SinkSeat& seat = seat_of(sinks_, name);
  seat.thread = {};
  seat.sink.reset();
}

void Pipeline::replace_source(std::string_view name, std::unique_ptr<ports::Source> source) {
  SourceSeat& seat = seat_of(sources_, name);
  end_source(name);
  seat.source = std::move(source);
  start(seat);
}

void Pipeline::replace_sink(std::string_view name, std::unique_ptr<ports::Sink> sink) {
  SinkSeat& seat = seat_of(sinks_, name);
  end_sink(name);
  seat.sink = std::move(sink);
  seat.lane->begin_again();
  start(seat);
}

void Pipeline::remove_source(std::string_view name) {
  SourceSeat& seat = seat_of(sources_, name);
  seat.thread = {};
  if (const Result<void> ended = seat.ingest->end(); !ended) {
    reporter_.report(status::Event::rule_debts_lost, {{"source", seat.name}, {"error", ended.error().what}});
  }
  const base::MutexLock lock(mutex_);
  std::erase_if(sources_, [&](const auto& other) { return other.get() == &seat; });
}

void Pipeline::remove_sink(std::string_view name) {
  SinkSeat& seat = seat_of(sinks_, name);
  seat.thread = {};
  {
    const base::MutexLock lock(mutex_);
    std::erase_if(sinks_, [&](const auto& other) { return other.get() == &seat; });
  }
  report_orphans();
}

void Pipeline::set_router(const std::shared_ptr<const ports::Router>& router) {
  for (const auto& seat : sources_) seat->ingest->set_router(router);
}

void Pipeline::start() {
  running_ = true;
  report_orphans();
  if (const std::size_t dropped = open_state_->drop_unclaimed(); dropped > 0) {
    reporter_.report(status::Event::rule_state_dropped, {{"entries", std::to_string(dropped)}});
  }
  // Sinks first: what is left from before leaves while the field still connects.
  for (const auto& seat : sinks_) start(*seat);
  for (const auto& seat : sources_) start(*seat);
}

void Pipeline::stop(Duration drain) {
  if (!running_) return;
  running_ = false;
  for (const auto& seat : sources_) seat->thread.request_stop();
  for (const auto& seat : sources_) {
    if (seat->thread.joinable()) seat->thread.join();
    // What a reload of this moment owes. What a spool refuses stays with the rules' state.
    [[maybe_unused]] const Result<ports::Ticket> owed = seat->ingest->offer({});
  }
  stores_->of(SpoolId::telemetry).set_note(counts_.note());
  for (const SpoolId id : ports::kAllSpools) {
    // A disk that fails now has been reported; what it did not take was not acknowledged.
    [[maybe_unused]] const Result<void> flushed = stores_->of(id).flush(std::chrono::seconds{5});
  }
  const BootTime until = clock_.boot_now() + drain;
  while (clock_.boot_now() < until) {
    const std::vector<LaneView> views = lanes();
    const bool drained =
        std::all_of(views.begin(), views.end(), [](const LaneView& view) { return view.orphan || view.owed() == 0; });
    if (drained) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  for (const auto& seat : sinks_) seat->thread.request_stop();
  for (const auto& seat : sinks_) {
    if (seat->thread.joinable()) seat->thread.join();
  }
  tick();
}

void Pipeline::tick() {
  stores_->of(SpoolId::telemetry).set_note(counts_.note());
  open_state_->tick();
  const base::MutexLock lock(mutex_);
  for (const auto& seat : sinks_) seat->lane->finish_set_aside();
}

std::vector<Pipeline::LaneView> Pipeline::lanes() const {
  std::map<std::string, LaneView> views;
  const auto collect = [&](SpoolId id, LaneView::Part LaneView::*part) {
    for (const spool::LaneInfo& info : stores_->of(id).lanes()) {
      if (info.name == kStateLane) continue;
      views[info.name].*part = {.ledger = info.ledger, .backlog_bytes = info.backlog_bytes, .oldest = info.oldest};
    }
  };
  collect(SpoolId::telemetry, &LaneView::telemetry);
  collect(SpoolId::alarms, &LaneView::alarms);
  std::vector<LaneView> result;
  const base::MutexLock lock(mutex_);
  for (auto& [name, view] : views) {
    view.name = name;
    view.orphan = std::none_of(sinks_.begin(), sinks_.end(),
                               [&view = view](const auto& seat) { return seat->name == view.name; });
    if (view.orphan && view.owed() == 0) continue;
    result.push_back(view);
  }
  return result;
}

void Pipeline::report_orphans() {
  for (const LaneView& view : lanes()) {
    if (!view.orphan) continue;
    reporter_.report(status::Event::lane_orphaned, {{"lane", view.name}, {"records", std::to_string(view.owed())}});
  }
}

}  // namespace railhead::flow
