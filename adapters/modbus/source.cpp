#include "adapters/modbus/source.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/link_commands.h"
#include "adapters/modbus/plan.h"
#include "adapters/modbus/serial.h"
#include "adapters/tls/context.h"
#include "gateway/base/mutex.h"
#include "gateway/ports/commands.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/backoff.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/resolver.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {
namespace {

constexpr Duration kIdleMost = std::chrono::seconds{1};           // between two signs of progress
constexpr Duration kOfferAgain = std::chrono::milliseconds{200};  // while the intake is full
constexpr Duration kExpireEvery = std::chrono::seconds{1};
constexpr Duration kMeasureEvery = std::chrono::seconds{5};
constexpr std::size_t kBatchMost = 1000;  // readings in one offer

Link::Connector connector_of(const LinkPlan& plan) {
  if (plan.link.endpoint.transport == Transport::rtu) {
    return
        [endpoint = plan.link.endpoint](const system::Address&) { return open_serial(endpoint.host, endpoint.serial); };
  }
  if (!plan.link.endpoint.secure()) return system::connect_tcp;
  return [options = plan.tls,
          host = plan.link.endpoint.host](const system::Address& address) -> Result<std::unique_ptr<system::Stream>> {
    // Made anew for each connect: renewed certificates count at once (S32).
    auto context = tls::Context::make(options);
    if (!context) return fail(context.error());
    auto stream = system::connect_tcp(address);
    if (!stream) return stream;
    return (*context)->secure(std::move(*stream), host);
  };
}

// What runs: made by run(), on its stack.
class Engine final : public Observer, private ports::CommandTaker {
 public:
  Engine(const SourceOptions& options, const ports::Context& context)
      : context_(context), loop_(context.clock), resolver_(loop_) {
    SchedulerOptions scheduling = options.scheduler;
    scheduling.source = context.name;
    std::vector<LinkGroups> groups = plan_source(options);
    for (std::size_t i = 0; i < options.links.size(); ++i) {
      const LinkPlan& plan = options.links[i];
      schedulers_.push_back(
          std::make_unique<Scheduler>(scheduling, context.clock, static_cast<Observer&>(*this), system::random_seed()));
      for (std::size_t j = 0; j < plan.devices.size(); ++j) {
        schedulers_.back()->add(plan.devices[j], std::move(groups[i].devices[j]));
        ++devices_;
      }
      commands_.push_back(std::make_unique<LinkCommands>(context.clock));
      for (const DeviceOptions& device : plan.devices) commands_.back()->add(device);
      links_.push_back(std::make_unique<Link>(plan.link, connector_of(plan), loop_, resolver_, *schedulers_.back(),
                                              static_cast<Observer&>(*this), system::random_seed(),
                                              commands_.back().get()));
    }
  }

  void run(ports::Intake& intake, const std::stop_token& stop) {
    const std::stop_callback waker(stop, [this] { loop_.wake(); });
    tell_status();
    busy_before_.assign(links_.size(), Duration{});
    measured_ = loop_.now();
    for (const auto& link : links_) link->start();
    const Desk desk(context_, *this);
    while (!stop.stop_requested()) {
      Duration wait = kIdleMost;
      if (blocked_) wait = kOfferAgain;
      if (const std::optional<BootTime> due = intake.next_due()) wait = std::min(wait, *due - loop_.now());
      loop_.run_once(wait);
      const BootTime now = loop_.now();
      context_.link.progress(now);
      take_commands(now);
      measure(now);
      hand_over(intake);
    }
  }

  ~Engine() override {
    for (const ports::Command& command : incoming_) {
      command.done({.result = ports::CommandOutcome::Result::expired,
                    .why = "the source stopped before it was sent",
                    .read_back = {}});
    }
  }

  // Any thread.
  bool take(ports::Command& command) override {
    {
      const base::MutexLock lock(incoming_mutex_);
      if (incoming_.size() >= LinkCommands::kWaitingMax) return false;
      incoming_.push_back(std::move(command));
    }
    came_.store(true, std::memory_order_release);
    loop_.wake();
    return true;
  }

