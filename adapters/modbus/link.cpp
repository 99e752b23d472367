#include "adapters/modbus/link.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/modbus/rtu.h"
#include "gateway/base/assert.h"
#include "gateway/base/text.h"

namespace railhead::modbus {

using system::EventLoop;

namespace {

constexpr int kRtuReadSize = 8;

int rtu_answer_size(const ReadRequest& request) {
  return 5 + (holds_bits(request.table) ? (request.count + 7) / 8 : request.count * 2);
}

}  // namespace

Link::Link(LinkOptions options, Connector connector, EventLoop& loop, system::Resolver& resolver, Scheduler& scheduler,
           Observer& observer, std::uint64_t seed, LinkCommands* commands)
    : options_(std::move(options)),
      name_(options_.endpoint.text()),
      connector_(std::move(connector)),
      loop_(loop),
      resolver_(resolver),
      scheduler_(scheduler),
      commands_(commands),
      observer_(observer),
      backoff_(options_.reconnect, seed),
      transaction_(static_cast<std::uint16_t>(seed >> 16)) {}

Link::~Link() {
  close();
  loop_.cancel(timer_);
  resolver_.cancel(resolving_);
}

void Link::start() { pump(); }

// What to do now, in this state; and when to look again.
void Link::pump() {
  switch (state_) {
    case State::closed: {
      const bool commanded = commands_ != nullptr && commands_->waiting();
      const BootTime due = commanded ? loop_.now() : scheduler_.due();
      if (due <= loop_.now()) return connect();
      return arm(due);
    }
    case State::waiting:
    case State::resolving:
    case State::connecting: return arm(until_);
    case State::ready: return send_all();
  }
}

// As much as may be out at the same time; then waits for the first deadline, or for what is due next.
void Link::send_all() {
  const std::size_t most = options_.endpoint.rtu() ? 1 : options_.pipeline;
  while (open_.size() < most) {
    const BootTime now = loop_.now();
    if (options_.endpoint.rtu() && quiet_until_ > now) return arm(quiet_until_);
    if (commands_ != nullptr && !commands_->out()) {
      if (const std::optional<WriteTurn> command = commands_->next()) {
        send_command(*command);
        if (state_ != State::ready) return;
        continue;
      }
    }
    const std::optional<Turn> turn = scheduler_.next(now);
    if (!turn) return arm(std::min(scheduler_.due(), earliest_deadline()));
    send(*turn, now);
    if (state_ != State::ready) return;  // it broke, and went on from there
  }
  arm(earliest_deadline());
}

BootTime Link::earliest_deadline() const {
  BootTime earliest = BootTime::max();
  for (const Open& open : open_) earliest = std::min(earliest, open.deadline);
  return earliest;
}

void Link::arm(BootTime due) {
  // While requests follow each other their deadlines only move away: the timer that is set comes early once and is set
  // again then, instead of for each of them.
  if (timer_ != 0 && !open_.empty() && armed_ <= due) return;
  loop_.cancel(timer_);
  timer_ = 0;
  if (due == BootTime::max()) return;
  armed_ = due;
  timer_ = loop_.at(due, [this] {
    timer_ = 0;
    on_timer();
  });
}

void Link::on_timer() {
  switch (state_) {
    case State::closed: return pump();
    case State::waiting: state_ = State::closed; return pump();
    case State::resolving: return connect_failed("no answer from the name server");
    case State::connecting:
      close();
      if (next_address_ < addresses_.size()) return try_next_address();
      return connect_failed("connect to " + name_ + ": no answer");
    case State::ready: break;
  }
  while (!open_.empty()) {
    const auto late =
        std::find_if(open_.begin(), open_.end(), [&](const Open& open) { return open.deadline <= loop_.now(); });
    if (late == open_.end()) break;
    const Open open = *late;
    open_.erase(late);
    silent(open);
    if (state_ != State::ready) break;
  }
  pump();
}

// Nobody answered in time.
void Link::silent(const Open& open) {
  finish(open);
  if (options_.endpoint.rtu()) {
    input_.clear();
    // A line that took nothing: what it did not take is not sent with the next request.
    if (options_.endpoint.transport == Transport::rtu) output_.clear();
    std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == open.turn.request.unit; });
    owed_.push_back({open.turn.request.unit, loop_.now() + kOwedFor});
  }
  give_up(open,
          "no answer within " + base::format_duration(open.turn.timeout) +
              (open.stray.empty() ? std::string() : " but one that was discarded: " + open.stray),
          false);
  // A connection that nobody answers on may be dead without a word (a gateway that was switched off, a lost NAT entry).
  // A serial line has nothing to make anew; and a bus with many dead units behind a gateway is no dead gateway as long
  // as one of them answers.
  if (++silences_ < kSilencesMax || options_.endpoint.transport == Transport::rtu) return;
  for (const Open& other : std::exchange(open_, {})) {
    finish(other);
    give_up(other, "the connection was given up", true);
  }
  close();
  state_ = State::waiting;
  until_ = loop_.now() + backoff_.next();
}

