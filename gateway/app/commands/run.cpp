#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "gateway/app/assembly.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/configuration.h"
#include "gateway/app/file_watch.h"
#include "gateway/app/last_good.h"
#include "gateway/app/reload_desk.h"
#include "gateway/app/table_watch.h"
#include "gateway/system/descriptor.h"

namespace railhead::app {
namespace {

// Signals arrive at sigwait() in main's thread and nowhere else. Before the first thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes fails the write, as a full disk does
  return set;
}

// What cannot change while the spools stay open (S31). Empty: nothing of it did.
std::string needs_restart(const config::GatewayOptions& before, const config::GatewayOptions& now) {
  if (before.gateway.value != now.gateway.value) return "'gateway' changed: restart the gateway";
  if (before.spool.path != now.spool.path) return "'spool.path' changed: restart the gateway";
  return {};
}

// A configuration, what it was read from, and all that is wrong with it.
struct Loaded {
  std::shared_ptr<config::FileStore> files;
  std::shared_ptr<const Configuration> configuration;
  std::string faults;    // empty: it may run
  std::string warnings;  // of one that may
  std::shared_ptr<const config::Diagnostics> diagnostics;
  // What `reload: watch` looks at. Tables have a watch of their own as long as they are good.
  [[nodiscard]] std::vector<std::filesystem::path> paths() const {
    std::vector<std::filesystem::path> all = files->paths();
    all.insert(all.end(), configuration->referenced.begin(), configuration->referenced.end());
    if (!faults.empty()) return all;
    for (const auto& [name, path] : routing::table_places(configuration->routing)) std::erase(all, path);
    return all;
  }
};

// `running`: what it is to replace; null at a start, which certificates do not prevent.
Loaded load(const std::string& path, std::shared_ptr<config::FileStore> files, status::Log& log,
            const Configuration* running = nullptr) {
  const auto found = std::make_shared<config::Diagnostics>(files);
  config::Diagnostics& diagnostics = *found;
  Loaded loaded;
  loaded.diagnostics = found;
  diagnostics.set_files(config::Files::may_be_bad);
  loaded.configuration =
      std::make_shared<const Configuration>(load_configuration(path, diagnostics, &log, false, running));
  loaded.files = std::move(files);
  (diagnostics.has_errors() ? loaded.faults : loaded.warnings) = diagnostics.render();
  if (diagnostics.has_errors()) loaded.faults += diagnostics.summary();
  return loaded;
}

// A gateway that runs: its configuration and what happens to it until it stops.
class Life {
 public:
  // `refused`: what is wrong with the files as they are, when `loaded` is the last good configuration in their place.
  Life(const RunArguments& arguments, Loaded loaded, std::string refused, const sigset_t& signals, status::Log& log)
      : arguments_(arguments),
        loaded_(std::move(loaded)),
        refused_(std::move(refused)),
        signals_(signals),
        log_(log),
        configuration_(loaded_.configuration) {
    watch_.watch(loaded_.paths());
    tables_.watch(configuration_, loaded_.diagnostics);
  }

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
    desk_.set_closed(false);
    if (anew_) {
      log_.report(status::Event::config_applied, {{"path", arguments_.config}});
      anew_ = false;
    }
    if (refused_.empty()) {
      keep();
    } else {
      log_.report(status::Event::config_last_good, {{"why", refused_.substr(0, refused_.find('\n'))}});
      assembly.refuse_configuration(refused_);
    }
    for (;;) {
      switch (next_signal(assembly)) {
        case SIGHUP:
          if (!reload(assembly)) return -1;
          break;
        case SIGTERM:
        case SIGINT:
          desk_.set_closed(true);
          assembly.stop(Assembly::kDrain);
          return 0;
        default: break;
      }
    }
  }

  // Also SIGHUP when a watched file changed.
  int next_signal(Assembly& assembly) {
    int number = 0;
    const bool watches = configuration_->options.reload.watch;
    if (!watches && tables_.empty()) return sigwait(&signals_, &number) == 0 ? number : 0;
    const timespec second{1, 0};
    number = sigtimedwait(&signals_, nullptr, &second);
    if (number > 0) return number;
    tables_.look(assembly, log_);
    return watches && watch_.changed() ? SIGHUP : 0;
  }

