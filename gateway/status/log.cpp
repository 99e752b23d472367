#include "gateway/status/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <unordered_map>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "gateway/base/mutex.h"
#include "gateway/base/text.h"
#include "gateway/status/json_writer.h"

namespace railhead::status {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

std::string_view severity_prefix(Level level) {
  switch (level) {
    case Level::error: return "<3>";
    case Level::warning: return "<4>";
    case Level::info: break;
  }
  return "<6>";
}

// Cut at a character's boundary.
std::string bounded(std::string_view value) {
  if (value.size() <= Log::kFieldBytesMax) return std::string(value);
  std::size_t end = Log::kFieldBytesMax;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
  return std::string(value.substr(0, end)) + "...";
}

std::unique_ptr<spdlog::sinks::sink> make_sink(std::ostream* to) {
  std::unique_ptr<spdlog::sinks::sink> sink;
  if (to != nullptr) {
    sink = std::make_unique<spdlog::sinks::ostream_sink_st>(*to, true);
  } else {
    sink = std::make_unique<spdlog::sinks::stderr_sink_st>();
  }
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "\n"));
  return sink;
}

using OwnedFields = std::vector<std::pair<std::string, std::string>>;

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::error: return "error";
    case Level::warning: return "warning";
    case Level::info: break;
  }
  return "info";
}

bool standard_error_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  if (stream == nullptr) return false;
  struct stat status {};
  if (::fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

void append_text_field(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  out += '=';
  bool plain = !value.empty();
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '\\' || c == '=') plain = false;
  }
  if (plain) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

struct Log::State {
  struct Repeat {
    BootTime since;
    Event event = Event::started;
    std::uint64_t number = 0;  // of its line in `recent`
    std::uint64_t suppressed = 0;
    OwnedFields fields;
  };
  // Lines of one event with differing fields.
  struct Flood {
    BootTime since;
    std::uint32_t written = 0;
    std::uint64_t suppressed = 0;
  };

  State(const system::Clock& its_clock, const LogOptions& its_options) : clock(its_clock), options(its_options) {}

  const system::Clock& clock;
  const LogOptions& options;
  std::array<std::atomic<std::uint64_t>, kEvents.size()> counts{};

  // Apart from `mutex`: nobody waits for a listener in order to write a line.
  base::Mutex listener_mutex;
  EventListener* listener RAILHEAD_GUARDED_BY(listener_mutex) = nullptr;

  base::Mutex mutex;
  std::unique_ptr<spdlog::sinks::sink> sink RAILHEAD_GUARDED_BY(mutex);
  std::unordered_map<std::string, Repeat> repeats RAILHEAD_GUARDED_BY(mutex);
  std::array<Flood, kEvents.size()> floods RAILHEAD_GUARDED_BY(mutex){};
  std::deque<RecentEvent> recent RAILHEAD_GUARDED_BY(mutex);
  std::uint64_t numbers RAILHEAD_GUARDED_BY(mutex) = 0;

  // `instead` replaces sentence and action.
  void write(Event event, const OwnedFields& fields, const std::string& instead) RAILHEAD_REQUIRES(mutex) {
    const EventRow& row = row_of(event);
    std::string line;
    if (options.severity_prefix) line += severity_prefix(row.level);
    const std::string time = to_rfc3339_ms(clock.now());
    if (options.format == LogFormat::json) {
      JsonWriter json;
      json.begin_object();
      json.field("time", time);
      json.field("level", name_of(row.level));
      json.field("event", row.name);
      json.begin_object("fields");
      for (const auto& [name, value] : fields) json.field(name, value);
      json.end_object();
      json.field("sentence", instead.empty() ? row.sentence : std::string_view(instead));
      if (instead.empty() && !row.action.empty()) json.field("action", row.action);
      json.end_object();
      line += json.text();
    } else {
      line += time;
      line += ' ';
      line += name_of(row.level);
      line += ' ';
      line += row.name;
      for (const auto& [name, value] : fields) {
        line += ' ';
        append_text_field(name, value, line);
      }
      line += ": ";
      line += instead.empty() ? row.sentence : std::string_view(instead);
      if (instead.empty() && !row.action.empty()) {
        line += "; ";
        line += row.action;
      }
    }
    try {
      sink->log(spdlog::details::log_msg(spdlog::string_view_t{}, spdlog::level::info,
                                         spdlog::string_view_t(line.data(), line.size())));
    } catch (const std::exception&) {
      // Why: there is no better place to complain than the one that just failed. The event is counted.
    }
  }

  void write_summary(const Repeat& repeat, BootTime now) RAILHEAD_REQUIRES(mutex) {
    const auto span = std::chrono::round<std::chrono::seconds>(now - repeat.since);
    write(repeat.event, repeat.fields,
          "repeated " + std::to_string(repeat.suppressed) + " times in the last " + base::format_duration(span));
  }

