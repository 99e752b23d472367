#include "adapters/mqtt/source.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "adapters/mqtt/batch.h"
#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/link.h"
#include "adapters/mqtt/servers.h"
#include "gateway/base/assert.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/event_loop.h"

namespace railhead::mqtt {
namespace {

using status::Event;
using status::LinkStatus;
using system::EventLoop;

constexpr std::size_t kReadBytesLeast = 4 * 1024;
constexpr std::size_t kReadBytesMost = 256 * 1024;           // grown to only while reads fill it
constexpr int kRoundsMax = 16;                               // of reads before other events of the loop have their turn
constexpr Duration kHousekeeping = std::chrono::seconds{2};  // unless connected: then only what the session wants
constexpr Duration kAsleepMost = std::chrono::minutes{1};
constexpr Duration kRelax = std::chrono::seconds{2};  // after which a burst's memory goes

// Bytes read and not yet taken: a whole number of packets in the middle of being delivered, and the beginning of one.
class ReadBuffer {
 public:
  [[nodiscard]] std::string_view bytes() const { return {bytes_.get() + begin_, end_ - begin_}; }
  // Moves what is there to the front.
  [[nodiscard]] std::span<char> space() {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
      end_ -= std::exchange(begin_, 0);
    }
    return {bytes_.get() + end_, capacity_ - end_};
  }
  [[nodiscard]] bool full() const { return end_ - begin_ == capacity_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  void added(std::size_t count) { end_ += count; }
  void take(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) clear();
  }
  void clear() { begin_ = end_ = 0; }
  void resize(std::size_t capacity) {
    const std::size_t size = end_ - begin_;
    RAILHEAD_ASSERT(capacity >= size);
    auto moved = std::make_unique_for_overwrite<char[]>(capacity);
    if (size > 0) std::memcpy(moved.get(), bytes_.get() + begin_, size);
    bytes_ = std::move(moved);
    capacity_ = capacity;
    begin_ = 0;
    end_ = size;
  }

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique_for_overwrite<char[]>(kReadBytesLeast);
  std::size_t capacity_ = kReadBytesLeast;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

std::vector<Session::Wanted> wanted_of(const SourceSettings& settings) {
  RAILHEAD_ASSERT(settings.rows.size() == settings.qos.size());
  std::vector<Session::Wanted> wanted;
  for (std::size_t i = 0; i < settings.rows.size(); ++i) {
    wanted.push_back({settings.rows[i].pattern.filter(), settings.qos[i]});
  }
  return wanted;
}

Session::Options session_options(const SourceSettings& settings) {
  Session::Options options = settings.session;
  options.subscriptions = wanted_of(settings);
  // Identifiers cost bytes and time; only overlapping topics need them.
  for (std::size_t i = 0; i < settings.rows.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (settings.rows[i].pattern.overlaps(settings.rows[k].pattern)) options.subscription_identifiers = true;
    }
  }
  return options;
}

// One run() of the source: everything here lives on its thread.
class Engine final : public Link::Owner, public Session::Listener {
 public:
  Engine(const SourceSettings& settings, const ports::Context& context, ports::Intake& intake)
      : settings_(settings),
        context_(context),
        intake_(intake),
        loop_(context.clock),
        link_(loop_, *this),
        servers_(settings.urls, settings.follow_redirects),
        session_(session_options(settings), *this),
        interpreter_(context.name, settings.retained, settings.rows, settings.unpacked_bytes_max),
        batch_({context.name, settings.ack == AckPolicy::durable, settings.answer_refused, session_, interpreter_,
                intake, context.reporter, context.clock}),
        backoff_(settings.backoff, system::random_seed()),
        long_backoff_(settings.long_backoff, system::random_seed()),
        retry_backoff_({std::chrono::milliseconds{50}, std::chrono::seconds{2}}, system::random_seed()) {
    loop_.watch(intake_.durable_fd(), EventLoop::kReadable, [this](std::uint32_t) { on_durable(); });
  }
  ~Engine() override {
    link_.close();
    loop_.unwatch(intake_.durable_fd());
  }

  void run(const std::stop_token& stop) {
    context_.link.set(LinkStatus::State::starting);
    housekeep();
    connect();
    schedule_window();
    loop_.run(stop);
    drain();
    context_.link.set(LinkStatus::State::down, "stopped");
  }

