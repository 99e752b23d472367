#include "gateway/app/assembly.h"

#include <algorithm>

#include "gateway/app/difference.h"
#include "gateway/app/pipeline_options.h"
#include "gateway/app/version.h"

namespace railhead::app {

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
  Seat& seat = sources_.put(config::kOwnSource, "gateway", clock_.boot_now());
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
  sources_.drop(config::kOwnSource);
}

std::unique_ptr<ports::Source> Assembly::make(const Configuration::NamedSource& source, Seat& seat) {
  return source.plan->make({source.name, gateway_, clock_, log_, seat.link, &commands_});
}

std::unique_ptr<ports::Sink> Assembly::make(const Configuration::NamedSink& sink, Seat& seat) {
  return sink.plan->make({sink.name, gateway_, clock_, log_, seat.link, &commands_});
}

void Assembly::add(const Configuration::NamedSource& source) {
  Seat& seat = sources_.put(source.name, source.kind, clock_.boot_now());
  pipeline_->add_source(source.name, make(source, seat), configuration_->router->open());
}

void Assembly::add(const Configuration::NamedSink& sink) {
  Seat& seat = sinks_.put(sink.name, sink.kind, clock_.boot_now());
  pipeline_->add_sink(sink.name, make(sink, seat));
}

Result<void> Assembly::start(const std::filesystem::path& control_socket) {
  set_rules(configuration_->router);
  set_sources(configuration_);
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
  spool_desk_ = std::make_unique<SpoolDesk>(*pipeline_, clock_, [this] { return today(); });
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
    if (control) {
      control_ = std::move(*control);
    } else {
      log_.report(status::Event::control_failed, {{"error", control.error().what}});
    }
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
  spool_desk_->close();
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
  set_sources(configuration_);
  const bool had_own = before->router->takes_from(config::kOwnSource);
  const bool has_own = configuration_->router->takes_from(config::kOwnSource);
  if (had_own && !has_own) remove_own_source();
  if (has_own && !had_own) {
    make_own_source();
    add_own_source();
  }
  remove_sources(sources.removed);
  for (const Configuration::NamedSource& source : configuration_->sources) {
    if (sources.is_added(source.name)) add(source);
    if (!sources.is_changed(source.name)) continue;
    // Made first: the seat it replaces is the old source's.
    pipeline_->end_source(source.name);
    pipeline_->replace_source(source.name, make(source, sources_.put(source.name, source.kind, clock_.boot_now())));
  }
  for (const Configuration::NamedSink& sink : configuration_->sinks) {
    if (!sinks.is_changed(sink.name)) continue;
    pipeline_->end_sink(sink.name);
    pipeline_->replace_sink(sink.name, make(sink, sinks_.put(sink.name, sink.kind, clock_.boot_now())));
  }
  for (const std::string& name : sinks.removed) {
    pipeline_->remove_sink(name);
    sinks_.drop(name);
  }
  {
    const base::MutexLock lock(mutex_);
    refused_.clear();
  }
  service_manager_.ready();
}

void Assembly::reload_begins(const Configuration& next) {
  service_manager_.reloading();
  const Difference sources = difference(configuration_->sources, next.sources);
  pipeline_->stop_sources(sources.removed);
  pipeline_->set_router(next.router);
  remove_sources(sources.removed);
  if (configuration_->router->takes_from(config::kOwnSource) && !next.router->takes_from(config::kOwnSource)) {
    remove_own_source();
  }
}

void Assembly::remove_sources(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    pipeline_->remove_source(name);
    sources_.drop(name);
  }
}

void Assembly::set_rules(std::shared_ptr<const ports::Router> rules) {
  const base::MutexLock lock(mutex_);
  rules_ = std::move(rules);
}

void Assembly::set_sources(std::shared_ptr<const Configuration> configured) {
  const base::MutexLock lock(mutex_);
  sources_configured_ = std::move(configured);
}

flow::Requeue::Today Assembly::today() const {
  const base::MutexLock lock(mutex_);
  return {rules_, read_again_by(sources_configured_)};
}

void Assembly::apply_rules(std::shared_ptr<const ports::Router> rules) {
  pipeline_->set_router(rules);
  set_rules(std::move(rules));
}

std::shared_ptr<const ports::Router> Assembly::todays_rules() const {
  const base::MutexLock lock(mutex_);
  return rules_;
}

}  // namespace railhead::app
