#include "adapters/kafka/feed.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "gateway/base/assert.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"

namespace railhead::kafka {
namespace {

using status::Event;
using status::LinkStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kTake = 1'000;  // records from the outlet at once
constexpr milliseconds kTick{500};    // while there is no handle
constexpr seconds kIdleMost{60};
constexpr seconds kFlushMost{5};      // for confirmations at the stop
constexpr seconds kWithdrawMost{10};  // for what is on its way before a rewind; then a new handle
constexpr milliseconds kWithdrawStep{50};
constexpr seconds kProbeEvery{1};         // while the link is not up
constexpr milliseconds kProbeFirst{250};  // how long a probe waits; doubles up to the most, for slow links
constexpr milliseconds kProbeMost{2'000};
constexpr seconds kStalledAfter{10};       // no confirmation although records are out
constexpr milliseconds kAloneMost{100};    // per round, with a window so small that linger would rule
constexpr std::size_t kNarrowWindow = 64;  // at or below it batches are sent without linger
constexpr std::size_t kNarrowFactor = 8;
constexpr std::size_t kTopicsHeldMost = 1'000;
constexpr std::size_t kTopicsKept = 64;  // with nothing in flight
constexpr system::Backoff::Options kTopicBackoff{.first = seconds{2}, .most = seconds{60}};

}  // namespace

Feed::Feed(const KafkaOptions& options, const ports::Context& context, ports::Outlet& outlet)
    : options_(options),
      context_(context),
      outlet_(outlet),
      open_backoff_({}, system::random_seed()),
      window_(options.in_flight),
      probe_wait_(kProbeFirst) {}

Feed::~Feed() = default;

void Feed::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] { wake_.signal(); });
  while (!stop.stop_requested()) {
    const BootTime now = context_.clock.boot_now();
    context_.link.progress(now);
    if (!producer_ && !open(stop)) continue;
    producer_->poll(milliseconds{0});
    if (!fatal_.empty()) {
      rebuild(fatal_);
    } else if (starting_over_) {
      recover(now);
    } else {
      try_held_topics(now);
      take(stop);
      check_link(now);
    }
    if (producer_ && fatal_.empty() && !starting_over_) sleep(stop);
  }
  finish();
}

bool Feed::open(const std::stop_token& stop) {
  const Result<Settings> settings = settings_of(options_);
  Result<std::unique_ptr<Producer>> producer =
      settings ? Producer::open(*settings, *this, wake_.fd()) : fail(settings.error());
  if (producer) {
    producer_ = std::move(*producer);
    open_backoff_.reset();
    last_delivery_ = context_.clock.boot_now();
    next_probe_ = BootTime{};
    more_ = true;
    return true;
  }
  link_is_down(producer.error().what);
  const BootTime until = context_.clock.boot_now() + open_backoff_.next();
  while (!stop.stop_requested() && context_.clock.boot_now() < until) {
    context_.link.progress(context_.clock.boot_now());
    pollfd wake{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&wake, 1, static_cast<int>(kTick.count())));
    wake_.clear();
  }
  return false;
}

// Fills the window.
void Feed::take(const std::stop_token& stop) {
  if (!more_) return;
  while (in_flight_ < window_ && in_flight_bytes_ < options_.in_flight_bytes.value() && !stop.stop_requested()) {
    const ports::Limits limits{.records = std::min(window_ - in_flight_, kTake),
                               .bytes = static_cast<std::size_t>(options_.in_flight_bytes.value()) - in_flight_bytes_,
                               .wait = Duration{0}};
    const std::span<const ports::Outgoing> batch = outlet_.next(limits, stop);
    if (batch.empty()) {
      more_ = false;
      break;
    }
    for (const ports::Outgoing& outgoing : batch) {
      if (!dispatch(outgoing, stop)) return;
    }
    producer_->poll(milliseconds{0});
    if (!fatal_.empty() || starting_over_) return;
  }
  if (window_ <= kNarrowWindow && in_flight_ > 0) producer_->flush(kAloneMost);
}

