// Assembly: the live gateway made from a configuration: all wiring, readable on one screen. Members stand in floor
// order; destruction runs backwards. Threads: made, started, changed and stopped by main's thread; snapshot() is called
// by the status and the control thread.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/panel/control_socket.h"
#include "adapters/panel/http_page.h"
#include "adapters/panel/led.h"
#include "adapters/panel/status_thread.h"
#include "adapters/panel/systemd.h"
#include "gateway/app/configuration.h"
#include "gateway/app/seats.h"
#include "gateway/app/spool_desk.h"
#include "gateway/app/spool_watch.h"
#include "gateway/base/mutex.h"
#include "gateway/flow/own_source.h"
#include "gateway/flow/pipeline.h"
#include "gateway/ports/commands.h"
#include "gateway/status/log.h"
#include "gateway/status/snapshot.h"
#include "gateway/system/clock.h"
#include "gateway/system/disk.h"

namespace railhead::app {

class Assembly {
 public:
  // How long an orderly stop waits for the upstream to confirm what is there. The rest stays in the spool.
  static constexpr Duration kDrain = std::chrono::seconds{5};
  // Somebody asks over the control socket for a reload: an error is the answer to him. Called on the socket's thread.
  using OnReload = std::function<Result<void>()>;

  Assembly(std::shared_ptr<const Configuration> configuration, const system::Clock& clock, status::Log& log,
           OnReload on_reload);
  ~Assembly();
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;

  // Opens the spools and the control socket, starts every thread, tells the service manager.
  [[nodiscard]] Result<void> start(const std::filesystem::path& control_socket);
  void stop(Duration drain);
  // Applies the difference to `fresh` (S31): parts that did not change run on with their connections, rules that did
  // not change with what they remember. REQUIRES: can_apply(*fresh).
  void apply(std::shared_ptr<const Configuration> fresh);
  // Other rules over the same sources and sinks: a table was read anew. What rules remember stays (S31).
  void apply_rules(std::shared_ptr<const ports::Router> rules);
  // Those that run.
  [[nodiscard]] std::shared_ptr<const ports::Router> todays_rules() const RAILHEAD_EXCLUDES(mutex_);
  // False: spools or panel changed, so that all must be made anew.
  [[nodiscard]] bool can_apply(const Configuration& fresh) const;
  // A new configuration was refused, this one runs on: shown until the next. `why` is all that is wrong.
  void refuse_configuration(std::string why);
  // This assembly gives way to one of `next`, whose start() ends what the service manager is told here. What is owed
  // by rules and sources that are not in `next` is appended by stop().
  void reload_begins(const Configuration& next);
  [[nodiscard]] status::Snapshot snapshot() const;

 private:
  // Tells a source of the log's events, as long as it lives.
  class Listening {
   public:
    Listening(status::Log& log, status::EventListener& listener) : log_(log) { log_.listen(&listener); }
    ~Listening() { log_.listen(nullptr); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    status::Log& log_;
  };
  void make_own_source();
  void add_own_source();
  void remove_own_source();
  void add(const Configuration::NamedSource& source);
  void add(const Configuration::NamedSink& sink);
  void remove_sources(const std::vector<std::string>& names);
  [[nodiscard]] std::unique_ptr<ports::Source> make(const Configuration::NamedSource& source, Seat& seat);
  [[nodiscard]] std::unique_ptr<ports::Sink> make(const Configuration::NamedSink& sink, Seat& seat);
  // The parts of snapshot(), which stands with them in assembly_snapshot.cpp.
  void add_sources(status::Snapshot& snapshot, BootTime now) const;
  void add_lanes(status::Snapshot& snapshot) const;
  void add_spools(status::Snapshot& snapshot, BootTime now) const;
  void add_parts(status::Snapshot& snapshot, BootTime now) const;
  void add_events(status::Snapshot& snapshot) const;
  void watch_spools();
  void set_rules(std::shared_ptr<const ports::Router> rules) RAILHEAD_EXCLUDES(mutex_);
  void set_sources(std::shared_ptr<const Configuration> configured) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] flow::Requeue::Today today() const RAILHEAD_EXCLUDES(mutex_);

  std::shared_ptr<const Configuration> configuration_;
  const std::string gateway_;
  const system::Clock& clock_;
  status::Log& log_;
  const OnReload on_reload_;
  const BootTime started_;
  mutable base::Mutex mutex_;
  std::string refused_ RAILHEAD_GUARDED_BY(mutex_);
  std::shared_ptr<const ports::Router> rules_ RAILHEAD_GUARDED_BY(mutex_);
  std::shared_ptr<const Configuration> sources_configured_ RAILHEAD_GUARDED_BY(mutex_);
  std::unique_ptr<system::Disk> disk_;
  ports::CommandDesk commands_;
  Seats sources_;
  Seats sinks_;
  std::unique_ptr<flow::OwnSource> own_source_;  // until the pipeline has it
  std::unique_ptr<flow::Pipeline> pipeline_;
  std::unique_ptr<Listening> listening_;
  panel::ServiceManager service_manager_;
  std::unique_ptr<panel::StatusLeds> leds_;
  std::array<SpoolWatch, ports::kSpools> spool_watches_;
  std::unique_ptr<SpoolDesk> spool_desk_;
  std::unique_ptr<panel::ControlSocket> control_;
  std::unique_ptr<panel::HttpPage> page_;
  std::unique_ptr<panel::StatusThread> status_thread_;
};

}  // namespace railhead::app
