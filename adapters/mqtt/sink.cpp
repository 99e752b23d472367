#include "adapters/mqtt/sink.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/mqtt/outgoing_fault.h"
#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/publisher.h"
#include "adapters/mqtt/servers.h"
#include "gateway/base/mutex.h"
#include "gateway/message/record.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::mqtt {
namespace {

using status::Event;
using status::LinkStatus;

constexpr Duration kIdleMost = std::chrono::minutes{1};
constexpr Duration kLookWait =
    std::chrono::milliseconds{500};                   // while records are on the way or the connection is young
constexpr Duration kYoung = std::chrono::seconds{3};  // what Publisher::look() looks for shows by then
constexpr Duration kCarefulWait = std::chrono::milliseconds{500};     // while Suspects watch
constexpr Duration kCarefulBusyWait = std::chrono::milliseconds{20};  // and records are on the way
constexpr Duration kRoomWait = std::chrono::milliseconds{500};
constexpr std::size_t kBatchBytes = 1024 * 1024;

// These will be refused again; the others may pass later.
bool refused_for_good(std::uint8_t code) {
  return code == reason::kNotAuthorized || code == reason::kTopicNameInvalid || code == reason::kPayloadFormatInvalid ||
         code == reason::kPacketTooLarge || code == reason::kRetainNotSupported || code == reason::kQosNotSupported;
}

// What a broker's DISCONNECT says about the records on the way [5 3.14.2.1].
Suspects::End end_of(std::optional<std::uint8_t> said) {
  if (!said) return Suspects::End::closed;
  switch (*said) {
    case reason::kMalformed:
    case reason::kTopicNameInvalid:
    case reason::kPacketTooLarge:
    case reason::kRetainNotSupported:
    case reason::kQosNotSupported:
    case reason::kPayloadFormatInvalid: return Suspects::End::about_packet;
    case reason::kUnspecified:
    case reason::kProtocolError:
    case reason::kImplementationSpecific:
    case reason::kNotAuthorized: return Suspects::End::closed;
    default: return Suspects::End::other;
  }
}

class MqttSink final : public ports::Sink, private Publisher::Observer {
 public:
  MqttSink(SinkSettings settings, ports::Context context)
      : settings_(std::move(settings)),
        context_(std::move(context)),
        keep_alives_(settings_.urls.size(), settings_.keep_alive),
        backoff_(settings_.backoff, system::random_seed()),
        long_backoff_(settings_.long_backoff, system::random_seed()) {}

  void run(ports::Outlet& outlet, std::stop_token stop) override {
    const std::stop_callback waker(stop, [this] {
      wake_.signal();
      const base::MutexLock lock(mutex_);
      changed_.notify_all();
    });
    suspects_.emplace(settings_.suspects, context_, outlet);
    while (!stop.stop_requested()) {
      context_.link.progress(context_.clock.boot_now());
      prepare(outlet);
      Result<std::unique_ptr<Publisher>> publisher = Publisher::connect(settings_, url(), keep_alive(), *this, stop);
      if (!publisher) {
        if (publisher.error().code == Errc::stopped) break;
        down(publisher.error().what);
        suspects_->outage(context_.clock.boot_now());
        ++tried_;
        pause(backoff_.next(), stop);
        continue;
      }
      window_ = (*publisher)->window();
      begin(outlet);
      const BootTime up_since = context_.clock.boot_now();
      feed(outlet, **publisher, up_since, stop);
      if (stop.stop_requested()) drain();
      refuse_all(outlet);
      if (stop.stop_requested()) {
        publisher->reset();
        end();
        break;
      }
      const bool explained = weigh_loss();
      publisher->reset();
      end();
      const Duration lived = context_.clock.boot_now() - up_since;
      if (explained || lived > system::Backoff::kStable) backoff_.reset();
      if (lived > system::Backoff::kStable) long_backoff_.reset();
      const Lost lost = taken_loss();
      down(lost.why);
      pause(advice(lost) == Advice::later ? long_backoff_.next() : backoff_.next(), stop);
    }
    context_.link.set(LinkStatus::State::down, "stopped");
  }

 private:
  struct Refused {
    ports::Outgoing outgoing;
    std::uint8_t reason;
  };
  struct Served {
    ports::Place place;
    std::string topic;
  };
  struct Lost {
    std::string why;
    Suspects::End end;
    BootTime at;
    std::optional<std::uint8_t> said = {};
  };

  [[nodiscard]] Duration& keep_alive() { return keep_alives_[tried_ % keep_alives_.size()]; }
  [[nodiscard]] const Url& url() const { return settings_.urls[tried_ % settings_.urls.size()]; }

  // Before a connection is made: from then on the library's threads may speak.
  void prepare(ports::Outlet& outlet) {
    const base::MutexLock lock(mutex_);
    on_the_way_.clear();
    refused_.clear();
    served_.clear();
    lost_.reset();
    outlet_ = &outlet;
  }