// False: this record and those after it were not sent, and will be after a rewind.
bool Feed::dispatch(const ports::Outgoing& outgoing, const std::stop_token& stop) {
  const Record& record = outgoing.record;
  if (record.topic.empty()) {
    set_aside(outgoing, "the record names no topic");
    return true;
  }
  if (record.body.size() > options_.record_limit.value()) {
    set_aside(outgoing, "body of " + std::to_string(record.body.size()) + " bytes is larger than record_limit");
    return true;
  }
  bool probe = false;
  if (held(outgoing, probe)) return true;
  return send(outgoing, probe, stop);
}

bool Feed::send(const ports::Outgoing& outgoing, bool probe, const std::stop_token& stop) {
  const Record& record = outgoing.record;
  const bool late = outgoing.late || (!refused_.empty() && refused_.contains(outgoing.place));
  const HeaderContext headers{
      .gateway = context_.gateway, .identity = outgoing.identity, .prefix = "ce_", .late = late};
  const Enveloper::Wrapped& wrapped = enveloper_.wrap(record, headers, options_.envelope);
  if (free_.empty()) {
    free_.push_back(flights_.size());
    flights_.emplace_back();
  }
  const std::size_t index = free_.back();
  Producer::Message message{.topic = record.topic,
                            .key = record.key ? std::optional<std::string_view>(*record.key) : std::nullopt,
                            .body = wrapped.body,
                            .time = record.time,
                            .headers = &wrapped.headers,
                            .token = index};
  Result<void> sent = producer_->send(message);
  while (!sent && sent.error().code == Errc::full) {
    producer_->poll(kWithdrawStep);
    context_.link.progress(context_.clock.boot_now());
    if (stop.stop_requested() || !fatal_.empty() || starting_over_) {
      start_over(context_.clock.boot_now());
      return false;
    }
    check_link(context_.clock.boot_now());
    sent = producer_->send(message);
  }
  if (sent) {
    Flight& flight = flights_[index];
    auto topic = topics_.find(record.topic);
    if (topic == topics_.end()) topic = topics_.emplace(record.topic, 0).first;
    ++topic->second;
    flight = {
        .place = outgoing.place, .bytes = record.body.size(), .topic = topic, .probe = probe, .kept = std::nullopt};
    if (probe || window_ == 1) flight.kept = outgoing;
    free_.pop_back();
    if (in_flight_ == 0) last_delivery_ = context_.clock.boot_now();
    ++in_flight_;
    in_flight_bytes_ += flight.bytes;
    return true;
  }
  if (sent.error().code == Errc::refused) {
    set_aside(outgoing, sent.error().what);
    return true;
  }
  start_over(context_.clock.boot_now());
  return false;
}

void Feed::set_aside(const ports::Outgoing& outgoing, std::string why) {
  context_.reporter.report(Event::sink_refused,
                           {{"sink", context_.name}, {"topic", outgoing.record.topic}, {"error", why}});
  outlet_.set_aside(outgoing, Error{Errc::refused, std::move(why)});
}

bool Feed::held(const ports::Outgoing& outgoing, bool& probe) {
  if (holds_.empty()) return false;
  const auto found = holds_.find(outgoing.record.topic);
  if (found == holds_.end()) return false;
  Hold& hold = found->second;
  // Of a batch that was on its way here when the topic was held only the asked for record counts.
  if (!hold.probing || hold.sent) return true;
  hold.sent = true;
  probe = true;
  return false;
}

void Feed::hold_topic(std::string_view topic, std::string_view why) {
  auto found = holds_.find(topic);
  if (found == holds_.end()) {
    if (holds_.size() >= kTopicsHeldMost) {
      outlet_.release(holds_.begin()->first);
      holds_.erase(holds_.begin());
    }
    found = holds_
                .emplace(std::string(topic), Hold{.backoff = system::Backoff(kTopicBackoff, system::random_seed()),
                                                  .until = {},
                                                  .probing = false,
                                                  .sent = false})
                .first;
    outlet_.hold(topic);
  }
  Hold& hold = found->second;
  hold.probing = hold.sent = false;
  hold.until = context_.clock.boot_now() + hold.backoff.next();
  context_.reporter.report(Event::sink_topic_held,
                           {{"sink", context_.name}, {"topic", std::string(topic)}, {"error", std::string(why)}});
}

