#include "adapters/amqp/feed.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"

namespace railhead::amqp {
namespace {

using status::Event;
using status::LinkStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kTake = 200;  // records from the outlet at once; answers are read after each batch
constexpr milliseconds kTick{500};  // while not connected, and at the stop
constexpr seconds kIdleMost{60};
constexpr seconds kPublishMost{10};          // one publish; then the socket is shut down
constexpr seconds kHurry{1};                 // any call, after a stop
constexpr milliseconds kConfirmMost{5'000};  // for confirmations at the stop
constexpr milliseconds kCloseMost{1'000};
constexpr seconds kSettled{30};  // a connection that lived so long was a good one
constexpr system::Backoff::Options kHeldBackoff{.first = milliseconds{500}, .most = seconds{30}};
constexpr std::size_t kHeldMost = 1'000;
constexpr system::Backoff::Options kBackoff{.first = milliseconds{200}, .most = seconds{15}};

}  // namespace

Feed::Feed(const AmqpOptions& options, const ports::Context& context, ports::Outlet& outlet)
    : options_(options),
      context_(context),
      outlet_(outlet),
      watchdog_(context.clock),
      backoff_(kBackoff, system::random_seed()) {}

Feed::~Feed() = default;

void Feed::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] {
    watchdog_.hurry(kHurry);
    wake_.signal();
  });
  while (!stop.stop_requested()) {
    context_.link.progress(context_.clock.boot_now());
    if (!connection_) {
      connect(stop);
    } else {
      serve(stop);
    }
  }
  finish();
}

void Feed::connect(const std::stop_token& stop) {
  const Result<Target> target = target_of(options_, context_.gateway + "/" + context_.name);
  Result<std::unique_ptr<Connection>> connection = target ? Connection::open(*target, *this) : fail(target.error());
  if (connection) {
    connection_ = std::move(*connection);
    confirms_ = Confirms();
    last_answer_ = connected_at_ = context_.clock.boot_now();
    blocked_ = false;
    protocol_fault_ = false;
    more_ = true;
    lost_before_ = false;
    context_.link.set(LinkStatus::State::up);
    context_.reporter.report(Event::sink_connected, {{"sink", context_.name}});
    return;
  }
  lost(connection.error());
  const BootTime until = context_.clock.boot_now() + backoff_.next();
  while (!stop.stop_requested()) {
    const BootTime now = context_.clock.boot_now();
    context_.link.progress(now);
    if (now >= until) return;
    wait(false, std::min(kTick, std::chrono::ceil<milliseconds>(until - now)));
  }
}

void Feed::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const Result<void> turned = turn(stop); !turned) {
      lost(turned.error());
      return;
    }
    sleep();
  }
}

Result<void> Feed::turn(const std::stop_token& stop) {
  const BootTime now = context_.clock.boot_now();
  context_.link.progress(now);
  {
    const Watchdog::Guard guard(watchdog_, connection_->fd(), kPublishMost);
    if (Result<void> received = connection_->receive(); !received) return received;
  }
  if (protocol_fault_) return fail(Errc::protocol, "the broker confirmed a message that was never sent");
  if (!blocked_) {
    try_held(now);
    if (Result<void> sent = send_window(stop); !sent) return sent;
    if (confirms_.size() > 0 && now - last_answer_ > options_.confirm_timeout) {
      return fail(Errc::timeout, "the broker confirmed nothing for " +
                                     std::to_string(std::chrono::duration_cast<seconds>(now - last_answer_).count()) +
                                     " s");
    }
  }
  return {};
}

// Until the outlet has something new, the broker said something, a time of ours has come, or a stop.
void Feed::sleep() {
  const bool for_records = room() && !blocked_;
  if ((for_records && more_) || connection_->has_more()) return wait(for_records, milliseconds{0});
  const BootTime now = context_.clock.boot_now();
  const std::optional<BootTime> outlet_due = for_records ? outlet_.next_due() : std::nullopt;
  const BootTime until = std::min(due(now), outlet_due.value_or(BootTime::max()));
  const auto left = std::chrono::ceil<milliseconds>(std::max(until - now, Duration{0}));
  context_.link.sleeps_until(now + left);
  wait(for_records, left);
  if (outlet_due && context_.clock.boot_now() >= *outlet_due) more_ = true;
}

// When there is something to do though neither side says anything.
BootTime Feed::due(BootTime now) const {
  BootTime until = now + kIdleMost;
  // The library sends its heartbeats, and misses the peer's, within receive().
  if (const Duration heartbeat = connection_->heartbeat(); heartbeat > Duration{0}) {
    until = std::min(until, now + heartbeat / 2);
  }
  if (blocked_) return until;
  if (confirms_.size() > 0) until = std::min(until, last_answer_ + options_.confirm_timeout + milliseconds{1});
  for (const auto& [destination, hold] : holds_) {
    if (!hold.probing && !flying_.contains(destination)) until = std::min(until, hold.until);
  }
  return until;
}

