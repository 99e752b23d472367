#include "gateway/app/assembly.h"

#include <algorithm>
#include <filesystem>

#include "gateway/app/version.h"

namespace railhead::app {
namespace {

using ports::SpoolId;

constexpr Time kClockSet{std::chrono::hours{24 * 365 * 50}};  // about 2020

// S12: unless the configuration says otherwise, the smaller of 512 MiB and a tenth of the disk is left to others.
std::uint64_t keep_free(const config::SpoolSettings& settings) {
  if (settings.keep_free) return settings.keep_free->value();
  constexpr std::uint64_t most = std::uint64_t{512} << 20;
  std::error_code error;
  std::filesystem::path there = std::filesystem::absolute(settings.path, error);
  while (!there.empty() && there != there.root_path() && !std::filesystem::exists(there, error))
    there = there.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(there, error);
  return error ? most : std::min<std::uint64_t>(most, space.capacity / 10);
}

flow::PipelineOptions pipeline_options(const Configuration& configuration) {
  const config::GatewayOptions& options = configuration.options;
  flow::PipelineOptions result;
  result.gateway = options.gateway.value;
  result.directory = options.spool.path.string();
  result.telemetry.limit = options.spool.limit.value();
  result.telemetry.keep_free = keep_free(options.spool);
  result.telemetry.commit = options.spool.commit;
  result.telemetry.age = options.spool.age;
  result.telemetry.keep_delivered = options.spool.keep_delivered;
  result.telemetry.when_full = options.spool.when_full == config::WhenFull::block
                                   ? spool::SpoolOptions::WhenFull::block
                                   : spool::SpoolOptions::WhenFull::drop_oldest;
  result.alarms_limit = options.spool.alarm_limit.value();
  result.dead_limit = options.dead_letters.limit.value();
  if (options.dead_letters.to) result.dead_sink = options.dead_letters.to->value;
  result.dead_topic = configuration.dead_topic;
  return result;
}

// What became of the parts of one kind, by name (S31).
struct Difference {
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  [[nodiscard]] bool is_added(const std::string& name) const { return holds(added, name); }
  [[nodiscard]] bool is_changed(const std::string& name) const { return holds(changed, name); }