void Link::finish(const Open& open) {
  const BootTime now = loop_.now();
  busy_ += now - open.sent;
  noise_ = 0;
  if (!options_.endpoint.rtu()) return;
  const Duration gap = options_.endpoint.transport == Transport::rtu ? options_.endpoint.serial.gap() : Duration{0};
  busy_ += gap;
  quiet_until_ = std::max(quiet_until_, now + gap);
}

void Link::on_ready() {
  if (state_ == State::connecting) return handshake();
  if (flush() && receive()) {
    watch_for_needs();
    pump();
  }
}

void Link::send(const Turn& turn, BootTime now) {
  Open open{.transaction = ++transaction_, .turn = turn, .sent = now, .deadline = now + turn.timeout};
  if (options_.endpoint.rtu()) {
    // What is there now came before the question.
    input_.clear();
    noise_ = 0;
    encode_rtu_read(output_, turn.request);
  } else {
    encode_read(output_, open.transaction, turn.request);
  }
  if (options_.endpoint.transport == Transport::rtu) {
    open.deadline += options_.endpoint.serial.character() * (kRtuReadSize + rtu_answer_size(turn.request));
  }
  open_.push_back(open);
  if (!flush()) return;
  watch_for_needs();
}

void Link::send_command(const WriteTurn& turn) {
  const BootTime now = loop_.now();
  Open open{
      .transaction = ++transaction_, .turn = {}, .command = turn.pdu, .sent = now, .deadline = now + turn.timeout};
  open.turn.request.unit = turn.unit;
  open.turn.timeout = turn.timeout;
  if (options_.endpoint.rtu()) {
    input_.clear();
    noise_ = 0;
    encode_rtu(output_, turn.unit, turn.pdu);
  } else {
    encode_frame(output_, open.transaction, turn.unit, turn.pdu);
  }
  if (options_.endpoint.transport == Transport::rtu) {
    open.deadline += options_.endpoint.serial.character() * static_cast<int>(kRtuReadSize + turn.pdu.size() + 3);
  }
  open_.push_back(open);
  if (!flush()) return;
  watch_for_needs();
}

// False when the connection broke (and was dealt with).
bool Link::flush() {
  while (!output_.empty()) {
    const Result<std::size_t> sent = stream_->write(output_);
    if (!sent) {
      broke(sent.error());
      return false;
    }
    if (*sent == 0) break;
    output_.erase(0, *sent);
  }
  return true;
}

bool Link::receive() {
  // Bounded, so that a device that floods leaves the other links their turn; the rest comes with the next readiness.
  std::array<char, 2 * kFrameMax> buffer;
  // A TLS record of up to 16 KiB is emptied, though: what stays inside it makes nothing ready.
  const int most = options_.endpoint.secure() ? 40 : 4;
  for (int rounds = 0; rounds < most; ++rounds) {
    const Result<std::size_t> got = stream_->read(buffer);
    if (!got) {
      broke(got.error());
      return false;
    }
    if (*got == 0) break;
    input_.append(buffer.data(), *got);
    if (!take_frames()) return false;
    if (*got < buffer.size() && !options_.endpoint.secure()) break;
  }
  return true;
}

// What was out comes to nothing. A command is never sent again: it may have been carried out.
void Link::give_up(const Open& open, const std::string& why, bool again) {
  if (!open.command.empty()) {
    commands_->failed(why);
  } else if (again) {
    scheduler_.repeat(open.turn.id);
  } else {
    scheduler_.failed(why, open.turn.id);
  }
}

void Link::watch_for_needs() {
  if (stream_ == nullptr) return;
  const std::uint32_t needs = stream_->wanted() | (output_.empty() ? 0u : std::uint32_t{EventLoop::kWritable});
  if (needs == watched_) return;
  watched_ = needs;
  loop_.change(stream_->fd(), needs);
}

}  // namespace railhead::modbus
