#include "adapters/mqtt/simulator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <numbers>
#include <optional>

#include "adapters/mqtt/topic_pattern.h"
#include "adapters/mqtt/unwrap.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "gateway/message/value.h"

namespace railhead::mqtt {
namespace {

constexpr Duration kConfirmWait = std::chrono::milliseconds{5};
constexpr Duration kReconnect = std::chrono::seconds{2};
constexpr std::size_t kTopicsMax = 10'000;

struct Habit {
  std::string_view part;  // of a field's name, in small letters
  double middle;
  double swing;
};
constexpr std::array kHabits{
    Habit{"temp", 24, 6},    Habit{"humid", 50, 15},    Habit{"pressure", 1013, 8}, Habit{"volt", 231, 3},
    Habit{"current", 3, 2},  Habit{"power", 600, 400},  Habit{"energy", 1200, 5},   Habit{"total", 1200, 5},
    Habit{"battery", 87, 9}, Habit{"quality", 120, 60}, Habit{"co2", 650, 200},     Habit{"speed", 1450, 30},
    Habit{"level", 60, 30},  Habit{"freq", 50, 0.03},   Habit{"lux", 400, 300},
};

std::string small(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return made;
}

// Two digits behind the point, as sensors tell it.
Value example_value(std::string_view field, double seconds, std::uint64_t seed) {
  const std::string name = small(field);
  if (name == "n" || name == "count" || name == "seq") return Value::integer(static_cast<std::int64_t>(seconds));
  if (name.find("state") != std::string::npos || name.find("status") != std::string::npos) return Value::text("on");
  const auto habit = std::find_if(kHabits.begin(), kHabits.end(),
                                  [&](const Habit& one) { return name.find(one.part) != std::string::npos; });
  const double middle = habit == kHabits.end() ? 50 : habit->middle;
  const double swing = habit == kHabits.end() ? 40 : habit->swing;
  const double phase = static_cast<double>((seed ^ std::hash<std::string>()(name)) % 628) / 100;
  return Value::real(std::nearbyint((middle + swing * std::sin(2 * std::numbers::pi * seconds / 90 + phase)) * 100) /
                     100);
}

struct PayloadNode {
  std::string name;
  std::vector<PayloadNode> below;
  std::optional<Value> ready = std::nullopt;  // in place of an example
};

// The node at `path`, made if it is not there.
PayloadNode& node_at(PayloadNode& root, std::string_view path) {
  PayloadNode* at = &root;
  if (path.empty()) return *at;
  for (const std::string_view part : base::split(path, '.')) {
    auto found =
        std::find_if(at->below.begin(), at->below.end(), [&](const PayloadNode& node) { return node.name == part; });
    if (found == at->below.end()) found = at->below.insert(at->below.end(), {std::string(part), {}});
    at = &*found;
  }
  return *at;
}

Value value_of(const std::vector<PayloadNode>& nodes, double seconds, std::uint64_t seed) {
  Value::Entries entries;
  for (const PayloadNode& node : nodes) {
    entries.emplace_back(Value::text(node.name), node.ready           ? *node.ready
                                                 : node.below.empty() ? example_value(node.name, seconds, seed)
                                                                      : value_of(node.below, seconds, seed));
  }
  return Value::map(std::move(entries));
}

// `timestamp(value.ts)`: the path; nullopt of any other expression.
std::optional<std::string> time_path(std::string_view expression) {
  constexpr std::string_view kBegin = "timestamp(";
  expression = base::trim(expression);
  if (!expression.starts_with(kBegin) || !expression.ends_with(')')) return std::nullopt;
  return plain_path(expression.substr(kBegin.size(), expression.size() - kBegin.size() - 1));
}

std::string wrapped(std::string body, Compression compression) {
  switch (compression) {
    case Compression::gzip: return gzip(body);
    case Compression::zstd: return zstd(body);
    case Compression::none: break;
  }
  return body;
}

class Confirms final : public Publisher::Observer {
 public:
  void on_confirmed(std::uint32_t) override { ++answered_; }
  void on_refused(std::uint32_t, std::uint8_t) override { ++answered_; }
  void on_lost(const std::string&, std::optional<std::uint8_t>) override { lost_ = true; }
  void on_waiting() override {}
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] std::uint32_t answered() const { return answered_; }

