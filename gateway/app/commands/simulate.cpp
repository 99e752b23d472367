#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

#include "gateway/app/commands/commands.h"
#include "gateway/app/commands/fault_script.h"
#include "gateway/app/configuration.h"
#include "gateway/base/text.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/thread.h"

namespace railhead::app {
namespace {

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Every path behind `value.` in the texts of the rules: what a payload should hold.
void collect_fields(const config::Node& node, std::set<std::string>& fields) {
  for (const config::Member& member : node.members()) {
    collect_fields(member.key, fields);
    collect_fields(member.value, fields);
  }
  for (const config::Node& item : node.items()) collect_fields(item, fields);
  const std::string_view text = node.text();
  constexpr std::string_view kValue = "value.";
  for (std::size_t at = text.find(kValue); at != std::string_view::npos; at = text.find(kValue, at + 1)) {
    if (at > 0 && (is_name(text[at - 1]) || text[at - 1] == '.')) continue;
    std::size_t end = at + kValue.size();
    while (end < text.size() &&
           (is_name(text[end]) || (text[end] == '.' && end + 1 < text.size() && is_name(text[end + 1])))) {
      ++end;
    }
    std::string path(text.substr(at + kValue.size(), end - at - kValue.size()));
    // value.items.exists(...): a function's name is no field.
    if (end < text.size() && text[end] == '(') path.resize(path.rfind('.') == std::string::npos ? 0 : path.rfind('.'));
    if (!path.empty()) fields.insert(std::move(path));
  }
}

// The rules that may take readings of this source.
bool may_take(const config::Node& from, std::string_view source) {
  if (!from.present()) return true;
  if (from.is_list()) {
    return std::any_of(from.items().begin(), from.items().end(),
                       [&](const config::Node& one) { return may_take(one, source); });
  }
  const config::Node wanted = from.find("source");
  if (!wanted.present() || wanted.text() == source) return true;
  return std::any_of(wanted.items().begin(), wanted.items().end(),
                     [&](const config::Node& one) { return one.text() == source; });
}

// A prefix of another path would be a number and a map at once.
std::vector<std::string> fields_of(const config::Node& rules, std::string_view source) {
  std::set<std::string> found;
  for (const config::Node& rule : rules.items()) {
    if (may_take(rule.find("from"), source)) collect_fields(rule, found);
  }
  std::vector<std::string> fields;
  for (const std::string& path : found) {
    const auto longer = found.lower_bound(path + ".");
    if (longer == found.end() || !longer->starts_with(path + ".")) fields.push_back(path);
  }
  return fields;
}

}  // namespace

int run_simulate(const SimulateArguments& arguments) {
  config::Diagnostics diagnostics;
  const Configuration configuration = load_configuration(arguments.config, diagnostics);
  std::vector<ports::Fault> faults;
  if (!arguments.faults.empty()) faults = read_faults(arguments.faults, diagnostics);
  std::cerr << diagnostics.render({.colour = isatty(STDERR_FILENO) != 0});
  if (diagnostics.has_errors()) return 1;
  const std::optional<Duration> every = base::parse_duration(arguments.every);
  const std::optional<Duration> for_time =
      arguments.for_time.empty() ? Duration::zero() : base::parse_duration(arguments.for_time);
  if (!every || *every <= Duration::zero() || !for_time) {
    std::cerr << "railhead: expected a time like '10 s'\n";
    return 1;
  }
  system::allow_many_descriptors();  // a socket for each link and one for each connection
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const system::SystemClock clock;
  std::vector<std::unique_ptr<ports::Simulation>> simulations;
  for (const Configuration::NamedSource& source : configuration.sources) {
    std::unique_ptr<ports::Simulation> made =
        source.plan->simulate({.source = source.name,
                               .listen = arguments.listen,
                               .seed = arguments.seed,
                               .every = *every,
                               .fields = fields_of(configuration.options.rules, source.name),
                               .faults = faults},
                              clock);
    if (!made) {
      std::cout << source.name << ": a " << source.kind << " source is not simulated\n";
      continue;
    }
    const Result<std::vector<std::string>> lines = made->open();
    if (!lines) {
      std::cerr << "railhead: source '" << source.name << "': " << lines.error().what << '\n';
      return 2;
    }
    for (const std::string& line : *lines) std::cout << source.name << ": " << line << '\n';
    simulations.push_back(std::move(made));
  }
  std::cout << "ready; ends on SIGTERM or Ctrl-C" << std::endl;
  std::vector<std::jthread> threads;
  threads.reserve(simulations.size());
  for (const auto& simulation : simulations) {
    threads.push_back(
        system::start_thread("simulate", [&simulation](std::stop_token stop) { simulation->run(std::move(stop)); }));
  }
  if (*for_time > Duration::zero()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*for_time);
    const timespec wait{static_cast<time_t>(seconds.count()), static_cast<long>((*for_time - seconds).count())};
    ::sigtimedwait(&signals, nullptr, &wait);
  } else {
    int number = 0;
    sigwait(&signals, &number);
  }
  for (std::jthread& thread : threads) thread.request_stop();
  for (std::jthread& thread : threads) thread.join();
  std::uint64_t served = 0;
  for (const auto& simulation : simulations) served += simulation->served();
  std::cout << "answered and published: " << served << '\n';
  return 0;
}

}  // namespace railhead::app