bool Feed::room() const {
  return confirms_.size() < options_.window && confirms_.bytes() < options_.window_bytes.value();
}

// One batch; answers are read in between, so a window of any size never fills the broker's way back.
Result<void> Feed::send_window(const std::stop_token& stop) {
  if (!more_ || !room()) return {};
  const ports::Limits limits{.records = std::min<std::size_t>(options_.window - confirms_.size(), kTake),
                             .bytes = static_cast<std::size_t>(options_.window_bytes.value()) - confirms_.bytes(),
                             .wait = Duration{0}};
  const std::span<const ports::Outgoing> batch = outlet_.next(limits, stop);
  if (batch.empty()) {
    more_ = false;
    return {};
  }
  for (const ports::Outgoing& outgoing : batch) {
    if (!holds_.empty() && waits(ports::destination_of(outgoing.record))) continue;
    if (Result<void> sent = send(outgoing); !sent) return sent;
  }
  return {};
}

std::optional<std::uint8_t> Feed::priority_of(const Record& record) const {
  for (const Header& header : record.headers) {
    if (header.name != kAmqpPriorityHeader) continue;
    const std::optional<std::uint64_t> wanted = base::parse_uint(header.value);
    if (wanted && *wanted <= 255) return static_cast<std::uint8_t>(*wanted);
  }
  return options_.amqp_priority;
}

Result<void> Feed::send(const ports::Outgoing& outgoing) {
  const Record& record = outgoing.record;
  Enveloper::Wrapped& wrapped = enveloper_.wrap(record,
                                                {.gateway = context_.gateway,
                                                 .identity = outgoing.identity,
                                                 .prefix = "cloudEvents_",
                                                 .late = outgoing.late,
                                                 .with_key = true},
                                                options_.envelope);
  // The content type is a property of its own here.
  std::erase_if(wrapped.headers, [](const Header& header) { return header.name == "content-type"; });
  const Publication publication{.exchange = options_.exchange,
                                .routing_key = record.routing_key,
                                .message_id = outgoing.identity,
                                .content_type = wrapped.content_type,
                                .body = wrapped.body,
                                .headers = &wrapped.headers,
                                .time = record.time,
                                .priority = priority_of(record),
                                .mandatory = options_.mandatory,
                                .persistent = options_.persistent};
  const Watchdog::Guard guard(watchdog_, connection_->fd(), kPublishMost);
  if (Result<void> published = connection_->publish(publication); !published) {
    if (published.error().code != Errc::refused) return published;
    set_aside(outgoing, published.error().what);
    return {};
  }
  if (confirms_.size() == 0) last_answer_ = context_.clock.boot_now();
  ++flying_[std::string(ports::destination_of(record))];
  static_cast<void>(confirms_.published(outgoing));
  return {};
}

void Feed::on_ack(std::uint64_t tag, bool multiple) { answered(tag, multiple, Answer::ack); }
void Feed::on_nack(std::uint64_t tag, bool multiple) { answered(tag, multiple, Answer::nack); }

void Feed::answered(std::uint64_t tag, bool multiple, Answer answer) {
  last_answer_ = context_.clock.boot_now();
  const bool known = confirms_.answered(
      tag, multiple, answer, [this](const ports::Outgoing& outgoing, Answer given, const std::string& returned) {
        concluded(outgoing, given, returned);
      });
  if (!known) protocol_fault_ = true;
}

void Feed::concluded(const ports::Outgoing& outgoing, Answer answer, const std::string& returned) {
  const std::string_view destination = ports::destination_of(outgoing.record);
  if (const auto flying = flying_.find(destination); flying != flying_.end() && --flying->second == 0) {
    flying_.erase(flying);
  }
  if (answer == Answer::nack) {
    refused_for_now(outgoing, "the broker did not take it (nack)");
  } else if (returned.empty()) {
    outlet_.settle(outgoing.place);
    backoff_.reset();
    if (!holds_.empty()) landed(destination);
  } else if (options_.unroutable == Unroutable::hold) {
    refused_for_now(outgoing, returned);
  } else {
    set_aside(outgoing, returned);
  }
}

void Feed::set_aside(const ports::Outgoing& outgoing, std::string why) {
  context_.reporter.report(Event::sink_refused, {{"sink", context_.name}, {"error", why}});
  outlet_.set_aside(outgoing, Error{Errc::refused, std::move(why)});
  // If it was a probe, the next one tells.
  const auto held = holds_.find(ports::destination_of(outgoing.record));
  if (held != holds_.end() && held->second.sent) held->second.probing = held->second.sent = false;
}