 private:
  std::atomic<std::uint32_t> answered_{0};
  std::atomic<bool> lost_{false};
};

}  // namespace

std::vector<std::string> example_topics(const TopicPattern& pattern, unsigned devices) {
  std::string_view filter = pattern.filter();
  if (filter.starts_with("$share/")) {
    filter.remove_prefix(7);
    const std::size_t slash = filter.find('/');
    filter.remove_prefix(slash == std::string_view::npos ? filter.size() : slash + 1);
  }
  const std::vector<std::string_view> levels = base::split(filter, '/');
  // Which `+` carries which name: the pattern itself says so of marked levels.
  std::string marked;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (i > 0) marked += '/';
    marked += levels[i] == "+" ? "level" + std::to_string(i) : levels[i] == "#" ? "rest" : std::string(levels[i]);
  }
  std::vector<std::string_view> captures;
  std::vector<std::string> name_of(levels.size());
  if (pattern.match(marked, captures)) {
    for (std::size_t i = 0; i < captures.size(); ++i) {
      for (std::size_t level = 0; level < levels.size(); ++level) {
        if (captures[i] == "level" + std::to_string(level)) name_of[level] = pattern.names()[i];
      }
    }
  }
  std::size_t device_level = levels.size();
  for (std::size_t i = levels.size(); i-- > 0;) {
    if (levels[i] == "+" && (name_of[i] == "device" || (name_of[i].empty() && device_level == levels.size()))) {
      device_level = i;
    }
  }
  const auto named = std::find(name_of.begin(), name_of.end(), "device");
  if (named != name_of.end()) device_level = static_cast<std::size_t>(named - name_of.begin());
  std::vector<std::string> topics;
  for (unsigned number = 1; number <= (device_level == levels.size() ? 1 : devices); ++number) {
    std::string topic;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (i > 0) topic += '/';
      if (i == device_level) {
        topic += "sim-" + std::to_string(number);
      } else if (levels[i] == "+") {
        topic += name_of[i].empty() ? "a" : name_of[i] + "-1";
      } else {
        topic += levels[i] == "#" ? "state" : levels[i];
      }
    }
    topics.push_back(std::move(topic));
  }
  return topics;
}

std::optional<std::string> plain_path(std::string_view expression) {
  constexpr std::string_view kValue = "value";
  expression = base::trim(expression);
  if (!expression.starts_with(kValue)) return std::nullopt;
  expression.remove_prefix(kValue.size());
  if (expression.empty()) return std::string();
  if (!expression.starts_with('.')) return std::nullopt;
  expression.remove_prefix(1);
  for (const std::string_view part : base::split(expression, '.')) {
    if (!base::is_identifier(part)) return std::nullopt;
  }
  return std::string(expression);
}

std::string example_document(const std::vector<std::string>& fields, double seconds, std::uint64_t seed,
                             const ExampleForm& form, Time now) {
  constexpr Duration kApart = std::chrono::milliseconds{100};
  Value::List elements;
  for (unsigned i = 0; i < form.elements; ++i) {
    const unsigned before_last = form.elements - 1 - i;
    PayloadNode root;
    for (const std::string& path : fields) node_at(root, path);
    if (root.below.empty()) node_at(root, "temperature");
    if (form.time && !form.time->empty()) {
      node_at(root, *form.time).ready = Value::text(to_rfc3339_ms(now - before_last * kApart));
    }
    elements.push_back(value_of(root.below, seconds - 0.1 * before_last, seed));
  }
  if (!form.list) return to_json(elements.front());
  if (form.list->empty()) return to_json(Value::list(std::move(elements)));
  PayloadNode root;
  node_at(root, *form.list).ready = Value::list(std::move(elements));
  return to_json(value_of(root.below, seconds, seed));
}