  void on_reading(Reading reading, Duration every) override {
    pending_.push_back(std::move(reading));
    ticks_.push_back(every);
  }
  void on_device_down(const std::string& device, const std::string& why) override {
    down_[device] = why;
    for (const auto& commands : commands_) commands->forget(device);
    context_.reporter.report(status::Event::device_down,
                             {{"source", context_.name}, {"device", device}, {"error", why}});
    tell_status();
  }
  void on_device_up(const std::string& device) override {
    down_.erase(device);
    context_.reporter.report(status::Event::device_up, {{"source", context_.name}, {"device", device}});
    tell_status();
  }
  void on_placed(const std::string& device, const PlacedPoints& placed, const SunspecChain& chain) override {
    for (const auto& commands : commands_) commands->place(device, placed);
    std::string models;
    for (const SunspecModel& model : chain.models) {
      models += (models.empty() ? "" : ", ") + std::to_string(model.id) + " at " + std::to_string(model.address);
    }
    context_.reporter.report(status::Event::models_found,
                             {{"source", context_.name}, {"device", device}, {"models", models}});
    for (const std::string& missing : placed.missing) {
      context_.reporter.report(status::Event::model_missing,
                               {{"source", context_.name}, {"device", device}, {"model", missing}});
    }
  }
  void on_refused(const std::string& device, const ReadRequest& request, const std::string& why) override {
    context_.reporter.report(status::Event::request_refused, {{"source", context_.name},
                                                              {"device", device},
                                                              {"table", std::string(name_of(request.table))},
                                                              {"address", std::to_string(request.address)},
                                                              {"count", std::to_string(request.count)},
                                                              {"error", why}});
  }
  void on_missed(const std::string& device, std::uint64_t ticks, Missed why) override {
    context_.reporter.report(
        status::Event::poll_missed,
        {{"source", context_.name},
         {"device", device},
         {"ticks", std::to_string(ticks)},
         {"why", why == Missed::unconnected ? "there was no connection"
                 : why == Missed::silence   ? "the link waited for devices that did not answer"
                                            : "all that is asked of the link takes longer than there is time"}});
  }
  void on_connected(const std::string& endpoint) override {
    reached_ = true;
    context_.reporter.report(status::Event::source_connected, {{"source", context_.name}, {"link", endpoint}});
    tell_status();
  }
  void on_lost(const std::string& endpoint, const std::string& why) override {
    lost_why_ = why.find(endpoint) != std::string::npos ? why : endpoint + ": " + why;
    context_.reporter.report(status::Event::source_lost,
                             {{"source", context_.name}, {"link", endpoint}, {"error", why}});
    tell_status();
  }
  void on_discarded(const std::string& endpoint, const std::string& why) override {
    context_.reporter.report(status::Event::answer_discarded,
                             {{"source", context_.name}, {"link", endpoint}, {"error", why}});
  }

 private:
  // At the desk as long as the engine runs.
  class Desk {
   public:
    Desk(const ports::Context& context, ports::CommandTaker& taker) : context_(context) {
      if (context_.commands != nullptr) context_.commands->open(context_.name, taker);
    }
    ~Desk() {
      if (context_.commands != nullptr) context_.commands->close(context_.name);
    }
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

   private:
    const ports::Context& context_;
  };

  void take_commands(BootTime now) {
    // Why a flag: this runs for each answer, and most plants write once a minute.
    if (now >= expire_at_) {
      expire_at_ = now + kExpireEvery;
      for (const auto& commands : commands_) commands->expire();
    }
    if (!came_.exchange(false, std::memory_order_acquire)) return;
    std::vector<ports::Command> incoming;
    {
      const base::MutexLock lock(incoming_mutex_);
      incoming.swap(incoming_);
    }
    for (ports::Command& command : incoming) {
      std::size_t link = 0;
      while (link < commands_.size() && !commands_[link]->has(command.device)) ++link;
      // The first one refuses what nobody has.
      if (link == commands_.size()) link = 0;
      commands_[link]->take(std::move(command));
      links_[link]->poke();
    }
  }

