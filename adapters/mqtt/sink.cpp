#include "adapters/mqtt/sink.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/publisher.h"
#include "gateway/base/mutex.h"
#include "gateway/message/record.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::mqtt {
namespace {

using status::Event;
using status::LinkStatus;

constexpr Duration kIdleWait = std::chrono::milliseconds{500};
constexpr Duration kBusyWait = std::chrono::milliseconds{20};  // while records are on the way
constexpr Duration kRoomWait = std::chrono::milliseconds{500};
constexpr std::size_t kBatchBytes = 1024 * 1024;

// Why a record can never leave; empty if it can.
std::string fault_of(const std::string& topic, const Enveloper::Wrapped& wrapped) {
  if (!is_topic_name(topic)) return "'" + topic + "' is not an MQTT topic name";
  if (wrapped.body.size() > 268'000'000) return "the body is larger than an MQTT packet";
  for (const Header& header : wrapped.headers) {
    if (header.name.size() > 0xffff || header.value.size() > 0xffff) return "header '" + header.name + "' is too long";
    if (header.name == kCorrelationDataHeader) continue;  // any bytes
    if (!is_text(header.name) || !is_text(header.value)) return "header '" + header.name + "' is not text";
    if (header.name == kResponseTopicHeader && !is_topic_name(header.value)) {
      return "'" + header.value + "' is not a topic to answer to";
    }
  }
  return {};
}

// What is left of the record's time, in whole seconds as MQTT counts, never 0.
std::optional<std::chrono::seconds> expiry_of(const ports::Outgoing& outgoing, BootTime now) {
  if (outgoing.record.ttl <= Duration::zero()) return std::nullopt;
  Duration left = outgoing.record.ttl;
  if (outgoing.appended) left -= now - *outgoing.appended;
  constexpr std::chrono::seconds kMost{0x7fffffff};
  if (left >= kMost) return std::nullopt;
  return std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds{1});
}

// These will be refused again; the others may pass later.
bool refused_for_good(std::uint8_t code) {
  return code == reason::kNotAuthorized || code == 0x90 || code == 0x99 || code == reason::kPacketTooLarge ||
         code == 0x9a || code == 0x9b;
}

class MqttSink final : public ports::Sink, private Publisher::Observer {
 public:
  MqttSink(SinkSettings settings, ports::Context context)
      : settings_(std::move(settings)),
        context_(std::move(context)),
        backoff_(settings_.backoff, system::random_seed()) {}

  void run(ports::Outlet& outlet, std::stop_token stop) override {
    const std::stop_callback waker(stop, [this] {
      const base::MutexLock lock(mutex_);
      changed_.notify_all();
    });
    while (!stop.stop_requested()) {
      context_.link.progress(context_.clock.boot_now());
      Result<std::unique_ptr<Publisher>> publisher = Publisher::connect(settings_, url(), *this, stop);
      if (!publisher) {
        if (publisher.error().code == Errc::stopped) break;
        down(publisher.error().what);
        ++tried_;
        pause(backoff_.next(), stop);
        continue;
      }
      window_ = (*publisher)->window();
      begin(outlet);
      const BootTime up_since = context_.clock.boot_now();
      feed(outlet, **publisher, stop);
      if (stop.stop_requested()) drain(stop);
      refuse_all(outlet);
      publisher->reset();
      end();
      if (context_.clock.boot_now() - up_since > system::Backoff::kStable) backoff_.reset();
      if (stop.stop_requested()) break;
      down(lost_because());
      pause(backoff_.next(), stop);
    }
    context_.link.set(LinkStatus::State::down, "stopped");
  }

 private:
  struct Refused {
    ports::Outgoing outgoing;
    std::uint8_t reason;
  };

  [[nodiscard]] const Url& url() const { return settings_.urls[tried_ % settings_.urls.size()]; }

  // A new connection: everything not settled is sent again.
  void begin(ports::Outlet& outlet) {
    {
      const base::MutexLock lock(mutex_);
      on_the_way_.clear();
      refused_.clear();
      lost_.reset();
      outlet_ = &outlet;
      answered_at_ = context_.clock.boot_now();
    }
    outlet.rewind();
    context_.link.set(LinkStatus::State::up);
    context_.reporter.report(Event::sink_connected, {{"sink", context_.name}, {"url", url().text()}});
  }

  void end() {
    const base::MutexLock lock(mutex_);
    outlet_ = nullptr;
    on_the_way_.clear();
  }

  void down(const std::string& why) {
    context_.link.set(LinkStatus::State::down, why);
    context_.reporter.report(Event::sink_lost, {{"sink", context_.name}, {"url", url().text()}, {"error", why}});
  }

  void pause(Duration how_long, const std::stop_token& stop) {
    const BootTime until = context_.clock.boot_now() + how_long;
    while (!stop.stop_requested()) {
      const BootTime now = context_.clock.boot_now();
      if (now >= until) return;
      context_.link.progress(now);
      const base::MutexLock lock(mutex_);
      changed_.wait_for(mutex_, std::min<Duration>(until - now, std::chrono::seconds{1}));
    }
  }

