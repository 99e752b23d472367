#include "adapters/mqtt/source_engine.h"

#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"

namespace railhead::mqtt {

using status::LinkStatus;
using system::EventLoop;

namespace {

constexpr Duration kHousekeeping = std::chrono::seconds{2};  // unless connected: then only what the session wants
constexpr Duration kAsleepMost = std::chrono::minutes{1};

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

}  // namespace

SourceEngine::SourceEngine(const SourceSettings& settings, const ports::Context& context, ports::Intake& intake)
    : settings_(settings),
      context_(context),
      intake_(intake),
      loop_(context.clock),
      link_(loop_, *this),
      servers_(settings.urls, settings.follow_redirects),
      subscriptions_(intake.deliveries().note()),
      session_(session_options(settings), *this),
      interpreter_(context.name, settings.retained, settings.rows, settings.unpacked_bytes_max),
      batch_({context.name, settings.ack == AckPolicy::durable, settings.answer_refused, session_, interpreter_, intake,
              context.reporter, context.clock}),
      backoff_(settings.backoff, system::random_seed()),
      long_backoff_(settings.long_backoff, system::random_seed()),
      retry_backoff_({std::chrono::milliseconds{50}, std::chrono::seconds{2}}, system::random_seed()) {
  if (subscriptions_.forget_other_clients(session_hash(settings.urls.front(), settings.session.client_id))) {
    context_.reporter.report(status::Event::session_left,
                             {{"source", context_.name}, {"client_id", settings_.session.client_id}});
  }
  loop_.watch(intake_.durable_fd(), EventLoop::kReadable, [this](std::uint32_t) { on_durable(); });
}

SourceEngine::~SourceEngine() {
  link_.close();
  loop_.unwatch(intake_.durable_fd());
}

void SourceEngine::run(const std::stop_token& stop) {
  context_.link.set(LinkStatus::State::starting);
  housekeep();
  connect();
  schedule_window();
  loop_.run(stop);
  drain();
  context_.link.held(0);
  context_.link.set(LinkStatus::State::down, "stopped");
}

void SourceEngine::flush() {
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

void SourceEngine::flush_acknowledgements() {
  if (!session_.output().empty()) flush();
}

void SourceEngine::flush_last_words() {
  if (!link_.is_up() || session_.output().empty()) return;
  if (const Result<std::size_t> sent = link_.write(session_.output()); sent) session_.sent(*sent, loop_.now());
}

void SourceEngine::housekeep() {
  const BootTime now = loop_.now();
  context_.link.progress(now);
  if (const Result<void> alive = session_.tick(now, reads()); !alive) {
    flush_last_words();
    lost(alive.error());
  }
  flush();
  BootTime due = now + (session_.is_connected() ? kAsleepMost : kHousekeeping);
  if (const std::optional<BootTime> session_due = session_.next_due(reads())) due = std::min(due, *session_due);
  housekeep_at(std::max(due, now + std::chrono::milliseconds{1}));
  context_.link.sleeps_until(housekeeping_due_);
}

void SourceEngine::housekeep_at(BootTime due) {
  loop_.cancel(housekeeping_timer_);
  housekeeping_due_ = due;
  housekeeping_timer_ = loop_.at(due, [this] {
    housekeeping_timer_ = 0;
    housekeep();
  });
}

void SourceEngine::drain() {
  stopping_ = true;
  loop_.cancel(reconnect_timer_);
  if (blocked_) loop_.cancel(batch_timer_);
  loop_.cancel(pull_timer_);
  BootTime until = loop_.now() + settings_.drain;
  flush();
  const auto is_due = [this] {
    if (has_batch() && !blocked_) return true;
    return session_.is_connected() && (session_.waiting() > 0 || !session_.output().empty());
  };
  while (is_due() && loop_.now() < until) loop_.run_once(until - loop_.now());
  loop_.cancel(batch_timer_);  // what is left of a batch comes again
  if (!session_.is_connected()) return;
  session_.disconnect(reason::kSuccess);
  until = loop_.now() + settings_.drain;
  leaving_ = true;
  flush();
  while (link_.is_up() && loop_.now() < until) loop_.run_once(until - loop_.now());
}

void SourceEngine::leave(bool broken) {
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

}  // namespace railhead::mqtt