  void tell_status() {
    using State = status::LinkStatus::State;
    context_.link.devices(devices_, static_cast<std::uint32_t>(down_.size()));
    if (devices_ != 0 && down_.size() == devices_) {
      context_.link.set(State::down, lost_why_.empty() ? "no device answers" : lost_why_);
    } else if (!down_.empty()) {
      context_.link.set(State::degraded, down_.begin()->first + ": " + down_.begin()->second);
    } else if (reached_) {
      context_.link.set(State::up);
    } else {
      context_.link.set(State::starting, lost_why_);
    }
  }

  // Of the busiest link, over some seconds: what `busy` in the status shows.
  void measure(BootTime now) {
    if (now - measured_ < kMeasureEvery) return;
    const auto passed = static_cast<double>((now - measured_).count());
    double busiest = 0;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const Duration busy = links_[i]->busy();
      busiest = std::max(busiest, static_cast<double>((busy - busy_before_[i]).count()) / passed);
      busy_before_[i] = busy;
    }
    measured_ = now;
    context_.link.busy(static_cast<std::uint32_t>(std::min(busiest, 1.0) * 1000));
  }

  void hand_over(ports::Intake& intake) {
    if (blocked_ && loop_.now() < offer_again_) return;
    if (pending_.empty()) {
      // A window that closes by time.
      const std::optional<BootTime> due = intake.next_due();
      if (due && *due <= loop_.now()) blocked_ = !intake.offer({});
      if (blocked_) offer_again_ = loop_.now() + kOfferAgain;
      return;
    }
    std::size_t taken = 0;
    blocked_ = false;
    while (taken < pending_.size()) {
      const std::size_t count = std::min(kBatchMost, pending_.size() - taken);
      if (!intake.offer(std::span<const Reading>(pending_).subspan(taken, count))) {
        blocked_ = true;
        offer_again_ = loop_.now() + kOfferAgain;
        break;
      }
      taken += count;
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
    ticks_.erase(ticks_.begin(), ticks_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (blocked_) keep_newest();
  }

  // Of each device and tick only the last reading stays, in the order of arrival.
  void keep_newest() {
    std::set<std::pair<std::string, Duration>> seen;
    std::size_t to = pending_.size();
    std::uint64_t left_out = 0;
    for (std::size_t from = pending_.size(); from-- > 0;) {
      if (!seen.emplace(pending_[from].device, ticks_[from]).second) {
        ++left_out;
        continue;
      }
      if (--to != from) {
        pending_[to] = std::move(pending_[from]);
        ticks_[to] = ticks_[from];
      }
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(to));
    ticks_.erase(ticks_.begin(), ticks_.begin() + static_cast<std::ptrdiff_t>(to));
    for (; left_out > 0; --left_out) {
      context_.reporter.report(status::Event::reading_superseded, {{"source", context_.name}});
    }
  }

  const ports::Context& context_;
  system::EventLoop loop_;
  system::Resolver resolver_;
  std::vector<std::unique_ptr<Scheduler>> schedulers_;
  std::vector<std::unique_ptr<LinkCommands>> commands_;  // beside links_
  std::vector<std::unique_ptr<Link>> links_;
  base::Mutex incoming_mutex_;
  std::vector<ports::Command> incoming_ RAILHEAD_GUARDED_BY(incoming_mutex_);
  std::atomic<bool> came_{false};  // incoming_ is not empty
  BootTime expire_at_{};
  std::vector<Duration> busy_before_;  // beside links_, at measured_
  BootTime measured_{};
  std::vector<Reading> pending_;
  std::vector<Duration> ticks_;  // beside pending_
  bool blocked_ = false;         // the intake took nothing
  BootTime offer_again_{};
  std::uint32_t devices_ = 0;
  std::map<std::string, std::string> down_;  // devices that do not answer, and why
  bool reached_ = false;
  std::string lost_why_;
};

}  // namespace

ModbusSource::ModbusSource(std::shared_ptr<const SourceOptions> options, ports::Context context)
    : options_(std::move(options)), context_(std::move(context)) {}

void ModbusSource::run(ports::Intake& intake, std::stop_token stop) {
  Engine engine(*options_, context_);
  engine.run(intake, stop);
}

}  // namespace railhead::modbus