Simulator::Simulator(const SourceSettings& source, const std::vector<Written>& written,
                     ports::SimulationOptions options, const system::Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  settings_.urls = source.urls;
  settings_.tls = source.tls;
  settings_.v5 = source.protocol != Protocol::v3_1_1;
  settings_.client_id = "railhead-simulate-" + options_.source;
  settings_.user = source.user;
  settings_.password = source.password;
  for (std::size_t i = 0; i < source.rows.size(); ++i) {
    const Interpreter::Row& row = source.rows[i];
    const Written& expressions = written[i];
    const std::string title = "'" + row.pattern.filter() + "'";
    ExampleForm form;
    if (!expressions.split.empty()) {
      form.list = row.payload == PayloadFormat::json ? plain_path(expressions.split) : std::nullopt;
      form.elements = kElements;
      if (!form.list) {
        not_played_.push_back(title + " is left out: only a split: of the form value.samples can be played");
        continue;
      }
    }
    if (!expressions.time.empty()) {
      form.time = row.payload == PayloadFormat::json ? time_path(expressions.time) : std::nullopt;
      if (!form.time || form.time->empty()) {
        not_played_.push_back(title + ": only a time: of the form timestamp(value.ts) can be played; arrival counts");
      }
    }
    for (std::string& topic : example_topics(row.pattern, kDevices)) {
      if (topics_.size() < kTopicsMax) topics_.push_back({std::move(topic), row.payload, row.compression, form});
    }
  }
}

Result<std::vector<std::string>> Simulator::open() {
  std::string shown;
  for (const Topic& topic : topics_) {
    if (shown.size() > 120) {
      shown += ", ...";
      break;
    }
    shown += (shown.empty() ? "" : ", ") + topic.name;
  }
  std::vector<std::string> lines{settings_.urls.front().text() + " <- " + shown};
  lines.insert(lines.end(), not_played_.begin(), not_played_.end());
  return lines;
}

std::string Simulator::payload(const Topic& topic, double seconds) const {
  const std::uint64_t seed = options_.seed ^ std::hash<std::string>()(topic.name);
  switch (topic.payload) {
    case PayloadFormat::json: return example_document(options_.fields, seconds, seed, topic.form, clock_.now());
    case PayloadFormat::number: return to_json(example_value(topic.name, seconds, seed));
    case PayloadFormat::text:
    case PayloadFormat::raw: break;
  }
  return "on";
}

void Simulator::run(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  const auto pause = [&](Duration time) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, time, [] { return false; });
  };
  const BootTime started = clock_.boot_now();
  while (!stop.stop_requested()) {
    Confirms confirms;
    Duration keep_alive = settings_.keep_alive;
    Result<std::unique_ptr<Publisher>> publisher =
        Publisher::connect(settings_, settings_.urls.front(), keep_alive, confirms, stop);
    if (!publisher) {
      if (publisher.error().code == Errc::unsupported) settings_.v5 = false;
      pause(kReconnect);
      continue;
    }
    std::uint32_t number = 0;
    while (!stop.stop_requested() && !confirms.lost()) {
      const double seconds = std::chrono::duration<double>(clock_.boot_now() - started).count();
      for (const Topic& topic : topics_) {
        // More than that the library refuses.
        while (number - confirms.answered() >= (*publisher)->window() && !stop.stop_requested() && !confirms.lost()) {
          pause(kConfirmWait);
        }
        const std::string body = wrapped(payload(topic, seconds), topic.compression);
        const Enveloper::Wrapped message{.headers = {}, .content_type = "application/json", .body = body};
        if (!(*publisher)->publish(++number, topic.name, message, std::nullopt)) break;
        served_.fetch_add(1, std::memory_order_relaxed);
      }
      pause(options_.every);
    }
  }
}

}  // namespace railhead::mqtt