  // Everything not settled is sent again.
  void begin(ports::Outlet& outlet) {
    {
      const base::MutexLock lock(mutex_);
      answered_at_ = context_.clock.boot_now();
    }
    outlet.rewind();
    said_ = suspects_->says();
    context_.link.set(said_.empty() ? LinkStatus::State::up : LinkStatus::State::degraded, said_);
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
  void feed(ports::Outlet& outlet, Publisher& publisher, BootTime up_since, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const BootTime now = context_.clock.boot_now();
      context_.link.progress(now);
      refuse_all(outlet);
      tell_served(now);
      const std::size_t window = suspects_->one_at_a_time(now) ? 1 : window_;
      const std::optional<std::size_t> room = room_left(window, now);
      if (!room) return;
      if (*room == 0) continue;
      if (window == 1) suspects_->idle(now);
      ports::Limits limits;
      limits.records = *room;
      limits.bytes = kBatchBytes;
      const bool careful = suspects_->watches();  // its steps are made by turns of this loop
      limits.wait = !careful ? Duration{0} : *room == window_ ? kCarefulWait : kCarefulBusyWait;
      const std::span<const ports::Outgoing> batch = outlet.next(limits, stop);
      if (batch.empty()) publisher.look();
      if (batch.empty() && window == 1) suspects_->none_given(now);
      if (batch.empty() && !careful) sleep(outlet, up_since);
      for (const ports::Outgoing& outgoing : batch) {
        if (!send(outlet, publisher, outgoing)) return;
      }
    }
  }

