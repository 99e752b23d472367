#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "gateway/app/assembly.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/configuration.h"
#include "gateway/app/reload_desk.h"

namespace railhead::app {
namespace {

// Signals arrive at sigwait() in main's thread and nowhere else. Before the first thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

// What cannot change while the spools stay open (S31). Empty: nothing of it did.
std::string needs_restart(const config::GatewayOptions& before, const config::GatewayOptions& now) {
  if (before.gateway.value != now.gateway.value) return "'gateway' changed: restart the gateway";
  if (before.spool.path != now.spool.path) return "'spool.path' changed: restart the gateway";
  return {};
}

// Reads a configuration to take the place of `running`; null and all that is wrong if it must not.
std::shared_ptr<const Configuration> read_again(const std::string& path, const Configuration& running, status::Log& log,
                                                std::string& why) {
  config::Diagnostics diagnostics;
  auto fresh = std::make_shared<Configuration>(load_configuration(path, diagnostics, &log));
  why = diagnostics.has_errors() ? diagnostics.render() + diagnostics.summary()
                                 : needs_restart(running.options, fresh->options);
  return why.empty() ? std::move(fresh) : nullptr;
}

// A gateway that runs: its configuration and what happens to it until it stops.
class Life {
 public:
  Life(const RunArguments& arguments, std::shared_ptr<const Configuration> configuration, const sigset_t& signals,
       status::Log& log)
      : arguments_(arguments), configuration_(std::move(configuration)), signals_(signals), log_(log) {}

  int run() {
    for (;;) {
      const int code = run_assembly();
      if (code >= 0) return code;
    }
  }

 private:
  // The exit code, or -1: all is to be made anew for configuration_.
  int run_assembly() {
    // The YAML's text cost more than what was made of it.
    ::malloc_trim(0);
    const system::SystemClock clock(configuration_->options.clock.trust == config::ClockTrust::rtc);
    const std::filesystem::path socket =
        arguments_.socket.empty() ? configuration_->options.control.socket : std::filesystem::path(arguments_.socket);
    Assembly assembly(configuration_, clock, log_, [this] { return desk_.ask(); });
    if (const Result<void> started = assembly.start(socket); !started) {
      std::cerr << "railhead: " << started.error().what << '\n';
      return 2;
    }
    for (;;) {
      switch (next_signal()) {
        case SIGHUP:
          if (!reload(assembly)) return -1;
          break;
        case SIGTERM:
        case SIGINT: assembly.stop(Assembly::kDrain); return 0;
        default: break;
      }
    }
  }

  int next_signal() {
    int number = 0;
    return sigwait(&signals_, &number) == 0 ? number : 0;
  }

  // False: the assembly was stopped, another one must take its place.
  bool reload(Assembly& assembly) {
    const std::uint64_t asked = desk_.asked();
    std::string why;
    std::shared_ptr<const Configuration> fresh = read_again(arguments_.config, *configuration_, log_, why);
    if (!fresh) {
      std::cerr << why << '\n';
      assembly.refuse_configuration(why);
      desk_.answer(asked, fail(Errc::refused, why));
      return true;
    }
    configuration_ = fresh;
    const bool in_place = assembly.can_apply(*fresh);
    if (in_place) {
      assembly.apply(fresh);
      ::malloc_trim(0);
    }
    log_.report(status::Event::config_applied, {{"path", arguments_.config}});
    desk_.answer(asked, {});
    if (in_place) return true;
    assembly.reload_begins();
    assembly.stop(Duration::zero());
    return false;
  }

  const RunArguments& arguments_;
  std::shared_ptr<const Configuration> configuration_;
  const sigset_t& signals_;
  status::Log& log_;
  ReloadDesk desk_;
};

}  // namespace

int run_gateway(const RunArguments& arguments) {
  const sigset_t signals = block_signals();
  // A dozen threads that each keep an arena would cost more memory than the gateway needs.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);

  const system::SystemClock clock;
  status::Log log(clock, {.format = arguments.log == "json" ? status::LogFormat::json : status::LogFormat::text,
                          .severity_prefix = status::standard_error_is_journal()});
  config::Diagnostics diagnostics;
  auto configuration = std::make_shared<Configuration>(load_configuration(arguments.config, diagnostics, &log));
  std::cerr << diagnostics.render();
  if (diagnostics.has_errors()) {
    std::cerr << diagnostics.summary() << "; the gateway does not start\n";
    return 1;
  }
  return Life(arguments, std::move(configuration), signals, log).run();
}

}  // namespace railhead::app
