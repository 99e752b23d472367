#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "gateway/app/assembly.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/configuration.h"

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

// Reads a configuration to take the place of `running`; null and the reason if it must not.
std::unique_ptr<Configuration> read_again(const std::string& path, const Configuration& running, status::Log& log,
                                          std::string& why) {
  config::Diagnostics diagnostics;
  auto fresh = std::make_unique<Configuration>(load_configuration(path, diagnostics, &log));
  why = diagnostics.has_errors() ? diagnostics.render() + diagnostics.summary()
                                 : needs_restart(running.options, fresh->options);
  return why.empty() ? std::move(fresh) : nullptr;
}

enum class Ended : std::uint8_t { stopped, replaced, failed };

// One configuration's life, until the process is to end or there is a next one.
Ended run_once(const RunArguments& arguments, const Configuration& configuration, std::unique_ptr<Configuration>& next,
               const sigset_t& signals, status::Log& log) {
  const system::SystemClock clock(configuration.options.clock.trust == config::ClockTrust::rtc);
  const std::filesystem::path socket =
      arguments.socket.empty() ? configuration.options.control.socket : std::filesystem::path(arguments.socket);
  Assembly assembly(configuration, clock, log, [&]() -> Result<void> {
    // On the control socket's thread: only checked here, main's thread does it.
    std::string why;
    if (!read_again(arguments.config, configuration, log, why)) return fail(Errc::refused, why);
    ::kill(::getpid(), SIGHUP);
    return {};
  });
  if (const Result<void> started = assembly.start(socket); !started) {
    std::cerr << "railhead: " << started.error().what << '\n';
    return Ended::failed;
  }
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) {
      assembly.stop(Assembly::kDrain);
      return Ended::stopped;
    }
    std::string why;
    std::unique_ptr<Configuration> fresh = read_again(arguments.config, configuration, log, why);
    if (!fresh) {
      std::cerr << why << '\n';
      assembly.refuse_configuration(why.substr(0, why.find('\n')));
      continue;
    }
    assembly.reload_begins();
    assembly.stop(Duration::zero());
    next = std::move(fresh);
    log.report(status::Event::config_applied, {{"path", arguments.config}});
    return Ended::replaced;
  }
}

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
  auto configuration = std::make_unique<Configuration>(load_configuration(arguments.config, diagnostics, &log));
  std::cerr << diagnostics.render();
  if (diagnostics.has_errors()) {
    std::cerr << diagnostics.summary() << "; the gateway does not start\n";
    return 1;
  }
  for (;;) {
    // The YAML's text cost more than what was made of it.
    ::malloc_trim(0);
    std::unique_ptr<Configuration> next;
    const Ended ended = run_once(arguments, *configuration, next, signals, log);
    if (ended != Ended::replaced) return ended == Ended::stopped ? 0 : 2;
    configuration = std::move(next);
  }
}

}  // namespace railhead::app