  void write_flood_summary(Event event, Flood& flood, BootTime now) RAILHEAD_REQUIRES(mutex) {
    const auto span = std::chrono::round<std::chrono::seconds>(now - flood.since);
    write(event, {}, std::to_string(flood.suppressed) + " more in the last " + base::format_duration(span));
    flood.suppressed = 0;
  }

  // Counts the line; false when this event had its share of the window.
  bool admit(Event event, BootTime now) RAILHEAD_REQUIRES(mutex) {
    Flood& flood = floods[static_cast<std::size_t>(event)];
    if (flood.written == 0 || now - flood.since >= options.window) {
      if (flood.suppressed > 0) write_flood_summary(event, flood, now);
      flood = {now, 0, 0};
    }
    if (flood.written >= options.lines_per_window) {
      ++flood.suppressed;
      return false;
    }
    ++flood.written;
    return true;
  }

  void summarize(BootTime now, Duration window) RAILHEAD_REQUIRES(mutex) {
    for (auto entry = repeats.begin(); entry != repeats.end();) {
      Repeat& repeat = entry->second;
      if (now - repeat.since < window) {
        ++entry;
      } else if (repeat.suppressed == 0) {
        entry = repeats.erase(entry);
      } else {
        write_summary(repeat, now);
        repeat.since = now;
        repeat.suppressed = 0;
        ++entry;
      }
    }
    for (std::size_t i = 0; i < floods.size(); ++i) {
      Flood& flood = floods[i];
      if (flood.suppressed == 0 || now - flood.since < window) continue;
      write_flood_summary(static_cast<Event>(i), flood, now);
      flood = {now, 0, 0};
    }
  }
};

Log::Log(const system::Clock& clock, LogOptions options)
    : clock_(clock), options_(options), state_(std::make_unique<State>(clock_, options_)) {
  const base::MutexLock lock(state_->mutex);
  state_->sink = make_sink(options_.to);
}

Log::~Log() {
  const base::MutexLock lock(state_->mutex);
  state_->summarize(clock_.boot_now(), Duration::min());
}

void Log::report(Event event, Fields fields) {
  state_->counts[static_cast<std::size_t>(event)].fetch_add(1, std::memory_order_relaxed);
  {
    const base::MutexLock lock(state_->listener_mutex);
    if (state_->listener != nullptr) state_->listener->on_event(event, fields);
  }
  OwnedFields owned;
  owned.reserve(fields.size());
  std::string key(row_of(event).name);
  for (const FieldValue& field : fields) {
    owned.emplace_back(std::string(field.name), bounded(field.value));
    key += ' ';
    append_text_field(owned.back().first, owned.back().second, key);
  }
  const BootTime now = clock_.boot_now();

  const base::MutexLock lock(state_->mutex);
  const auto found = state_->repeats.find(key);
  if (found != state_->repeats.end()) {
    State::Repeat& repeat = found->second;
    const bool within = now - repeat.since < options_.window;
    if (within || repeat.suppressed > 0) {
      ++repeat.suppressed;
      for (auto entry = state_->recent.rbegin(); entry != state_->recent.rend(); ++entry) {
        if (entry->number != repeat.number) continue;
        ++entry->repeated;
        break;
      }
    }
    if (within) return;
    if (repeat.suppressed > 0) {
      state_->write_summary(repeat, now);
      repeat.suppressed = 0;
      repeat.since = now;
      return;
    }
    state_->repeats.erase(found);
  }
  if (!state_->admit(event, now)) return;
  const std::uint64_t number = ++state_->numbers;
  state_->write(event, owned, {});
  if (state_->recent.size() == kRecent) state_->recent.pop_front();
  state_->recent.push_back({number, clock_.now(), event, owned, 0});
  if (state_->repeats.size() < kRepeatsTracked) {
    state_->repeats.emplace(std::move(key), State::Repeat{now, event, number, 0, std::move(owned)});
  }
}

void Log::listen(EventListener* listener) {
  const base::MutexLock lock(state_->listener_mutex);
  state_->listener = listener;
}

void Log::tick() {
  const BootTime now = clock_.boot_now();
  const base::MutexLock lock(state_->mutex);
  state_->summarize(now, options_.window);
}

std::uint64_t Log::count(Event event) const {
  return state_->counts[static_cast<std::size_t>(event)].load(std::memory_order_relaxed);
}

std::vector<RecentEvent> Log::recent(std::uint64_t after) const {
  const base::MutexLock lock(state_->mutex);
  std::vector<RecentEvent> found;
  for (const RecentEvent& entry : state_->recent) {
    if (entry.number > after) found.push_back(entry);
  }
  return found;
}

}  // namespace railhead::status