 private:
  static bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

template <class Part>
Difference difference(const std::vector<Part>& before, const std::vector<Part>& now) {
  const auto named = [](const std::vector<Part>& parts, const std::string& name) {
    return std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  };
  Difference difference;
  for (const Part& part : now) {
    const auto old = named(before, part.name);
    if (old == before.end()) {
      difference.added.push_back(part.name);
    } else if (old->fingerprint != part.fingerprint) {
      difference.changed.push_back(part.name);
    }
  }
  for (const Part& part : before) {
    if (named(now, part.name) == now.end()) difference.removed.push_back(part.name);
  }
  return difference;
}

}  // namespace

Assembly::Assembly(std::shared_ptr<const Configuration> configuration, const system::Clock& clock, status::Log& log,
                   OnReload on_reload)
    : configuration_(std::move(configuration)),
      gateway_(configuration_->options.gateway.value),
      clock_(clock),
      log_(log),
      on_reload_(std::move(on_reload)),
      started_(clock.boot_now()),
      disk_(system::posix_disk()) {}

Assembly::~Assembly() = default;

// S25: only where a rule asks for it. At the start before the spools are opened, so that what they report is seen.
void Assembly::make_own_source() {
  Seat& seat = put_seat(&Assembly::sources_, config::kOwnSource, "gateway");
  const config::OwnReadingsSettings& settings = configuration_->options.own_readings;
  own_source_ = std::make_unique<flow::OwnSource>(
      flow::OwnSource::Options{.gateway = gateway_,
                               .least = settings.events == config::EventLevel::info      ? status::Level::info
                                        : settings.events == config::EventLevel::warning ? status::Level::warning
                                                                                         : status::Level::error,
                               .counters = settings.counters,
                               .status_document = [this] { return status::to_json(snapshot()); }},
      clock_, log_, seat.link);
  listening_ = std::make_unique<Listening>(log_, *own_source_);
}

void Assembly::add_own_source() {
  pipeline_->add_source(std::string(config::kOwnSource), std::move(own_source_), configuration_->router->open());
}

void Assembly::remove_own_source() {
  listening_.reset();
  pipeline_->remove_source(config::kOwnSource);
  drop_seat(&Assembly::sources_, config::kOwnSource);
}

// A new place for the part's status, in the place of an old one. The old one must have ended.
Assembly::Seat& Assembly::put_seat(Seats Assembly::*which, std::string_view name, std::string_view kind) {
  auto seat = std::make_unique<Seat>();
  seat->name = name;
  seat->kind = kind;
  seat->since = clock_.boot_now();
  const base::MutexLock lock(mutex_);
  Seats& seats = this->*which;
  for (auto& old : seats) {
    if (old->name == name) return *(old = std::move(seat));
  }
  return *seats.emplace_back(std::move(seat));
}

void Assembly::drop_seat(Seats Assembly::*which, std::string_view name) {
  const base::MutexLock lock(mutex_);
  std::erase_if(this->*which, [&](const auto& seat) { return seat->name == name; });
}

std::unique_ptr<ports::Source> Assembly::make(const Configuration::NamedSource& source, Seat& seat) {
  return source.plan->make({source.name, gateway_, clock_, log_, seat.link, &commands_});
}

std::unique_ptr<ports::Sink> Assembly::make(const Configuration::NamedSink& sink, Seat& seat) {
  return sink.plan->make({sink.name, gateway_, clock_, log_, seat.link, &commands_});
}

void Assembly::add(const Configuration::NamedSource& source) {
  Seat& seat = put_seat(&Assembly::sources_, source.name, source.kind);
  pipeline_->add_source(source.name, make(source, seat), configuration_->router->open());
}

void Assembly::add(const Configuration::NamedSink& sink) {
  Seat& seat = put_seat(&Assembly::sinks_, sink.name, sink.kind);
  pipeline_->add_sink(sink.name, make(sink, seat));
}

Result<void> Assembly::start(const std::filesystem::path& control_socket) {
  set_rules(configuration_->router);
  if (configuration_->router->takes_from(config::kOwnSource)) make_own_source();
  Result<std::unique_ptr<flow::Pipeline>> opened =
      flow::Pipeline::open(*disk_, clock_, pipeline_options(*configuration_), log_);
  if (!opened) return fail(opened.error());
  pipeline_ = std::move(*opened);
  if (own_source_) add_own_source();
  for (const Configuration::NamedSource& source : configuration_->sources) add(source);
  for (const Configuration::NamedSink& sink : configuration_->sinks) add(sink);

  const config::LedSettings& led = configuration_->options.panel.led;
  if (led.kind == config::LedKind::sysfs) {
    leds_ = std::make_unique<panel::StatusLeds>(
        panel::LedOptions{.root = led.root,
                          .green = led.green,
                          .red = led.red,
                          .record = control_socket.empty() ? "" : control_socket.parent_path() / "leds"},
        log_);
  }
  spool_desk_ = std::make_unique<SpoolDesk>(*pipeline_, clock_, [this] { return todays_rules(); });
  if (!control_socket.empty()) {
    Result<std::unique_ptr<panel::ControlSocket>> control = panel::ControlSocket::open(
        control_socket,
        [this](std::string_view command, std::string_view line) -> Result<std::string> {
          if (command == "reload") {
            if (Result<void> accepted = on_reload_(); !accepted) return fail(accepted.error());
            return std::string("\"the new configuration is applied\"");
          }
          if (std::optional<Result<std::string>> answer = spool_desk_->answer(command, line)) return *answer;
          if (std::optional<std::string> answer = panel::answer_from(snapshot(), command)) return *answer;
          return fail(Errc::invalid, "there is no command '" + std::string(command) + "'");
        },
        clock_);
    if (!control) return fail(control.error());
    control_ = std::move(*control);
  }
  if (const auto& http = configuration_->options.panel.http) {
    Result<std::unique_ptr<panel::HttpPage>> page = panel::HttpPage::open(http->value, [this] { return snapshot(); });
    if (page) {
      page_ = std::move(*page);
    } else {
      log_.report(status::Event::page_failed, {{"error", page.error().what}});
    }
  }
  pipeline_->start();
  status_thread_ = std::make_unique<panel::StatusThread>(panel::StatusThread::Parts{
      .clock = clock_,
      .reporter = log_,
      .service_manager = service_manager_,
      .leds = leds_.get(),
      .take_snapshot = [this] { return snapshot(); },
      .every_second =
          [this] {
            pipeline_->tick();
            watch_spools();
            log_.tick();
          },
  });
  status_thread_->start();
  service_manager_.ready();
  log_.report(status::Event::started, {{"gateway", configuration_->options.gateway.value}, {"version", kVersion}});
  return {};
}

void Assembly::stop(Duration drain) {
  log_.report(status::Event::stopping, {});
  if (drain > Duration::zero()) service_manager_.stopping();
  status_thread_->stop();
  control_.reset();
  spool_desk_.reset();
  pipeline_->stop(drain);
  page_.reset();
  log_.report(status::Event::stopped, {});
}

void Assembly::refuse_configuration(std::string why) {
  log_.report(status::Event::config_refused, {{"why", why.substr(0, why.find('\n'))}, {"diagnostics", why}});
  const base::MutexLock lock(mutex_);
  refused_ = std::move(why);
}

bool Assembly::can_apply(const Configuration& fresh) const {
  return fresh.frame == configuration_->frame && fresh.dead_topic == configuration_->dead_topic;
}

void Assembly::apply(std::shared_ptr<const Configuration> fresh) {
  const std::shared_ptr<const Configuration> before = std::move(configuration_);
  configuration_ = std::move(fresh);
  const Difference sinks = difference(before->sinks, configuration_->sinks);
  const Difference sources = difference(before->sources, configuration_->sources);
  service_manager_.reloading();
  // The order: a lane is there before a rule sends to it, and no reading of a changed source meets the old rules.
  for (const Configuration::NamedSink& sink : configuration_->sinks) {
    if (sinks.is_added(sink.name)) add(sink);
  }
  std::vector<std::string> ending = sources.changed;
  ending.insert(ending.end(), sources.removed.begin(), sources.removed.end());
  pipeline_->stop_sources(ending);
  pipeline_->set_router(configuration_->router);
  set_rules(configuration_->router);
  const bool had_own = before->router->takes_from(config::kOwnSource);
  const bool has_own = configuration_->router->takes_from(config::kOwnSource);
  if (had_own && !has_own) remove_own_source();
  if (has_own && !had_own) {
    make_own_source();
    add_own_source();
  }
  for (const std::string& name : sources.removed) {
    pipeline_->remove_source(name);
    drop_seat(&Assembly::sources_, name);
  }
  for (const Configuration::NamedSource& source : configuration_->sources) {
    if (sources.is_added(source.name)) add(source);
    if (!sources.is_changed(source.name)) continue;
    // Made first: the seat it replaces is the old source's.
    pipeline_->end_source(source.name);
    pipeline_->replace_source(source.name, make(source, put_seat(&Assembly::sources_, source.name, source.kind)));
  }
  for (const Configuration::NamedSink& sink : configuration_->sinks) {
    if (!sinks.is_changed(sink.name)) continue;
    pipeline_->end_sink(sink.name);
    pipeline_->replace_sink(sink.name, make(sink, put_seat(&Assembly::sinks_, sink.name, sink.kind)));
  }
  for (const std::string& name : sinks.removed) {
    pipeline_->remove_sink(name);
    drop_seat(&Assembly::sinks_, name);
  }
  {
    const base::MutexLock lock(mutex_);
    refused_.clear();
  }
  service_manager_.ready();
}

status::Snapshot Assembly::snapshot() const {
  const BootTime now = clock_.boot_now();
  status::Snapshot snapshot;
  snapshot.gateway = gateway_;
  snapshot.version = kVersion;
  snapshot.now = clock_.now();
  snapshot.uptime = now - started_;
  snapshot.clock_trusted = clock_.trusted();
  const base::MutexLock lock(mutex_);
  snapshot.config_refused = !refused_.empty();
  snapshot.config_why = refused_.substr(0, refused_.find('\n'));
  snapshot.config_diagnostics = refused_;
  snapshot.led_failed = leds_ && leds_->failed();
  const std::map<std::string, status::ReadingLedger> readings = pipeline_->readings();
  for (const auto& [name, ledger] : readings) snapshot.readings += ledger;
  snapshot.unacknowledged = pipeline_->unacknowledged();
  for (const auto& seat : sources_) {
    status::SourceStatus source;
    source.name = seat->name;
    source.kind = seat->kind;
    source.state = seat->link.state();
    source.why = seat->link.why();
    source.devices_total = seat->link.devices_total();
    source.devices_down = seat->link.devices_down();
    source.busy_permille = seat->link.busy_permille();
    if (const auto found = readings.find(seat->name); found != readings.end()) source.readings = found->second.in;
    if (const std::optional<BootTime> latest = pipeline_->latest_reading(seat->name))
      source.last_reading = now - *latest;
    snapshot.sources.push_back(std::move(source));
  }
  add_lanes(snapshot);
  add_spools(snapshot);
  for (const Seats* seats : {&sources_, &sinks_}) {
    for (const auto& seat : *seats) {
      const BootTime last = seat->link.last_progress();
      // Before its first turn a part has had its time since its start.
      snapshot.parts.push_back({.name = seat->name, .since = std::max(now - std::max(last, seat->since), Duration{0})});
    }
  }
  for (std::size_t i = 0; i < status::kEvents.size(); ++i) {
    const std::uint64_t count = log_.count(static_cast<status::Event>(i));
    if (count > 0) snapshot.event_counts[std::string(status::kEvents[i].name)] = count;
  }
  snapshot.events = log_.recent();
  return snapshot;
}

void Assembly::add_lanes(status::Snapshot& snapshot) const {
  for (const flow::Pipeline::LaneView& view : pipeline_->lanes()) {
    for (const auto& [spool, ledger] : {std::pair{"telemetry", &view.telemetry}, std::pair{"alarms", &view.alarms}}) {
      if (view.name == flow::kDeadLane) continue;
      const bool used = ledger->carried_over + ledger->accepted > 0;
      if (!used && std::string_view(spool) == "alarms") continue;
      status::LaneStatus lane;
      lane.sink = view.name;
      lane.spool = spool;
      lane.orphaned = view.orphan;
      for (const auto& seat : sinks_) {
        if (seat->name != view.name) continue;
        lane.kind = seat->kind;
        lane.state = seat->link.state();
        lane.why = seat->link.why();
      }
      lane.ledger = *ledger;
      lane.backlog = ledger->spooled + ledger->held;
      const std::size_t at = std::string_view(spool) == "alarms" ? 1 : 0;
      lane.backlog_bytes = view.backlog_bytes[at];
      // A time from before the clock was set says nothing of an age (S20).
      const std::optional<Time> oldest = view.oldest[at];
      if (lane.backlog > 0 && oldest && kClockSet < *oldest) {
        lane.oldest_unsettled = std::max(Duration::zero(), snapshot.now - *oldest);
      }
      snapshot.lanes.push_back(std::move(lane));
    }
  }
}

void Assembly::set_rules(std::shared_ptr<const ports::Router> rules) {
  const base::MutexLock lock(mutex_);
  rules_ = std::move(rules);
}

void Assembly::apply_rules(std::shared_ptr<const ports::Router> rules) {
  pipeline_->set_router(rules);
  set_rules(std::move(rules));
}

std::shared_ptr<const ports::Router> Assembly::todays_rules() const {
  const base::MutexLock lock(mutex_);
  return rules_;
}

void Assembly::watch_spools() {
  const BootTime now = clock_.boot_now();
  for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms, SpoolId::dead}) {
    spool_watches_[static_cast<std::size_t>(id)].look(now, pipeline_->stores().of(id));
  }
}

