#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "gateway/app/commands/commands.h"
#include "gateway/app/commands/progress_line.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/dead_letter.h"
#include "gateway/message/json.h"
#include "gateway/message/record.h"
#include "gateway/message/record_json.h"
#include "gateway/ports/ticket.h"
#include "gateway/spool/inspect.h"

namespace railhead::app {
namespace {

namespace fs = std::filesystem;

void member(std::string_view name, std::string_view text, std::string& json) {
  json += ',';
  write_json_text(name, json);
  json += ':';
  write_json_text(text, json);
}

void record_members(const Record& record, std::string& json) {
  member("sink", record.sink, json);
  if (!record.topic.empty()) member("topic", record.topic, json);
  if (!record.routing_key.empty()) member("routing_key", record.routing_key, json);
  if (record.key) member("key", *record.key, json);
  member("source", record.source, json);
  member("device", record.device, json);
  member("time", to_rfc3339(record.time), json);
  member("priority", name_of(record.priority), json);
  if (!record.identity.empty()) member("identity", record.identity, json);
  if ((record.flags & kMaybeRepeat) != 0) member("rh-dup", "1", json);
  json += ",\"headers\":{";
  bool first = true;
  for (const Header& header : record.headers) {
    if (!first) json += ',';
    first = false;
    write_json_text(header.name, json);
    json += ':';
    write_json_text(header.value, json);
  }
  json += '}';
  JsonParser parser;
  append_body_member(parser, record.body, record.content_type, json);
}

void payload_members(std::string_view payload, std::string& json) {
  if (const Result<Record> record = decode_record(payload)) {
    record_members(*record, json);
  } else {
    member("payload_base64", base::to_base64(payload), json);
  }
}

// With the payload, or without for a list.
spool::PayloadMembers letter_members(bool whole) {
  return [whole](std::string_view payload, std::string& json) {
    const Result<DeadLetter> letter = decode_dead_letter(payload);
    if (!letter) {
      member("payload_base64", base::to_base64(payload), json);
      return;
    }
    const Value described = describe(*letter);
    for (const auto& [key, value] : described.as_map()) {
      if (!whole && key.as_text().starts_with("payload")) continue;
      json += ',';
      write_json(key, json);
      json += ':';
      write_json(value, json);
    }
    if (!whole || letter->kind != DeadLetter::Kind::record) return;
    if (const Result<Record> record = decode_record(letter->payload)) {
      json += ",\"record\":{\"sink\":";
      write_json_text(record->sink, json);
      record_members(*record, json);
      json += '}';
    }
  };
}

// The spools in the directory that spool.path names, or the directory itself if it is one.
std::vector<fs::path> spools_in(const fs::path& path) {
  std::vector<fs::path> spools;
  for (const ports::SpoolId id : ports::kAllSpools) {
    if (fs::is_directory(path / ports::name_of(id))) spools.push_back(path / ports::name_of(id));
  }
  if (spools.empty()) spools.push_back(path);
  return spools;
}

Result<spool::DumpOptions> dump_options(const SpoolArguments& arguments) {
  spool::DumpOptions options;
  if (!arguments.lane.empty()) options.lane = arguments.lane;
  options.settled = arguments.settled;
  options.internal = arguments.internal;
  std::optional<Sequence> from;
  std::optional<Sequence> through;
  for (const auto& [text, sequence] : {std::pair{&arguments.from, &from}, std::pair{&arguments.through, &through}}) {
    if (text->empty()) continue;
    const std::optional<std::uint64_t> number = base::parse_uint(*text);
    if (!number) return fail(Errc::invalid, "'" + *text + "' is no sequence");
    *sequence = Sequence(*number);
  }
  for (const auto& [text, time] :
       {std::pair{&arguments.since, &options.since}, std::pair{&arguments.until, &options.until}}) {
    if (text->empty()) continue;
    *time = parse_rfc3339(*text);
    if (!*time) return fail(Errc::invalid, "'" + *text + "' is no time like 2026-01-31T12:00:00Z");
  }
  options.from = from.value_or(Sequence(1));
  options.through = through;
  return options;
}

int say(const Error& error) {
  std::cerr << "railhead: " << error.what << '\n';
  return 2;
}

}  // namespace

fs::path spool_directory(const std::string& path) {
  fs::path directory = fs::path(path).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  return directory;
}

int run_spool(const SpoolArguments& arguments) {
  if (!fs::is_directory(arguments.path)) {
    std::cerr << "railhead spool: '" << arguments.path << "' is no directory; name what spool.path says\n";
    return arguments.action == "verify" ? 2 : 1;
  }
  if (arguments.action == "replay" || arguments.action == "drop") return run_spool_change(arguments);
  std::ios::sync_with_stdio(false);
  const std::unique_ptr<system::Disk> disk = system::posix_disk();
  int exit_code = 0;
  bool found = false;
  const std::vector<fs::path> spools = spools_in(spool_directory(arguments.path));
  const Result<spool::DumpOptions> options = dump_options(arguments);
  if (!options) {
    std::cerr << "railhead spool dump: " << options.error().what << '\n';
    return 1;
  }
  ProgressLine line;
  for (const fs::path& path : spools) {
    const spool::ReadProgress progress = [&](std::uint64_t done, std::uint64_t all) {
      done < all ? line.show_share("reading " + path.string(), done, all) : line.clear();
    };
    if (arguments.action == "verify") {
      exit_code = std::max(exit_code, static_cast<int>(spool::verify(*disk, path.string(), std::cout, progress)));
      continue;
    }
    if (arguments.action == "stats") {
      std::cout << path.string() << std::endl;
      const Result<void> done = spool::stats(*disk, path.string(), std::cout, progress);
      if (!done) return say(done.error());
      continue;
    }
    const Result<void> done = spool::dump(
        *disk, path.string(), *options,
        path.filename() == "dead" ? letter_members(true) : spool::PayloadMembers(payload_members), std::cout, progress);
    if (!done && done.error().code == Errc::invalid && options->lane && spools.size() > 1) continue;  // not in this one
    if (!done) return say(done.error());
    found = true;
  }
  if (arguments.action == "dump" && !found) {
    std::cerr << "railhead spool dump: there is no lane '" << arguments.lane << "' in " << arguments.path << '\n';
    return 1;
  }
  std::cout.flush();
  return std::cout ? exit_code : 2;
}

int run_dead(const DeadArguments& arguments) {
  if (arguments.action == "requeue" || arguments.action == "drop") return run_dead_change(arguments);
  fs::path path = spool_directory(arguments.path);
  if (fs::is_directory(path / "dead")) path /= "dead";
  spool::DumpOptions options;
  const bool show = arguments.action == "show";
  std::uint64_t wanted = 0;
  if (show) {
    const std::optional<std::uint64_t> sequence =
        base::parse_uint(arguments.sequences.empty() ? std::string() : arguments.sequences.front());
    if (!sequence) {
      std::cerr << "railhead dead show: which one? Name a sequence that `railhead dead list` shows\n";
      return 1;
    }
    wanted = *sequence;
    options.from = Sequence(wanted);
    options.through = Sequence(wanted);
  }
  const std::unique_ptr<system::Disk> disk = system::posix_disk();
  std::ostringstream letter;
  std::ostream& out = show ? letter : std::cout;
  if (const Result<void> done = spool::dump(*disk, path.string(), options, letter_members(show), out); !done) {
    return say(done.error());
  }
  if (show && letter.str().empty()) {
    std::cerr << "railhead dead show: there is no dead letter " << wanted << '\n';
    return 1;
  }
  std::cout << letter.str() << std::flush;
  return std::cout ? 0 : 2;
}

}  // namespace railhead::app
