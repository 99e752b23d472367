#include "adapters/modbus/command_sink.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/mutex.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "gateway/ports/commands.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {
namespace {

using Outcome = ports::CommandOutcome;

constexpr std::size_t kOpenMax = 100;
constexpr Duration kTick = std::chrono::milliseconds{100};
constexpr Duration kGoodbye = std::chrono::seconds{2};  // for what is under way when it must stop

// Outcomes on their way from the source's thread; outlives the sink, a late one is nobody's.
struct Inbox {
  base::Mutex mutex;
  base::CondVar changed;
  std::deque<std::pair<ports::Place, Outcome>> arrived RAILHEAD_GUARDED_BY(mutex);
};

struct Wanted {
  ports::Command command;
  std::string correlation;
};

std::string shown(const std::vector<std::pair<std::string, Value>>& values) {
  Value::Entries entries;
  for (const auto& [name, value] : values) entries.emplace_back(Value::text(name), value);
  return to_json(Value::map(std::move(entries)));
}

class CommandSink final : public ports::Sink {
 public:
  CommandSink(CommandSinkOptions options, ports::Context context)
      : options_(std::move(options)), context_(std::move(context)), inbox_(std::make_shared<Inbox>()) {
    RAILHEAD_ASSERT(context_.commands != nullptr);
  }

  void run(ports::Outlet& outlet, std::stop_token stop) override {
    context_.link.set(status::LinkStatus::State::up);
    while (!stop.stop_requested()) {
      context_.link.progress(context_.clock.boot_now());
      take_outcomes(outlet, Duration::zero());
      if (open_.size() >= kOpenMax) {
        take_outcomes(outlet, kTick);
        continue;
      }
      const ports::Limits limits{.records = kOpenMax - open_.size(), .wait = open_.empty() ? 5 * kTick : kTick / 5};
      for (const ports::Outgoing& outgoing : outlet.next(limits, stop)) {
        if (stop.stop_requested()) return;
        begin(outlet, outgoing);
      }
    }
    const BootTime until = context_.clock.boot_now() + kGoodbye;
    while (!open_.empty() && context_.clock.boot_now() < until) take_outcomes(outlet, kTick);
  }

 private:
  struct Open {
    ports::Outgoing outgoing;
    Wanted wanted;
  };

  Result<Wanted> read(const ports::Outgoing& outgoing) {
    Wanted wanted;
    for (const Header& header : outgoing.record.headers) {
      if (header.name == "correlation") wanted.correlation = header.value;
    }
    Result<Value> body = parser_.parse(outgoing.record.body);
    if (!body) return fail(body.error().in("the body is no JSON"));
    const Value* device = body->find("device");
    const Value* point = body->find("point");
    const Value* value = body->find("value");
    const Value* values = body->find("values");
    if (const Value* correlation = body->find("correlation"); correlation != nullptr) {
      wanted.correlation = correlation->is(Kind::string) ? std::string(correlation->as_text()) : to_json(*correlation);
    }
    if (device == nullptr || !device->is(Kind::string)) return fail(Errc::invalid, "the body names no `device`");
    wanted.command.device = device->as_text();
    if (values != nullptr && values->is(Kind::map) && point == nullptr) {
      for (const auto& [name, one] : values->as_map()) {
        wanted.command.values.emplace_back(name.is(Kind::string) ? std::string(name.as_text()) : to_json(name), one);
      }
    } else if (point != nullptr && point->is(Kind::string) && value != nullptr && values == nullptr) {
      wanted.command.values.emplace_back(std::string(point->as_text()), *value);
    } else {
      return fail(Errc::invalid, "the body has neither `point` and `value` nor `values`");
    }
    return wanted;
  }