  // Until the connection is lost or `stop`.
  void feed(ports::Outlet& outlet, Publisher& publisher, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const BootTime now = context_.clock.boot_now();
      context_.link.progress(now);
      refuse_all(outlet);
      const std::optional<std::size_t> room = room_left(now);
      if (!room) return;
      if (*room == 0) continue;
      ports::Limits limits;
      limits.records = *room;
      limits.bytes = kBatchBytes;
      limits.wait = *room == window_ ? kIdleWait : kBusyWait;
      for (const ports::Outgoing& outgoing : outlet.next(limits, stop)) {
        if (!send(outlet, publisher, outgoing)) return;
      }
    }
  }

  // Waits for room in the window, within a bound. nullopt: the connection is lost.
  std::optional<std::size_t> room_left(BootTime now) {
    const base::MutexLock lock(mutex_);
    if (!lost_ && on_the_way_.size() >= window_) changed_.wait_for(mutex_, kRoomWait);
    if (!on_the_way_.empty() && now - answered_at_ > settings_.timeout) lost_ = "the broker confirms nothing";
    if (lost_) return std::nullopt;
    return window_ - on_the_way_.size();
  }

  // False: the connection is lost.
  bool send(ports::Outlet& outlet, Publisher& publisher, const ports::Outgoing& outgoing) {
    const HeaderContext headers_context{.gateway = context_.gateway,
                                        .identity = outgoing.identity,
                                        .prefix = "",
                                        .late = outgoing.late,
                                        .with_key = true,
                                        .headless = !settings_.v5};
    const Enveloper::Wrapped& wrapped = enveloper_.wrap(outgoing.record, headers_context, settings_.envelope);
    const std::optional<std::chrono::seconds> expiry = expiry_of(outgoing, context_.clock.boot_now());
    std::string fault = fault_of(outgoing.record.topic, wrapped);
    if (fault.empty()) fault = publisher.fault_of(outgoing.record.topic, wrapped, expiry);
    if (!fault.empty()) {
      set_aside(outlet, outgoing, fault);
      return true;
    }
    std::uint32_t number = 0;
    {
      const base::MutexLock lock(mutex_);
      if (lost_) return false;
      if (on_the_way_.empty()) answered_at_ = context_.clock.boot_now();
      number = next_number_++;
      on_the_way_.emplace(number, outgoing);
    }
    if (Result<void> queued = publisher.publish(number, outgoing.record.topic, wrapped, expiry); !queued) {
      on_lost(queued.error().what);
      return false;
    }
    return true;
  }

  void set_aside(ports::Outlet& outlet, const ports::Outgoing& outgoing, const std::string& why) {
    context_.reporter.report(Event::sink_refused,
                             {{"sink", context_.name}, {"topic", outgoing.record.topic}, {"error", why}});
    outlet.set_aside(outgoing, {Errc::refused, why});
  }

  void refuse_all(ports::Outlet& outlet) {
    std::vector<Refused> refused;
    {
      const base::MutexLock lock(mutex_);
      refused.swap(refused_);
    }
    for (const Refused& one : refused) {
      if (refused_for_good(one.reason)) {
        set_aside(outlet, one.outgoing, reason_text(one.reason));
      } else {
        context_.reporter.report(
            Event::sink_retried,
            {{"sink", context_.name}, {"topic", one.outgoing.record.topic}, {"error", reason_text(one.reason)}});
        outlet.retry(one.outgoing, {Errc::unavailable, reason_text(one.reason)});
      }
    }
  }

  // What is on the way still gets its confirm, within a bound.
  void drain(const std::stop_token&) {
    const BootTime until = context_.clock.boot_now() + settings_.drain;
    const base::MutexLock lock(mutex_);
    for (BootTime now = context_.clock.boot_now(); !on_the_way_.empty() && !lost_ && now < until;
         now = context_.clock.boot_now()) {
      changed_.wait_for(mutex_, until - now);
    }
  }

  std::string lost_because() {
    const base::MutexLock lock(mutex_);
    return lost_.value_or("the connection broke");
  }

  void on_waiting() override { context_.link.progress(context_.clock.boot_now()); }

  // --- on the library's threads

  void on_confirmed(std::uint32_t number) override {
    const base::MutexLock lock(mutex_);
    const auto found = on_the_way_.find(number);
    if (found == on_the_way_.end() || outlet_ == nullptr) return;
    outlet_->settle(found->second.place);
    on_the_way_.erase(found);
    answered_at_ = context_.clock.boot_now();
    changed_.notify_all();
  }
  void on_refused(std::uint32_t number, std::uint8_t code) override {
    const base::MutexLock lock(mutex_);
    const auto found = on_the_way_.find(number);
    if (found == on_the_way_.end()) return;
    refused_.push_back({std::move(found->second), code});
    on_the_way_.erase(found);
    answered_at_ = context_.clock.boot_now();
    changed_.notify_all();
  }
  void on_lost(const std::string& why) override {
    const base::MutexLock lock(mutex_);
    if (!lost_) {
      lost_ = why;
      if (on_the_way_.size() == 1) {
        const Record& record = on_the_way_.begin()->second.record;
        *lost_ += "; only a record to '" + record.topic + "' was on the way, its body " +
                  std::to_string(record.body.size()) + " bytes";
      }
    }
    changed_.notify_all();
  }

  const SinkSettings settings_;
  const ports::Context context_;
  system::Backoff backoff_;
  Enveloper enveloper_;
  std::size_t window_ = 0;  // of this connection
  std::size_t tried_ = 0;   // URLs that did not serve
  base::Mutex mutex_;
  base::CondVar changed_;
  ports::Outlet* outlet_ RAILHEAD_GUARDED_BY(mutex_) = nullptr;
  std::unordered_map<std::uint32_t, ports::Outgoing> on_the_way_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Refused> refused_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<std::string> lost_ RAILHEAD_GUARDED_BY(mutex_);
  std::uint32_t next_number_ RAILHEAD_GUARDED_BY(mutex_) = 1;
  BootTime answered_at_ RAILHEAD_GUARDED_BY(mutex_){};
};

}  // namespace

std::unique_ptr<ports::Sink> make_sink(SinkSettings settings, ports::Context context) {
  return std::make_unique<MqttSink>(std::move(settings), std::move(context));
}

}  // namespace railhead::mqtt