 private:
  // --- the connection

  // What is known of a broker by its URL.
  struct Known {
    Version version;
    bool connected = false;
  };
  Known& known() {
    const Version first = settings_.protocol == Protocol::v3_1_1 ? Version::v3_1_1 : Version::v5;
    return known_.try_emplace(url_.text(), Known{first}).first->second;
  }

  void choose_server() {
    if (servers_.current() == url_) return;
    url_ = servers_.current();
    // Names learned from brokers must not add up.
    if (known_.size() > settings_.urls.size() + Servers::kRedirectionsMax) known_.clear();
    session_hash_ = session_hash(url_, settings_.session.client_id);
    interpreter_.set_session(session_hash_);
    session_.forget_subscriptions();
    session_is_ours_ = false;
  }

  void connect() {
    reconnect_timer_ = 0;
    if (session_.inbox().empty()) {
      buffer_.clear();
    } else {
      return;  // deliver() calls again once the batch is taken
    }
    choose_server();
    std::optional<std::string> user;
    std::optional<std::string> password;
    if (!settings_.user.empty()) user = settings_.user;
    if (settings_.password.present()) {
      Result<std::string> secret = settings_.password.read();
      if (!secret) return lost(secret.error().in("password"));
      password = std::move(*secret);
    }
    session_.set_credentials(std::move(user), std::move(password));
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

  void on_link_up() override {
    session_.open(known().version, loop_.now());
    housekeep();
    flush();
  }

  void on_link_lost(const Error& why) override { lost(why); }

  void lost(const Error& why) {
    const BootTime now = loop_.now();
    const bool was_connected = session_.is_connected();
    const bool asked = session_.is_open() && !was_connected;
    const bool said_why = session_.broker_reason().has_value();
    link_.close();
    session_.close();
    if (was_connected && now - connected_at_ > system::Backoff::kStable) {
      backoff_.reset();
      long_backoff_.reset();
    }
    Known& broker = known();
    // An old broker refuses MQTT 5 with words, or just closes.
    bool lowered = false;
    if (settings_.protocol == Protocol::automatic && asked && !broker.connected) {
      if (why.code == Errc::unsupported || (why.code == Errc::unavailable && !said_why)) {
        lowered = broker.version == Version::v5;
        broker.version = lowered ? Version::v3_1_1 : Version::v5;
        if (lowered && why.code == Errc::unsupported) return schedule_connect(Duration::zero());
      }
    }
    context_.link.set(LinkStatus::State::down, why.what);
    context_.reporter.report(Event::source_lost,
                             {{"source", context_.name}, {"url", url_.text()}, {"error", why.what}});
    // Reason codes are MQTT 5's; a 3.1.1 broker says nothing that would ask for more than the usual wait.
    Advice advice = said_why && broker.version == Version::v5 ? advice_of(*session_.broker_reason()) : Advice::again;
    if (advice == Advice::other_server) {
      if (follow()) return schedule_connect(Duration::zero());
      advice = Advice::next_server;
    }
    if (said_why && *session_.broker_reason() == reason::kSessionTakenOver && broker.version == Version::v5) {
      context_.reporter.report(
          Event::session_taken_over,
          {{"source", context_.name}, {"url", url_.text()}, {"client_id", settings_.session.client_id}});
    }
    if (advice == Advice::next_server || (!was_connected && !lowered)) servers_.advance();
    schedule_connect(advice == Advice::later ? long_backoff_.next() : backoff_.next());
  }

  // Where the broker sends us, if that is allowed.
  bool follow() {
    const bool followed =
        servers_.redirect(session_.server_reference(), *session_.broker_reason() == reason::kServerMoved);
    context_.reporter.report(Event::broker_redirects, {{"source", context_.name},
                                                       {"url", url_.text()},
                                                       {"to", session_.server_reference()},
                                                       {"followed", followed ? "yes" : "no"}});
    return followed;
  }

  void schedule_connect(Duration delay) {
    loop_.cancel(reconnect_timer_);
    if (stopping_) return;
    reconnect_timer_ = loop_.after(delay, [this] { connect(); });
  }

  void on_connected(bool session_present) override {
    connected_at_ = loop_.now();
    servers_.connected();
    Known& broker = known();
    if (!session_present) {
      intake_.deliveries().session_lost(session_hash_);
      session_is_ours_ = true;
      if (broker.connected) {
        context_.reporter.report(Event::session_lost, {{"source", context_.name}, {"url", url_.text()}});
      }
    }
    interpreter_.trust_subscriptions(session_is_ours_);
    broker.connected = true;
    show_state();
    context_.reporter.report(Event::source_connected, {{"source", context_.name},
                                                       {"url", url_.text()},
                                                       {"mqtt", broker.version == Version::v5 ? "5" : "3.1.1"},
                                                       {"session", session_present ? "present" : "new"}});
    if (const auto seconds = session_.broker_session_expiry();
        seconds && *seconds < settings_.session.session_expiry_seconds) {
      context_.reporter.report(
          Event::session_shortened,
          {{"source", context_.name}, {"url", url_.text()}, {"seconds", std::to_string(*seconds)}});
    }
  }

  void on_subscribed(std::size_t index, std::uint8_t reason) override {
    const std::string& filter = settings_.rows[index].pattern.filter();
    refused_filters_.erase(std::remove(refused_filters_.begin(), refused_filters_.end(), filter),
                           refused_filters_.end());
    interpreter_.set_granted(index, reason < 0x80);
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

  void show_state() {
    if (blocked_) return context_.link.set(LinkStatus::State::degraded, "nothing is acknowledged: " + blocked_by_);
    if (!session_.is_connected()) return;
    if (refused_filters_.empty()) return context_.link.set(LinkStatus::State::up);
    context_.link.set(LinkStatus::State::degraded, "the broker refused '" + refused_filters_.front() + "'");
  }

  // --- bytes in

  [[nodiscard]] bool reads() const { return !blocked_ && !stopping_ && session_.accepts(); }

  void on_link_ready(bool broken) override {
    context_.link.progress(loop_.now());
    take_turn(broken);
    context_.link.sleeps_until(housekeeping_due_);
  }

  void take_turn(bool broken) {
    if (leaving_) return leave(broken);
    if (reads()) {
      pull();
    } else if (broken) {
      return lost({Errc::unavailable, "the connection broke"});
    }
    flush();
    go_on_if_stalled();
  }

  // So many acknowledgements wait that no more was taken; now there is room.
  void go_on_if_stalled() {
    if (!stalled_ || !reads()) return;
    stalled_ = false;
    session_.resumed(loop_.now());
    if (take_all(loop_.now())) pull();
    flush();
  }

  void pull() {
    const BootTime now = loop_.now();
    for (int round = 0; round < kRoundsMax && reads() && link_.is_up(); ++round) {
      // A secured link holds decrypted bytes the loop knows nothing of: it is read until it would block.
      std::size_t got = 0;
      bool drained = false;
      while (!buffer_.full() && !drained) {
        const std::span<char> space = buffer_.space();
        const Result<std::size_t> count = link_.read(space);
        if (!count) {
          if (!take_all(now)) return;  // what came before the end is still good
          return lost(count.error());
        }
        buffer_.added(*count);
        got += *count;
        drained = *count == 0 || (*count < space.size() && !link_.hides_bytes());
      }
      if (got == 0) return;
      const bool filled = buffer_.full();
      if (!take_all(now)) return;
      if (filled) grow();
      if (drained) return;
    }
    // More may be there than the loop will tell of.
    if (link_.is_up() && link_.hides_bytes() && reads()) {
      loop_.cancel(pull_timer_);
      pull_timer_ = loop_.after(Duration::zero(), [this] {
        pull_timer_ = 0;
        on_link_ready(false);
      });
    }
  }

  void grow() {
    const std::size_t most =
        buffer_.full() ? std::max<std::size_t>(kReadBytesMost, settings_.session.packet_bytes_max + 5) : kReadBytesMost;
    if (buffer_.capacity() < most) buffer_.resize(std::min(most, buffer_.capacity() * 2));
    relax_later();
  }

  // Delivers every whole packet. False: the link is gone or the intake takes nothing.
  bool take_all(BootTime now) {
    while (session_.is_open() && session_.accepts()) {
      Result<std::size_t> taken = session_.receive(buffer_.bytes(), now);
      if (!taken) {
        // What was received before the fault is delivered; nothing of it can be acknowledged any more.
        flush_last_words();
        const Error why = taken.error();
        if (!session_.inbox().empty()) {
          batch_.begin();
          deliver_batch();
        }
        lost(why);
        return false;
      }
      in_hand_ = *taken;
      if (session_.inbox().empty()) {
        buffer_.take(std::exchange(in_hand_, 0));
        return true;
      }
      batch_.begin();
      if (!deliver_batch()) return false;
      // What became durable meanwhile goes now: the broker sends on while the rest is taken.
      flush_acknowledgements();
    }
    stalled_ = session_.is_open();
    return stalled_;
  }

  // --- into the intake

  // False: the intake takes nothing now; tried again later.
  bool deliver_batch() {
    const Result<void> done = batch_.go_on();
    if (!done) {
      blocked_ = true;
      blocked_by_ = done.error().what;
      show_state();
      retry_timer_ = loop_.after(retry_backoff_.next(), [this] { retry(); });
      link_.watch(false, !session_.output().empty());
      return false;
    }
    if (batch_.is_burst()) relax_later();
    buffer_.take(std::exchange(in_hand_, 0));
    session_.release(intake_.durable());
    schedule_window();
    return true;
  }

  void retry() {
    retry_timer_ = 0;
    if (!deliver_batch()) return;
    blocked_ = false;
    retry_backoff_.reset();
    if (!session_.is_open()) {
      if (reconnect_timer_ == 0) connect();
      return;
    }
    show_state();
    session_.resumed(loop_.now());
    if (take_all(loop_.now())) pull();
    flush();
  }

  void on_durable() {
    context_.link.progress(loop_.now());
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(intake_.durable_fd(), &count, sizeof count);
    session_.release(intake_.durable());
    flush();
    go_on_if_stalled();
    context_.link.sleeps_until(housekeeping_due_);
  }

  void on_acknowledged(std::span<const std::uint16_t> packet_ids) override {
    intake_.deliveries().acknowledged(session_hash_, packet_ids);
  }

  void on_quota_exceeded() override {
    context_.reporter.report(Event::quota_exceeded,
                             {{"source", context_.name},
                              {"url", url_.text()},
                              {"receive_maximum", std::to_string(settings_.session.receive_maximum)}});
  }

  void schedule_window() {
    const std::optional<BootTime> due = intake_.next_due();
    if (due == window_due_) return;
    loop_.cancel(window_timer_);
    window_timer_ = 0;
    window_due_ = due;
    if (!due) return;
    window_timer_ = loop_.at(*due, [this] { close_windows(); });
  }

  void close_windows() {
    window_timer_ = 0;
    window_due_.reset();
    if (!intake_.offer({})) {
      window_timer_ = loop_.after(std::chrono::seconds{1}, [this] { close_windows(); });
      return;
    }
    schedule_window();
  }

  // --- bytes out

  void flush() {
    if (!link_.is_up()) return;
    while (!session_.output().empty()) {
      const Result<std::size_t> sent = link_.write(session_.output());
      if (!sent) return lost(sent.error());
      if (*sent == 0) break;
      session_.sent(*sent, loop_.now());
    }
    if (leaving_ && session_.output().empty()) link_.end_writing();
    link_.watch(reads() || leaving_, !session_.output().empty());
  }

  void flush_acknowledgements() {
    if (!session_.output().empty()) flush();
  }

  // A DISCONNECT with the reason, if it goes out at once.
  void flush_last_words() {
    if (!link_.is_up() || session_.output().empty()) return;
    if (const Result<std::size_t> sent = link_.write(session_.output()); sent) session_.sent(*sent, loop_.now());
  }

  // --- time

  void housekeep() {
    loop_.cancel(housekeeping_timer_);
    const BootTime now = loop_.now();
    context_.link.progress(now);
    if (const Result<void> alive = session_.tick(now, reads()); !alive) {
      flush_last_words();
      lost(alive.error());
    }
    flush();
    housekeeping_due_ = now + (session_.is_connected() ? kAsleepMost : kHousekeeping);
    if (const std::optional<BootTime> session_due = session_.next_due(reads())) {
      housekeeping_due_ = std::min(housekeeping_due_, *session_due);
    }
    housekeeping_due_ = std::max(housekeeping_due_, now + std::chrono::milliseconds{1});
    housekeeping_timer_ = loop_.at(housekeeping_due_, [this] {
      housekeeping_timer_ = 0;
      housekeep();
    });
    context_.link.sleeps_until(housekeeping_due_);
  }

  void relax_later() {
    busy_ = true;
    if (relax_timer_ == 0) relax_timer_ = loop_.after(kRelax, [this] { relax(); });
  }

  void relax() {
    relax_timer_ = 0;
    if (std::exchange(busy_, false) || !session_.inbox().empty() || buffer_.bytes().size() > kReadBytesLeast) {
      relax_timer_ = loop_.after(kRelax, [this] { relax(); });
      return;
    }
    batch_.relax();
    if (buffer_.capacity() > kReadBytesLeast) buffer_.resize(kReadBytesLeast);
  }

  // What is durable by now is still acknowledged; then DISCONNECT without dropping the session. What the broker sent
  // meanwhile is read and thrown away until it closes: unread bytes would make the system reset the connection, and the
  // broker would never see the acknowledgements that were just written.
  void drain() {
    stopping_ = true;
    loop_.cancel(reconnect_timer_);
    loop_.cancel(retry_timer_);
    loop_.cancel(pull_timer_);
    BootTime until = loop_.now() + settings_.drain;
    flush();
    while (session_.is_connected() && (session_.waiting() > 0 || !session_.output().empty()) && loop_.now() < until) {
      loop_.run_once(until - loop_.now());
    }
    if (!session_.is_connected()) return;
    session_.disconnect(reason::kSuccess);
    until = loop_.now() + settings_.drain;
    leaving_ = true;
    flush();
    while (link_.is_up() && loop_.now() < until) loop_.run_once(until - loop_.now());
  }

  void leave(bool broken) {
    flush();
    if (!link_.is_up()) return;
    if (session_.output().empty()) link_.end_writing();
    buffer_.clear();
    for (;;) {
      const Result<std::size_t> count = link_.read(buffer_.space());
      if (!count) return link_.close();
      if (*count == 0) break;
    }
    if (broken) link_.close();
  }

  const SourceSettings& settings_;
  const ports::Context& context_;
  ports::Intake& intake_;
  EventLoop loop_;
  Link link_;
  Servers servers_;
  Url url_;  // of the connection, and what is known by it:
  std::uint64_t session_hash_ = 0;
  bool session_is_ours_ = false;  // it began under this process: its subscriptions are known
  std::map<std::string, Known> known_;
  Session session_;
  Interpreter interpreter_;
  Batch batch_;
  ReadBuffer buffer_;
  std::size_t in_hand_ = 0;  // bytes of buffer_ that the batch looks at
  system::Backoff backoff_;
  system::Backoff long_backoff_;
  system::Backoff retry_backoff_;
  bool stopping_ = false;
  bool leaving_ = false;  // DISCONNECT is on its way, what comes is thrown away
  bool busy_ = false;
  bool stalled_ = false;
  bool blocked_ = false;
  std::string blocked_by_;
  std::vector<std::string> refused_filters_;
  BootTime connected_at_{};
  std::optional<BootTime> window_due_;
  EventLoop::TimerId reconnect_timer_ = 0;
  EventLoop::TimerId retry_timer_ = 0;
  EventLoop::TimerId pull_timer_ = 0;
  EventLoop::TimerId window_timer_ = 0;
  EventLoop::TimerId housekeeping_timer_ = 0;
  BootTime housekeeping_due_{};
  EventLoop::TimerId relax_timer_ = 0;
};

class MqttSource final : public ports::Source {
 public:
  MqttSource(SourceSettings settings, ports::Context context)
      : settings_(std::move(settings)), context_(std::move(context)) {}

  void run(ports::Intake& intake, std::stop_token stop) override { Engine(settings_, context_, intake).run(stop); }

 private:
  const SourceSettings settings_;
  const ports::Context context_;
};

}  // namespace

std::uint64_t session_hash(const Url& url, std::string_view client_id) {
  return content_hash(client_id, content_hash(url.text()));
}

std::unique_ptr<ports::Source> make_source(SourceSettings settings, ports::Context context) {
  return std::make_unique<MqttSource>(std::move(settings), std::move(context));
}

}  // namespace railhead::mqtt
