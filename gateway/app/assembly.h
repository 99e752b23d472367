// Assembly: the live gateway made from a configuration: all wiring, readable on one screen. Members stand in floor
// order; destruction runs backwards. Threads: made, started and stopped by main's thread; snapshot() is called by the
// status and the control thread.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/panel/control_socket.h"
#include "adapters/panel/led.h"
#include "adapters/panel/status_thread.h"
#include "adapters/panel/systemd.h"
#include "gateway/app/configuration.h"
#include "gateway/base/mutex.h"
#include "gateway/flow/own_source.h"
#include "gateway/flow/pipeline.h"
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

  Assembly(const Configuration& configuration, const system::Clock& clock, status::Log& log, OnReload on_reload);
  ~Assembly();
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;

  // Opens the spools and the control socket, starts every thread, tells the service manager.
  [[nodiscard]] Result<void> start(const std::filesystem::path& control_socket);
  void stop(Duration drain);
  // A new configuration was refused, this one runs on: shown until the next.
  void refuse_configuration(std::string why);
  // Tells the service manager; the next assembly's start ends it.
  void reload_begins() { service_manager_.reloading(); }
  [[nodiscard]] status::Snapshot snapshot() const;

 private:
  // One source or sink and what it says of itself.
  struct Seat {
    std::string name;
    std::string kind;
    status::LinkStatus link;
  };
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
  void add_sources();
  void add_sinks();
  void add_lanes(status::Snapshot& snapshot) const;
  void add_spools(status::Snapshot& snapshot) const;

  const Configuration& configuration_;
  const system::Clock& clock_;
  status::Log& log_;
  const OnReload on_reload_;
  const BootTime started_;
  mutable base::Mutex mutex_;
  std::string refused_ RAILHEAD_GUARDED_BY(mutex_);
  std::unique_ptr<system::Disk> disk_;
  std::deque<Seat> sources_;
  std::deque<Seat> sinks_;
  std::unique_ptr<flow::OwnSource> own_source_;  // until the pipeline has it
  std::unique_ptr<flow::Pipeline> pipeline_;
  std::unique_ptr<Listening> listening_;
  panel::ServiceManager service_manager_;
  std::unique_ptr<panel::StatusLeds> leds_;
  std::unique_ptr<panel::ControlSocket> control_;
  std::unique_ptr<panel::StatusThread> status_thread_;
};

}  // namespace railhead::app
