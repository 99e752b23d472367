// `railhead spool replay` and `drop`, `railhead dead requeue` and `drop`: on the directory while no gateway has it,
// over the control socket of the one that does otherwise.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include "adapters/panel/control_client.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/commands/progress_line.h"
#include "gateway/app/configuration.h"
#include "gateway/app/spool_desk.h"
#include "gateway/base/text.h"
#include "gateway/flow/requeue.h"
#include "gateway/message/json.h"
#include "gateway/status/json_writer.h"
#include "gateway/status/log.h"

namespace railhead::app {
namespace {

namespace fs = std::filesystem;
using ports::SpoolId;

constexpr auto kAskEvery = std::chrono::milliseconds{300};
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 50;  // nothing is evicted by looking
constexpr Duration kKeepAll = std::chrono::hours{24 * 365 * 100};

// An open spool says what it repairs; here only errors are worth a line.
class QuietReporter final : public status::Reporter {
 public:
  void report(status::Event event, status::Fields fields) override {
    if (status::row_of(event).level != status::Level::error) return;
    std::cerr << "railhead: " << status::row_of(event).sentence;
    for (const auto& field : fields) std::cerr << ' ' << field.name << '=' << field.value;
    std::cerr << '\n';
  }
};

int complain(const Error& error) {
  std::cerr << "railhead: " << error.what << '\n';
  return error.code == Errc::invalid || error.code == Errc::refused ? 1 : 2;
}

Result<std::unique_ptr<spool::Spool>> open_spool(system::Disk& disk, const system::Clock& clock, const fs::path& path,
                                                 status::Reporter& reporter) {
  spool::SpoolOptions options;
  options.path = path.string();
  options.name = path.filename().string();
  options.limit = kNoLimit;
  options.keep_delivered = kKeepAll;  // what is settled must not go before it is read
  return spool::Spool::open(disk, clock, options, reporter);
}

std::string request_of(std::string_view command, const SpoolArguments& arguments, bool alarms) {
  status::JsonWriter json;
  json.begin_object();
  json.field("command", command);
  json.field("lane", arguments.lane);
  if (alarms) json.field("alarms", true);
  for (const auto& [name, text] :
       {std::pair{"to", &arguments.to}, std::pair{"from", &arguments.from}, std::pair{"through", &arguments.through},
        std::pair{"since", &arguments.since}, std::pair{"until", &arguments.until}}) {
    if (!text->empty()) json.field(name, *text);
  }
  json.end_object();
  return json.take();
}

std::uint64_t number_in(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_number() ? static_cast<std::uint64_t>(found->to_real()) : 0;
}

void show(ProgressLine& line, std::uint64_t records, std::uint64_t percent) {
  line.show(std::to_string(percent) + " %, " + std::to_string(records) + " records");
}

Result<std::uint64_t> replay_running(const SpoolArguments& arguments, bool alarms, ProgressLine& line) {
  Result<std::string> answer = panel::ask_line(arguments.socket, request_of("spool_replay", arguments, alarms));
  for (;;) {
    if (!answer) return fail(answer.error());
    const Result<Value> state = JsonParser().parse(*answer);
    if (!state) return fail(state.error());
    show(line, number_in(*state, "appended"), number_in(*state, "percent"));
    if (const Value* running = state->find("running"); running != nullptr && *running == Value::boolean(false)) {
      const Value* error = state->find("error");
      if (error != nullptr && error->is(Kind::string) && !error->as_text().empty()) {
        return fail(Errc::io, std::string(error->as_text()));
      }
      return number_in(*state, "appended");
    }
    std::this_thread::sleep_for(kAskEvery);
    answer = panel::ask(arguments.socket, "replay_state");
  }
}

int drop_running(const SpoolArguments& arguments) {
  const Result<std::string> answer = panel::ask_line(arguments.socket, request_of("spool_drop", arguments, false));
  if (!answer) return complain(answer.error());
  const Result<Value> said = JsonParser().parse(*answer);
  std::cout << (said ? number_in(*said, "dropped") : 0) << " records dropped\n";
  return 0;
}

}  // namespace

int run_spool_change(const SpoolArguments& arguments) {
  const fs::path directory = spool_directory(arguments.path);
  const bool replay = arguments.action == "replay";
  const Result<Value> request = JsonParser().parse(request_of("", arguments, false));
  const Result<flow::ReplayOptions> options = request ? replay_options(*request) : fail(request.error());
  if (!options) return complain(options.error());
  std::vector<fs::path> spools;
  for (const char* name : {"telemetry", "alarms"}) {
    if (fs::is_directory(directory / name)) spools.push_back(directory / name);
  }
  if (spools.empty()) spools.push_back(directory);
  // Sequences are each spool's own.
  if (options->from || options->through) spools.resize(1);
  const std::unique_ptr<system::Disk> disk = system::posix_disk();
  const system::SystemClock clock;
  QuietReporter reporter;
  std::uint64_t records = 0;
  bool known = false;
  for (const fs::path& path : spools) {
    ProgressLine line;
    Result<std::unique_ptr<spool::Spool>> spool = open_spool(*disk, clock, path, reporter);
    Result<std::uint64_t> done;
    if (!spool && spool.error().code == Errc::unavailable) {
      if (!replay) return drop_running(arguments);
      done = replay_running(arguments, path.filename() == "alarms", line);
      // Not every lane has alarms.
      if (!done && known && path.filename() == "alarms") continue;
    } else if (!spool) {
      return complain(spool.error());
    } else {
      if (!flow::has_lane(**spool, options->lane)) continue;
      done = replay
                 ? flow::replay(
                       **spool, *options,
                       [&](std::uint64_t appended, unsigned percent) { show(line, records + appended, percent); }, {})
                 : flow::drop_lane(**spool, options->lane);
    }
    if (!done) return complain(done.error());
    known = true;
    records += *done;
  }
  if (!known) return complain({Errc::invalid, "there is no lane '" + options->lane + "' in " + directory.string()});
  std::cout << records << (replay ? " records will be sent again\n" : " records dropped\n");
  return 0;
}

namespace {

int say_letters(const flow::Requeue::Done& done, bool requeue) {
  for (const std::string& error : done.errors) std::cerr << "railhead: " << error << '\n';
  std::cout << base::counted(done.letters, "letter") << (requeue ? " requeued as " : " dropped\n");
  if (requeue) std::cout << base::counted(done.records, "record") << '\n';
  return done.errors.empty() ? 0 : 1;
}

int letters_running(const DeadArguments& arguments) {
  const bool requeue = arguments.action == "requeue";
  status::JsonWriter json;
  json.begin_object();
  json.field("command", requeue ? "dead_requeue" : "dead_drop");
  if (arguments.all) json.field("all", true);
  std::string list;
  for (const std::string& one : arguments.sequences) {
    list += list.empty() ? "" : ",";
    status::append_json_text(one, list);
  }
  json.raw_field("letters", "[" + list + "]");
  json.end_object();
  const Result<std::string> answer = panel::ask_line(arguments.socket, json.take());
  if (!answer) return complain(answer.error());
  const Result<Value> said = JsonParser().parse(*answer);
  if (!said) return complain(said.error());
  flow::Requeue::Done done{.letters = number_in(*said, "done"), .records = number_in(*said, "records"), .errors = {}};
  if (const Value* all = said->find("errors"); all != nullptr && all->is(Kind::list)) {
    for (const Value& one : all->as_list()) done.errors.emplace_back(one.is(Kind::string) ? one.as_text() : "");
  }
  return say_letters(done, requeue);
}

}  // namespace

int run_dead_change(const DeadArguments& arguments) {
  const bool requeue = arguments.action == "requeue";
  if (arguments.all == !arguments.sequences.empty()) {
    std::cerr << "railhead dead " << arguments.action << ": name letters by their sequence, or --all\n";
    return 1;
  }
  fs::path directory = spool_directory(arguments.path);
  if (directory.filename() == "dead") directory = directory.parent_path();
  if (!fs::is_directory(directory / "dead")) {
    return complain({Errc::invalid, directory.string() + " holds no dead letters; name what spool.path says"});
  }
  const std::unique_ptr<system::Disk> disk = system::posix_disk();
  const system::SystemClock clock;
  QuietReporter reporter;
  flow::Stores::All spools;
  for (const SpoolId id : ports::kAllSpools) {
    Result<std::unique_ptr<spool::Spool>> spool = open_spool(*disk, clock, directory / ports::name_of(id), reporter);
    if (!spool) return spool.error().code == Errc::unavailable ? letters_running(arguments) : complain(spool.error());
    spools[static_cast<std::size_t>(id)] = std::move(*spool);
  }
  const flow::Stores stores(std::move(spools));
  flow::Requeue::Today today;
  if (requeue && !arguments.config.empty()) {
    config::Diagnostics diagnostics;
    diagnostics.set_files(config::Files::may_be_bad);  // nothing is connected
    const auto configuration = std::make_shared<const Configuration>(load_configuration(arguments.config, diagnostics));
    if (diagnostics.has_errors()) {
      std::cerr << diagnostics.render() << diagnostics.summary() << '\n';
      return 1;
    }
    today = {configuration->router, read_again_by(configuration)};
  }
  flow::Requeue desk(stores, std::move(today), clock);
  std::vector<Sequence> letters;
  if (arguments.all) letters = desk.letters();
  for (const std::string& text : arguments.sequences) {
    const std::optional<std::uint64_t> number = base::parse_uint(text);
    if (!number) return complain({Errc::invalid, "'" + text + "' is no sequence that `railhead dead list` shows"});
    letters.push_back(Sequence(*number));
  }
  const flow::Requeue::Done done = requeue ? desk.requeue(std::move(letters)) : desk.drop(std::move(letters));
  return say_letters(done, requeue);
}

}  // namespace railhead::app
