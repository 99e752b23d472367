// SourceEngine's connection.
#include <algorithm>
#include <utility>

#include "adapters/mqtt/credentials.h"
#include "adapters/mqtt/port_hint.h"
#include "adapters/mqtt/source_engine.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"

namespace railhead::mqtt {

using status::Event;
using status::LinkStatus;

SourceEngine::Known& SourceEngine::known() {
  const Version first = settings_.protocol == Protocol::v3_1_1 ? Version::v3_1_1 : Version::v5;
  return known_.try_emplace(url_.text(), Known{first, session_hash_}).first->second;
}

void SourceEngine::choose_server() {
  if (servers_.current() == url_) return;
  url_ = servers_.current();
  // Names learned from brokers must not add up.
  if (known_.size() > settings_.urls.size() + Servers::kRedirectionsMax) known_.clear();
  session_hash_ = session_hash(url_, settings_.session.client_id);
  interpreter_.set_session(session_hash_);
  std::vector<std::uint64_t> sessions{session_hash_};
  for (const auto& [url, broker] : known_) {
    if (broker.session != session_hash_) sessions.push_back(broker.session);
  }
  // Those that an earlier life, or another configuration, left open: under another name perhaps of this broker.
  for (const std::uint64_t open : intake_.deliveries().open_sessions()) {
    if (!is_same_client(open, session_hash_)) continue;
    if (std::find(sessions.begin(), sessions.end(), open) == sessions.end()) sessions.push_back(open);
  }
  batch_.set_sessions(std::move(sessions));
  session_.forget_subscriptions();
  session_is_ours_ = false;
}

void SourceEngine::connect() {
  reconnect_timer_ = 0;
  if (session_.inbox().empty()) {
    buffer_.clear();
  } else {
    return;  // deliver() calls again once the batch is taken
  }
  choose_server();
  std::optional<std::string> user;
  if (!settings_.user.empty()) user = settings_.user;
  Result<std::optional<std::string>> password = password_of(settings_.password);
  if (!password) return lost(password.error());
  session_.set_credentials(std::move(user), std::move(*password));
  std::shared_ptr<const tls::Context> tls;
  if (url_.tls) {
    tls::Options options = settings_.tls;
    if (url_.websocket && options.alpn.empty()) options.alpn = {"http/1.1"};
    Result<std::shared_ptr<const tls::Context>> made = tls::Context::make(options);
    if (!made) return lost(made.error());
    tls = std::move(*made);
  }
  link_.open(url_, std::move(tls));
}

std::vector<std::string> SourceEngine::wanted_filters() const {
  std::vector<std::string> filters;
  for (const Interpreter::Row& row : settings_.rows) filters.push_back(row.pattern.filter());
  return filters;
}

void SourceEngine::on_link_up() {
  session_.set_unwanted(subscriptions_.beyond(wanted_filters(), session_hash_));
  session_.open(known().version, loop_.now());
  housekeep();
  flush();
}

void SourceEngine::lost(const Error& why) {
  const BootTime now = loop_.now();
  const bool was_connected = session_.is_connected();
  const bool asked = session_.is_open() && !was_connected;
  const bool said_why = session_.broker_reason().has_value();
  const std::string what =
      asked && !said_why ? why.what + connect_hint(url_, buffer_.bytes(), known().connected, why) : why.what;
  const bool thrown_out = was_connected && !said_why && link_.closed_by_peer();
  const bool short_life = was_connected && now - connected_at_ < settings_.short_life;
  link_.close();
  session_.close();
  if (was_connected && now - connected_at_ > system::Backoff::kStable) {
    backoff_.reset();
    long_backoff_.reset();
    servers_.lived();
  }
  if (was_connected && !short_life) short_lives_ = 0;
  if (short_life && thrown_out) ++short_lives_;
  Known& broker = known();
  const Version spoken = broker.version;
  bool lowered = false;
  if (settings_.protocol == Protocol::automatic) {
    if (asked) {
      lowered = choose_version(why);
      if (lowered && why.code == Errc::unsupported) return schedule_connect(Duration::zero());
    } else if (was_connected && !broker.sure) {
      broker.version = Version::v5;  // asked once more
    }
  }
  context_.link.set(LinkStatus::State::down, what);
  context_.reporter.report(Event::source_lost, {{"source", context_.name}, {"url", url_.text()}, {"error", what}});
  // Reason codes are MQTT 5's; a 3.1.1 broker says nothing that would ask for more than the usual wait.
  Advice advice = said_why && spoken == Version::v5 ? advice_of(*session_.broker_reason()) : Advice::again;
  if (advice == Advice::other_server) {
    if (follow()) return schedule_connect(Duration::zero());
    advice = Advice::next_server;
  }
  if (said_why && *session_.broker_reason() == reason::kSessionTakenOver && spoken == Version::v5) {
    context_.reporter.report(
        Event::session_taken_over,
        {{"source", context_.name}, {"url", url_.text()}, {"client_id", settings_.session.client_id}});
  }
  if (short_life && thrown_out && is_contested()) {
    advice = Advice::later;
    context_.reporter.report(Event::session_taken_over,
                             {{"source", context_.name},
                              {"url", url_.text()},
                              {"client_id", settings_.session.client_id},
                              {"why", "perhaps: it closed " + std::to_string(short_lives_) +
                                          " connections without a reason, soon after it accepted them"}});
  }
  if (advice == Advice::next_server || (!was_connected && !lowered)) servers_.advance();
  schedule_connect(advice == Advice::later ? long_backoff_.next() : backoff_.next());
}

bool SourceEngine::choose_version(const Error& why) {
  constexpr unsigned kSilentMost = 3;  // then also what was sure is asked again: the broker may be another one now
  Known& broker = known();
  const bool refused = why.code == Errc::unsupported;
  const bool silent = why.code == Errc::unavailable && !session_.broker_reason();
  if (!refused && !(silent && (!broker.sure || ++broker.silent >= kSilentMost))) return false;
  const bool lowered = broker.version == Version::v5;
  broker.version = lowered ? Version::v3_1_1 : Version::v5;
  broker.sure = refused && lowered;
  return lowered;
}

bool SourceEngine::follow() {
  const bool followed =
      servers_.redirect(session_.server_reference(), *session_.broker_reason() == reason::kServerMoved);
  context_.reporter.report(Event::broker_redirects, {{"source", context_.name},
                                                     {"url", url_.text()},
                                                     {"to", session_.server_reference()},
                                                     {"followed", followed ? "yes" : "no"}});
  return followed;
}

void SourceEngine::schedule_connect(Duration delay) {
  loop_.cancel(reconnect_timer_);
  if (stopping_) return;
  reconnect_timer_ = loop_.after(delay, [this] { connect(); });
}

void SourceEngine::on_connected(bool session_present) {
  connected_at_ = loop_.now();
  // A short keep-alive does not wait for what was planned while nothing was connected.
  if (const auto due = session_.next_due(true); due && *due < housekeeping_due_) housekeep_at(*due);
  Known& broker = known();
  if (!session_present) {
    interpreter_.forget_grants();
    refused_filters_.clear();
    for (const std::uint64_t session : batch_.sessions()) {
      if (session != session_hash_) intake_.deliveries().doubt(session);
    }
    intake_.deliveries().session_lost(session_hash_);
    session_is_ours_ = true;
    if (broker.connected || subscriptions_.knows(session_hash_)) {
      context_.reporter.report(Event::session_lost, {{"source", context_.name}, {"url", url_.text()}});
    }
  }
  // Where the filters of a session changed, a message that was queued before has no copy for the new one.
  const std::uint64_t wanted = subscriptions_mark(wanted_filters(), settings_.qos);
  if (subscriptions_.has_always_had(wanted, session_hash_)) session_is_ours_ = true;
  interpreter_.trust_subscriptions(session_is_ours_);
  broker.connected = true;
  broker.sure = broker.sure || broker.version == Version::v5 || broker.guessed;
  broker.guessed = true;
  broker.silent = 0;
  show_state();
  context_.reporter.report(Event::source_connected, {{"source", context_.name},
                                                     {"url", url_.text()},
                                                     {"mqtt", broker.version == Version::v5 ? "5" : "3.1.1"},
                                                     {"session", session_present ? "present" : "new"}});
  if (const auto seconds = session_.broker_session_expiry();
      seconds && *seconds < settings_.session.session_expiry_seconds) {
    context_.reporter.report(Event::session_shortened,
                             {{"source", context_.name}, {"url", url_.text()}, {"seconds", std::to_string(*seconds)}});
  }
}

void SourceEngine::on_subscribed(std::size_t index, std::uint8_t reason) {
  const std::string& filter = settings_.rows[index].pattern.filter();
  std::erase(refused_filters_, filter);
  interpreter_.set_granted(index, reason < 0x80 ? std::optional(reason) : std::nullopt);
  if (reason >= 0x80) {
    refused_filters_.push_back(filter);
    context_.reporter.report(Event::subscription_refused,
                             {{"source", context_.name}, {"topic", filter}, {"error", reason_text(reason)}});
  } else if (reason < settings_.qos[index]) {
    context_.reporter.report(Event::subscription_lowered, {{"source", context_.name},
                                                           {"topic", filter},
                                                           {"wanted", std::to_string(settings_.qos[index])},
                                                           {"granted", std::to_string(reason)}});
  }
  show_state();
}

void SourceEngine::on_all_answered(const std::vector<std::string>& kept) {
  std::vector<std::string> filters = wanted_filters();
  std::erase_if(filters, [&](const std::string& filter) {
    return std::find(refused_filters_.begin(), refused_filters_.end(), filter) != refused_filters_.end();
  });
  filters.insert(filters.end(), kept.begin(), kept.end());
  const bool as_wanted = session_is_ours_ && !interpreter_.had_refusals();
  subscriptions_.set(session_hash_, std::move(filters),
                     as_wanted ? subscriptions_mark(wanted_filters(), settings_.qos) : 0);
  // What the spool does not take now is kept at the next connection.
  [[maybe_unused]] const Result<void> done = intake_.deliveries().keep_note(subscriptions_.note());
}

void SourceEngine::show_state() {
  if (blocked_) return context_.link.set(LinkStatus::State::degraded, "nothing is acknowledged: " + blocked_by_);
  if (!session_.is_connected()) return;
  if (refused_filters_.empty()) return context_.link.set(LinkStatus::State::up);
  context_.link.set(LinkStatus::State::degraded, "the broker refused '" + refused_filters_.front() + "'");
}

void SourceEngine::on_quota_exceeded() {
  context_.reporter.report(Event::quota_exceeded,
                           {{"source", context_.name},
                            {"url", url_.text()},
                            {"receive_maximum", std::to_string(settings_.session.receive_maximum)}});
}

}  // namespace railhead::mqtt
