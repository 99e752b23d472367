#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <iostream>

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

}  // namespace

int run_gateway(const RunArguments& arguments) {
  const sigset_t signals = block_signals();
  // A dozen threads that each keep an arena would cost more memory than the gateway needs.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);

  config::Diagnostics diagnostics;
  system::SystemClock plain_clock;
  status::Log log(plain_clock, {.format = arguments.log == "json" ? status::LogFormat::json : status::LogFormat::text,
                                .severity_prefix = status::standard_error_is_journal()});
  const Configuration configuration = load_configuration(arguments.config, diagnostics, &log);
  std::cerr << diagnostics.render();
  if (diagnostics.has_errors()) {
    std::cerr << diagnostics.summary() << "; the gateway does not start\n";
    return 1;
  }
  // The YAML tree cost much more than what was made of it.
  ::malloc_trim(0);

  const system::SystemClock clock(configuration.options.clock.trust == config::ClockTrust::rtc);
  const std::filesystem::path socket =
      arguments.socket.empty() ? configuration.options.control.socket : std::filesystem::path(arguments.socket);
  Assembly assembly(configuration, clock, log);
  if (const Result<void> started = assembly.start(socket); !started) {
    std::cerr << "railhead: " << started.error().what << '\n';
    return 2;
  }
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) break;
    log.report(status::Event::config_refused,
               {{"why", "a running gateway does not take a new configuration yet; restart it"}});
  }
  assembly.stop();
  return 0;
}

}  // namespace railhead::app