// One record of each, when its time has come and nothing of the topic is unanswered.
void Feed::try_held_topics(BootTime now) {
  for (auto& [topic, hold] : holds_) {
    if (hold.probing || now < hold.until) continue;
    const auto flying = topics_.find(topic);
    if (flying != topics_.end() && flying->second > 0) continue;
    hold.probing = true;
    outlet_.probe(topic);
    more_ = true;
  }
}

void Feed::forget_probes() {
  for (auto& [topic, hold] : holds_) hold.probing = hold.sent = false;
}

void Feed::on_report(std::uintptr_t token, Outcome outcome, std::string_view topic, std::string_view why) {
  const bool alone = in_flight_ == 1;
  const std::size_t index = release(token);
  Flight& flight = flights_[index];
  const BootTime now = context_.clock.boot_now();
  switch (outcome) {
    case Outcome::delivered:
      outlet_.settle(flight.place);
      if (!refused_.empty()) refused_.erase(flight.place);
      last_delivery_ = now;
      if (!holds_.empty()) {
        if (const auto found = holds_.find(topic); found != holds_.end()) {
          if (flight.probe) {
            holds_.erase(found);
            outlet_.release(topic);
            more_ = true;
          } else {
            found->second.until = now;  // sent before it was held: the topic is there again
          }
        }
      }
      if (link_ != Link::up) link_is_up();
      widen();
      break;
    case Outcome::refused:
      if (alone && flight.kept) {
        refused_.erase(flight.place);
        set_aside(*flight.kept, std::string(why));
        widen();
      } else {
        refused_.insert(flight.place);
        if (!starting_over_) narrow();
        start_over(now);
      }
      break;
    case Outcome::topic_unavailable:
      refused_.insert(flight.place);
      if (flight.probe || !holds_.contains(topic)) hold_topic(topic, why);
      break;
    case Outcome::again: start_over(now); break;
  }
  if (flight.probe && outcome != Outcome::delivered) {
    if (const auto found = holds_.find(topic); found != holds_.end())
      found->second.probing = found->second.sent = false;
  }
  flight.kept.reset();
}

std::size_t Feed::release(std::uintptr_t token) {
  const auto index = static_cast<std::size_t>(token);
  RAILHEAD_ASSERT(index < flights_.size() && in_flight_ > 0);
  --in_flight_;
  in_flight_bytes_ -= flights_[index].bytes;
  const Topics::iterator topic = flights_[index].topic;
  if (--topic->second == 0 && topics_.size() > kTopicsKept) topics_.erase(topic);
  free_.push_back(index);
  return index;
}

// The broker refused a batch: its guilty record is found by sending fewer together.
void Feed::narrow() {
  window_ = std::max<std::size_t>(1, std::min(window_, in_flight_ + 1) / kNarrowFactor);
  since_narrowed_ = 0;
}

void Feed::widen() {
  if (window_ == options_.in_flight) return;
  if (++since_narrowed_ < window_ * 2) return;
  since_narrowed_ = 0;
  window_ = std::min<std::size_t>(options_.in_flight, window_ * 2);
}

void Feed::start_over(BootTime now) {
  if (!starting_over_) starting_over_ = now;
}

// Withdraws what is queued, waits for what is on its way, rewinds.
void Feed::recover(BootTime now) {
  if (in_flight_ > 0 && now - *starting_over_ > kWithdrawMost) {
    rebuild("records on their way were not answered");
    return;
  }
  if (in_flight_ > 0) {
    producer_->withdraw_queued();
    producer_->poll(kWithdrawStep);
  }
  if (in_flight_ == 0 && fatal_.empty()) {
    starting_over_.reset();
    forget_probes();
    outlet_.rewind();
    more_ = true;
  }
}