  void begin(ports::Outlet& outlet, const ports::Outgoing& outgoing) {
    Result<Wanted> wanted = read(outgoing);
    Open open{.outgoing = outgoing, .wanted = wanted ? std::move(*wanted) : Wanted{}};
    if (!wanted)
      return tell(outlet, open, {.result = Outcome::Result::refused, .why = wanted.error().what, .read_back = {}});
    const BootTime now = context_.clock.boot_now();
    const Duration ttl = outgoing.record.ttl > Duration::zero() ? outgoing.record.ttl : options_.ttl;
    if (outgoing.started_before && !options_.repeat) {
      return tell(outlet, open,
                  {.result = Outcome::Result::unknown,
                   .why = "it was begun before the gateway was last started, and is not sent again",
                   .read_back = {}});
    }
    if (!outgoing.appended || now - *outgoing.appended >= ttl) {
      return tell(
          outlet, open,
          {.result = Outcome::Result::expired,
           .why = outgoing.appended ? "its time was over before it could be sent" : "it is from before the last reboot",
           .read_back = {}});
    }
    // Durable before the frame can leave.
    if (const Result<void> started = outlet.started(outgoing.place); !started) {
      return outlet.retry(outgoing, started.error());
    }
    open.wanted.command.expires = *outgoing.appended + ttl;
    open.wanted.command.verify = options_.verify;
    ports::Command command = open.wanted.command;
    command.done = [inbox = inbox_, place = outgoing.place](Outcome outcome) {
      const base::MutexLock lock(inbox->mutex);
      inbox->arrived.emplace_back(place, std::move(outcome));
      inbox->changed.notify_all();
    };
    const auto [at, fresh] = open_.insert_or_assign(outgoing.place, std::move(open));
    if (const Result<void> submitted = context_.commands->submit(options_.source, std::move(command)); !submitted) {
      // Not in anybody's hands: it may be given again until its time is over.
      const ports::Outgoing again = at->second.outgoing;
      open_.erase(at);
      outlet.retry(again, submitted.error());
    }
  }

  void take_outcomes(ports::Outlet& outlet, Duration wait) {
    std::deque<std::pair<ports::Place, Outcome>> arrived;
    {
      const base::MutexLock lock(inbox_->mutex);
      if (inbox_->arrived.empty() && wait > Duration::zero()) inbox_->changed.wait_for(inbox_->mutex, wait);
      arrived.swap(inbox_->arrived);
    }
    for (auto& [place, outcome] : arrived) {
      const auto open = open_.find(place);
      if (open == open_.end()) continue;
      const Open known = std::move(open->second);
      open_.erase(open);
      tell(outlet, known, outcome);
    }
  }

  void tell(ports::Outlet& outlet, const Open& open, const Outcome& outcome) {
    const bool done = outcome.result == Outcome::Result::done;
    const std::string result(name_of(outcome.result));
    std::string points;
    for (const auto& [name, value] : open.wanted.command.values) points += (points.empty() ? "" : ",") + name;
    // Why not "source": that name is the source of a reading; an event that names railhead there makes none.
    context_.reporter.report(
        done ? status::Event::modbus_command_done : status::Event::modbus_command_refused,
        {{"sink", context_.name},
         {"target", options_.source},
         {"device", open.wanted.command.device},
         {"point", points},
         {"requested", shown(open.wanted.command.values)},
         {"read_back", outcome.read_back.is(Kind::map) ? to_json(outcome.read_back) : std::string()},
         {"result", result},
         {"reason", outcome.why},
         {"correlation", open.wanted.correlation},
         {"identity", open.outgoing.identity}});
    if (done) {
      outlet.settle(open.outgoing.place);
    } else {
      outlet.set_aside(open.outgoing, {Errc::refused, result + ": " + outcome.why});
    }
  }

  const CommandSinkOptions options_;
  const ports::Context context_;
  const std::shared_ptr<Inbox> inbox_;
  JsonParser parser_;
  std::map<ports::Place, Open> open_;
};

}  // namespace

const config::Fields<CommandSinkConfig>& command_sink_fields() {
  static const config::Fields<CommandSinkConfig> fields =
      config::Fields<CommandSinkConfig>("modbus sink", "Writes to the devices of a Modbus source, at most once.")
          .required("source", &CommandSinkConfig::source,
                    {.sentence = "The Modbus source whose devices are written.",
                     .example = "boiler-house",
                     .not_empty = true})
          .optional(
              "ttl", &CommandSinkConfig::ttl,
              {.sentence = "A command that could not be sent within this time is never sent; a `ttl` of the rule's "
                           "send wins.",
               .min = "100 ms",
               .max = "24 h"})
          .optional("verify", &CommandSinkConfig::verify,
                    {.sentence = "Read back what was written; otherwise only points whose `write` says so."})
          .optional(
              "repeat", &CommandSinkConfig::repeat,
              {.sentence = "Send a command again that was begun before a crash: only for those that may be carried "
                           "out twice."});
  return fields;
}

std::unique_ptr<ports::Sink> make_command_sink(CommandSinkOptions options, ports::Context context) {
  return std::make_unique<CommandSink>(std::move(options), std::move(context));
}

}  // namespace railhead::modbus