  // Until the outlet has something new, a callback has something to say, or a stop.
  void sleep(const ports::Outlet& outlet, BootTime up_since) {
    const BootTime now = context_.clock.boot_now();
    Duration at_most = kIdleMost;
    {
      const base::MutexLock lock(mutex_);
      if (!on_the_way_.empty()) at_most = kLookWait;
    }
    if (now - up_since < kYoung) at_most = kLookWait;
    if (const std::optional<BootTime> due = outlet.next_due()) at_most = std::min(at_most, *due - now);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, Duration{0}));
    context_.link.sleeps_until(now + left);
    std::array<pollfd, 2> waits{{{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = outlet.ready_fd(), .events = POLLIN, .revents = 0}}};
    static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(left.count())));
    if ((waits[0].revents & POLLIN) != 0) wake_.clear();
  }

  void tell_served(BootTime now) {
    std::vector<Served> served;
    {
      const base::MutexLock lock(mutex_);
      served.swap(served_);
    }
    for (const Served& one : served) suspects_->served(one.place, one.topic, now);
    if (std::string says = suspects_->says(); says != said_) {
      said_ = std::move(says);
      context_.link.set(said_.empty() ? LinkStatus::State::up : LinkStatus::State::degraded, said_);
    }
  }

  // After the connection was lost. True: a record is known to be the cause.
  bool weigh_loss() {
    Suspects::Loss loss;
    {
      const base::MutexLock lock(mutex_);
      if (!lost_) return false;
      loss.end = lost_->end;
      loss.why = lost_->why;
      loss.on_the_way = on_the_way_.size();
      for (const auto& [number, outgoing] : on_the_way_) {
        loss.oldest = loss.oldest ? std::min(*loss.oldest, outgoing.place) : outgoing.place;
      }
      if (on_the_way_.size() == 1) loss.alone = on_the_way_.begin()->second;
      loss.since_sent = lost_->at - sent_at_;
    }
    const BootTime now = context_.clock.boot_now();
    tell_served(now);
    return suspects_->lost(loss, now);
  }

  // Waits for room in the window, within a bound. nullopt: the connection is lost.
  std::optional<std::size_t> room_left(std::size_t window, BootTime now) {
    const base::MutexLock lock(mutex_);
    watched_ = suspects_->watches();
    if (!lost_ && on_the_way_.size() >= window) changed_.wait_for(mutex_, kRoomWait);
    if (!on_the_way_.empty() && now - answered_at_ > settings_.timeout) {
      lost_ = Lost{"the broker confirms nothing", Suspects::End::other, now};
    }
    if (lost_) return std::nullopt;
    return window - std::min(window, on_the_way_.size());
  }

  // False: the connection is lost.
  bool send(ports::Outlet& outlet, Publisher& publisher, const ports::Outgoing& outgoing) {
    const Suspects::Pass pass = suspects_->pass(outgoing);
    if (pass == Suspects::Pass::skip) return true;
    const HeaderContext headers_context{.gateway = context_.gateway,
                                        .identity = outgoing.identity,
                                        .prefix = "",
                                        .late = outgoing.late || pass == Suspects::Pass::send_late,
                                        .with_key = true,
                                        .headless = !settings_.v5};
    const Enveloper::Wrapped& wrapped = enveloper_.wrap(outgoing.record, headers_context, settings_.envelope);
    const std::optional<std::chrono::seconds> expiry = expiry_of(outgoing, context_.clock.boot_now());
    std::string fault = outgoing_fault(outgoing.record.topic, wrapped);
    if (fault.empty()) fault = publisher.fault_of(outgoing.record.topic, wrapped, expiry);
    if (!fault.empty()) {
      set_aside(outlet, outgoing, fault);
      return true;
    }
    std::uint32_t number = 0;
    {
      const base::MutexLock lock(mutex_);
      if (lost_) return false;
      sent_at_ = context_.clock.boot_now();
      if (on_the_way_.empty()) answered_at_ = sent_at_;
      number = next_number_++;
      on_the_way_.emplace(number, outgoing);
    }
    if (Result<void> queued = publisher.publish(number, outgoing.record.topic, wrapped, expiry); !queued) {
      const base::MutexLock lock(mutex_);
      on_the_way_.erase(number);
      lose(queued.error().what, Suspects::End::other);
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
  void drain() {
    const BootTime until = context_.clock.boot_now() + settings_.drain;
    const base::MutexLock lock(mutex_);
    for (BootTime now = context_.clock.boot_now(); !on_the_way_.empty() && !lost_ && now < until;
         now = context_.clock.boot_now()) {
      changed_.wait_for(mutex_, until - now);
    }
  }

  Lost taken_loss() {
    const base::MutexLock lock(mutex_);
    return lost_.value_or(Lost{"the connection broke", Suspects::End::other, {}});
  }

  // What the broker's word asks of the next connection.
  Advice advice(const Lost& lost) {
    if (lost.said == reason::kSessionTakenOver) {
      context_.reporter.report(
          Event::session_taken_over,
          {{"sink", context_.name}, {"url", url().text()}, {"client_id", settings_.client_id}, {"why", lost.why}});
    }
    const Advice said = lost.said ? advice_of(*lost.said) : Advice::again;
    if (said == Advice::next_server || said == Advice::other_server) ++tried_;
    return said;
  }

  void on_waiting() override { context_.link.progress(context_.clock.boot_now()); }

  // --- on the library's threads

  void on_confirmed(std::uint32_t number) override {
    const base::MutexLock lock(mutex_);
    const auto found = on_the_way_.find(number);
    if (found == on_the_way_.end() || outlet_ == nullptr) return;
    outlet_->settle(found->second.place);
    answered(found->second);
    on_the_way_.erase(found);
  }
  void on_refused(std::uint32_t number, std::uint8_t code) override {
    const base::MutexLock lock(mutex_);
    const auto found = on_the_way_.find(number);
    if (found == on_the_way_.end()) return;
    answered(found->second);
    refused_.push_back({std::move(found->second), code});
    on_the_way_.erase(found);
    wake_.signal();
  }
  void on_lost(const std::string& why, std::optional<std::uint8_t> said) override {
    const base::MutexLock lock(mutex_);
    lose(why, end_of(said));
    if (!lost_->said) lost_->said = said;
  }

  void answered(const ports::Outgoing& outgoing) RAILHEAD_REQUIRES(mutex_) {
    if (watched_) served_.push_back({outgoing.place, outgoing.record.topic});
    answered_at_ = context_.clock.boot_now();
    changed_.notify_all();
  }
  void lose(const std::string& why, Suspects::End end) RAILHEAD_REQUIRES(mutex_) {
    if (!lost_) {
      lost_ = Lost{why, end, context_.clock.boot_now()};
      if (on_the_way_.size() == 1) {
        const Record& record = on_the_way_.begin()->second.record;
        lost_->why += "; only a record to '" + record.topic + "' was on the way, its body " +
                      std::to_string(record.body.size()) + " bytes";
      }
    }
    wake_.signal();
    changed_.notify_all();
  }

  const SinkSettings settings_;
  const ports::Context context_;
  std::vector<Duration> keep_alives_;  // by URL: what that server wants of us
  system::Backoff backoff_;
  system::Backoff long_backoff_;
  Enveloper enveloper_;
  std::size_t window_ = 0;            // of this connection
  std::size_t tried_ = 0;             // URLs that did not serve
  std::optional<Suspects> suspects_;  // of this run
  std::string said_;                  // of them, last
  const system::EventFd wake_;        // something for feed()
  base::Mutex mutex_;
  base::CondVar changed_;
  ports::Outlet* outlet_ RAILHEAD_GUARDED_BY(mutex_) = nullptr;
  std::unordered_map<std::uint32_t, ports::Outgoing> on_the_way_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Refused> refused_ RAILHEAD_GUARDED_BY(mutex_);
  bool watched_ RAILHEAD_GUARDED_BY(mutex_) = false;  // served_ is wanted
  std::vector<Served> served_ RAILHEAD_GUARDED_BY(mutex_);
  std::optional<Lost> lost_ RAILHEAD_GUARDED_BY(mutex_);
  BootTime sent_at_ RAILHEAD_GUARDED_BY(mutex_){};  // the last one
  std::uint32_t next_number_ RAILHEAD_GUARDED_BY(mutex_) = 1;
  BootTime answered_at_ RAILHEAD_GUARDED_BY(mutex_){};
};

}  // namespace

std::unique_ptr<ports::Sink> make_sink(SinkSettings settings, ports::Context context) {
  return std::make_unique<MqttSink>(std::move(settings), std::move(context));
}

}  // namespace railhead::mqtt