  void keep() {
    if (Result<void> kept = keep_last_good(configuration_->options.spool.path, *loaded_.files); !kept) {
      log_.report(status::Event::config_not_kept, {{"why", kept.error().what}});
    }
    const std::filesystem::path& spool = configuration_->options.spool.path;
    if (spool != config::SpoolSettings{}.path || !remembered_spools(arguments_.config).empty()) {
      if (Result<void> remembered = remember_spool(arguments_.config, spool); !remembered) {
        log_.report(status::Event::config_not_kept, {{"why", remembered.error().what}});
      }
    }
    loaded_.files->forget_texts();
  }

  // False: the assembly was stopped, another one must take its place.
  bool reload(Assembly& assembly) {
    const std::uint64_t asked = desk_.asked();
    Loaded fresh = load(arguments_.config, std::make_shared<config::FileStore>(), log_, configuration_.get());
    watch_.watch(fresh.paths());
    std::string why = fresh.faults;
    if (why.empty()) why = needs_restart(configuration_->options, fresh.configuration->options);
    if (!why.empty()) {
      if (arguments_.log != "json") std::cerr << why << '\n';  // else a log line would be none; the event has it
      assembly.refuse_configuration(why);
      desk_.answer(asked, fail(Errc::refused, why));
      return true;
    }
    loaded_ = std::move(fresh);
    configuration_ = loaded_.configuration;
    tables_.watch(configuration_, loaded_.diagnostics);
    refused_.clear();
    anew_ = !assembly.can_apply(*configuration_);
    if (!anew_) {
      assembly.apply(configuration_);
      keep();
      ::malloc_trim(0);
      log_.report(status::Event::config_applied, {{"path", arguments_.config}});
    }
    desk_.answer(asked, {});
    if (!anew_) return true;
    desk_.set_closed(true);
    assembly.reload_begins(*configuration_);
    assembly.stop(Duration::zero());
    return false;
  }

  const RunArguments& arguments_;
  Loaded loaded_;
  std::string refused_;
  const sigset_t& signals_;
  status::Log& log_;
  std::shared_ptr<const Configuration> configuration_;
  ReloadDesk desk_;
  bool anew_ = false;  // the next assembly is a reload's
  FileWatch watch_;
  TableWatch tables_;
};

// What can run in the place of `broken`: the copy in the spool's directory, which may be too broken to name it. nullopt
// after saying that there is none.
std::optional<Loaded> load_last_good(const std::string& path, const Loaded& broken, status::Log& log) {
  const std::filesystem::path& named = broken.configuration->options.spool.path;
  std::vector<std::filesystem::path> spools = remembered_spools(path);
  // The default may be the spool of another configuration.
  spools.insert(named == config::SpoolSettings{}.path ? spools.end() : spools.begin(), named);
  Result<config::FileStore> copy = fail(Errc::io, "there is none");
  for (auto spool = spools.begin(); spool != spools.end() && !copy && copy.error().code != Errc::invalid; ++spool) {
    copy = last_good(*spool);
  }
  if (!copy) {
    if (copy.error().code == Errc::invalid) std::cerr << copy.error().what << '\n';
    return std::nullopt;
  }
  Loaded loaded = load(path, std::make_shared<config::FileStore>(std::move(*copy)), log);
  if (loaded.faults.empty()) return loaded;
  std::cerr << "the last good configuration does not run either:\n" << loaded.faults << '\n';
  return std::nullopt;
}

}  // namespace

int run_gateway(const RunArguments& arguments) {
  const sigset_t signals = block_signals();
  // A dozen threads that each keep an arena would cost more memory than the gateway needs.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
  system::allow_many_descriptors();

  const system::SystemClock clock;
  status::Log log(clock, {.format = arguments.log == "json" ? status::LogFormat::json : status::LogFormat::text,
                          .severity_prefix = status::standard_error_is_journal()});
  Loaded loaded = load(arguments.config, std::make_shared<config::FileStore>(), log);
  if (loaded.faults.empty()) {
    std::cerr << loaded.warnings;
    return Life(arguments, std::move(loaded), {}, signals, log).run();
  }
  std::cerr << loaded.faults;
  std::optional<Loaded> good = load_last_good(arguments.config, loaded, log);
  if (!good) {
    std::cerr << "; the gateway does not start\n";
    return 1;
  }
  std::cerr << "; the last good configuration runs in its place\n";
  return Life(arguments, std::move(*good), loaded.faults, signals, log).run();
}

}  // namespace railhead::app