void Feed::refused_for_now(const ports::Outgoing& outgoing, std::string why) {
  context_.reporter.report(Event::sink_retried, {{"sink", context_.name}, {"error", why}});
  hold(ports::destination_of(outgoing.record));
  outlet_.retry(outgoing, Error{Errc::unavailable, std::move(why)});
}

void Feed::hold(std::string_view destination) {
  auto found = holds_.find(destination);
  if (found == holds_.end()) {
    if (holds_.size() >= kHeldMost) {
      outlet_.release(holds_.begin()->first);
      holds_.erase(holds_.begin());
    }
    found = holds_
                .emplace(std::string(destination), Hold{.backoff = system::Backoff(kHeldBackoff, system::random_seed()),
                                                        .until = {},
                                                        .probing = false,
                                                        .sent = false})
                .first;
    outlet_.hold(destination);
  } else if (!found->second.probing) {
    return;  // sent before it was held
  }
  found->second.probing = found->second.sent = false;
  found->second.until = context_.clock.boot_now() + found->second.backoff.next();
}

// One record of each, when its time has come and nothing of the destination is unanswered.
void Feed::try_held(BootTime now) {
  for (auto& [destination, hold] : holds_) {
    if (hold.probing || now < hold.until || flying_.contains(destination)) continue;
    hold.probing = true;
    outlet_.probe(destination);
    more_ = true;
  }
}

bool Feed::waits(std::string_view destination) {
  const auto found = holds_.find(destination);
  if (found == holds_.end()) return false;
  if (!found->second.probing || found->second.sent) return true;
  found->second.sent = true;
  return false;
}

void Feed::landed(std::string_view destination) {
  const auto found = holds_.find(destination);
  if (found == holds_.end()) return;
  if (!found->second.sent) {
    found->second.until = context_.clock.boot_now();  // sent before it was held: it is taken again
    return;
  }
  holds_.erase(found);
  outlet_.release(destination);
  more_ = true;
}

void Feed::on_return(std::string_view message_id, std::string reason) {
  static_cast<void>(confirms_.returned(message_id, std::move(reason)));
}

void Feed::on_blocked(std::string reason) {
  blocked_ = true;
  context_.link.set(LinkStatus::State::degraded, "the broker takes nothing: " + reason);
  context_.reporter.report(Event::sink_blocked, {{"sink", context_.name}, {"error", std::move(reason)}});
}

void Feed::on_unblocked() {
  blocked_ = false;
  last_answer_ = context_.clock.boot_now();
  context_.link.set(LinkStatus::State::up);
  context_.reporter.report(Event::sink_unblocked, {{"sink", context_.name}});
}

// What was not confirmed is sent again over the next connection.
void Feed::lost(const Error& error) {
  if (!lost_before_) {
    context_.reporter.report(Event::sink_lost, {{"sink", context_.name}, {"error", error.what}});
  }
  lost_before_ = true;
  context_.link.set(LinkStatus::State::down, error.what);
  if (connection_) {
    if (context_.clock.boot_now() - connected_at_ > kSettled) backoff_.reset();
    connection_.reset();
    confirms_ = Confirms();
    flying_.clear();
    for (auto& [destination, hold] : holds_) hold.probing = hold.sent = false;
    outlet_.rewind();
  }
}

void Feed::wait(bool for_records, milliseconds at_most) {
  std::array<pollfd, 3> waits{{{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                               {.fd = connection_ ? connection_->fd() : -1, .events = POLLIN, .revents = 0},
                               {.fd = for_records ? outlet_.ready_fd() : -1, .events = POLLIN, .revents = 0}}};
  static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(at_most.count())));
  if ((waits[0].revents & POLLIN) != 0) wake_.clear();
  if ((waits[2].revents & POLLIN) != 0) more_ = true;
}

void Feed::finish() {
  if (!connection_) return;
  const BootTime until = context_.clock.boot_now() + kConfirmMost;
  bool alive = !blocked_;
  while (alive && confirms_.size() > 0 && !protocol_fault_ && context_.clock.boot_now() < until) {
    context_.link.progress(context_.clock.boot_now());
    wait(false, kTick);
    const Watchdog::Guard guard(watchdog_, connection_->fd(), kHurry);
    alive = connection_->receive().has_value();
  }
  if (alive && confirms_.size() == 0) {
    const Watchdog::Guard guard(watchdog_, connection_->fd(), kHurry);
    connection_->close(kCloseMost);
  }
  connection_.reset();
}

}  // namespace railhead::amqp