void Assembly::add_spools(status::Snapshot& snapshot) const {
  for (const auto& [name, id] : {std::pair{"telemetry", SpoolId::telemetry}, std::pair{"alarms", SpoolId::alarms},
                                 std::pair{"dead", SpoolId::dead}}) {
    const spool::Spool& spool = pipeline_->stores().of(id);
    const spool::Usage usage = spool.usage();
    std::uint64_t dropped = 0;
    std::uint64_t damaged = 0;
    for (const spool::LaneInfo& lane : spool.lanes()) {
      dropped += lane.ledger.dropped;
      damaged += lane.ledger.damaged;
      if (id == SpoolId::dead && lane.name == flow::kDeadLane) snapshot.dead_letters.count = lane.ledger.spooled;
    }
    if (id == SpoolId::dead) {
      snapshot.dead_letters.bytes = usage.bytes;
      snapshot.dead_letters.limit_bytes = usage.limit;
    }
    status::SpoolStatus status;
    status.name = name;
    status.used_bytes = usage.bytes;
    status.limit_bytes = usage.limit;
    status.failing = usage.failing;
    status.blocking = usage.full;
    status.why = usage.why;
    status.dropped = dropped;
    status.damaged = damaged;
    status.bytes_written = usage.bytes_written;
    status.payload_bytes = usage.payload_bytes;
    status.syncs = usage.syncs;
    status.compactions = usage.compactions;
    spool_watches_[static_cast<std::size_t>(id)].tell(clock_.boot_now(), status);
    snapshot.spools.push_back(std::move(status));
  }
}

}  // namespace railhead::app