void Feed::rebuild(std::string_view why) {
  context_.reporter.report(Event::sink_rebuilt, {{"sink", context_.name}, {"error", std::string(why)}});
  producer_.reset();
  flights_.clear();
  free_.clear();
  in_flight_ = 0;
  in_flight_bytes_ = 0;
  topics_.clear();
  forget_probes();
  fatal_.clear();
  starting_over_.reset();
  outlet_.rewind();
  more_ = true;
}

void Feed::on_fatal(std::string_view why) {
  if (fatal_.empty()) fatal_ = why.empty() ? "fatal error" : std::string(why);
}

void Feed::on_down(std::string_view why) { link_is_down(why); }

void Feed::link_is_up() {
  if (link_ != Link::stalled) context_.reporter.report(Event::sink_connected, {{"sink", context_.name}});
  link_ = Link::up;
  probe_wait_ = kProbeFirst;
  context_.link.set(LinkStatus::State::up);
}

void Feed::link_is_down(std::string_view why) {
  if (link_ != Link::down) {
    context_.reporter.report(Event::sink_lost, {{"sink", context_.name}, {"error", std::string(why)}});
  }
  link_ = Link::down;
  context_.link.set(LinkStatus::State::down, std::string(why));
}

void Feed::check_link(BootTime now) {
  if (link_ == Link::up && in_flight_ > 0 && now - last_delivery_ > kStalledAfter) {
    link_ = Link::stalled;
    context_.link.set(LinkStatus::State::degraded, "the broker confirms nothing");
  }
  if ((link_ == Link::unknown || link_ == Link::down) && now >= next_probe_) {
    const Result<void> answered = producer_->probe(probe_wait_);
    next_probe_ = context_.clock.boot_now() + kProbeEvery;
    if (answered) {
      link_is_up();
      return;
    }
    probe_wait_ = std::min(probe_wait_ * 2, kProbeMost);
    if (link_ == Link::down) context_.link.set(LinkStatus::State::down, answered.error().what);
  }
}

// Until the outlet has something new, the broker answered, a time of ours has come, or a stop.
void Feed::sleep(const std::stop_token& stop) {
  const bool room = in_flight_ < window_ && in_flight_bytes_ < options_.in_flight_bytes.value();
  if (stop.stop_requested() || (room && more_)) return;
  std::array<pollfd, 2> waits{{{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                               {.fd = room ? outlet_.ready_fd() : -1, .events = POLLIN, .revents = 0}}};
  const BootTime now = context_.clock.boot_now();
  const std::optional<BootTime> outlet_due = room ? outlet_.next_due() : std::nullopt;
  const BootTime until = std::min(due(now), outlet_due.value_or(BootTime::max()));
  const auto left = std::chrono::ceil<milliseconds>(std::max(until - now, Duration{0}));
  context_.link.sleeps_until(now + left);
  static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(left.count())));
  if ((waits[0].revents & POLLIN) != 0) wake_.clear();
  if ((waits[1].revents & POLLIN) != 0 || (outlet_due && context_.clock.boot_now() >= *outlet_due)) more_ = true;
}

// When there is something to do though neither side says anything.
BootTime Feed::due(BootTime now) const {
  BootTime until = now + kIdleMost;
  if (link_ == Link::unknown || link_ == Link::down) until = std::min(until, next_probe_);
  if (link_ == Link::up && in_flight_ > 0) until = std::min(until, last_delivery_ + kStalledAfter);
  for (const auto& [topic, hold] : holds_) {
    if (hold.probing) continue;
    const auto flying = topics_.find(topic);
    if (flying == topics_.end() || flying->second == 0) until = std::min(until, hold.until);
  }
  return until;
}

void Feed::finish() {
  if (producer_ && fatal_.empty() && !starting_over_ && in_flight_ > 0) {
    const BootTime until = context_.clock.boot_now() + kFlushMost;
    while (in_flight_ > 0 && fatal_.empty() && !starting_over_ && context_.clock.boot_now() < until) {
      producer_->flush(kWithdrawStep);
      context_.link.progress(context_.clock.boot_now());
    }
  }
  producer_.reset();
}

}  // namespace railhead::kafka
