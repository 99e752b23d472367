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

bool same_function(std::string_view request, std::string_view answer) {
  return !answer.empty() && (static_cast<unsigned char>(answer[0]) & 0x7fu) == static_cast<unsigned char>(request[0]);
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
    if (options_.endpoint.rtu() && quiet_until_ > loop_.now()) return arm(quiet_until_);
    if (commands_ != nullptr && !commands_->out()) {
      if (const std::optional<WriteTurn> command = commands_->next()) {
        send_command(*command);
        if (state_ != State::ready) return;
        continue;
      }
    }
    const std::optional<Turn> turn = scheduler_.next();
    if (!turn) return arm(std::min(scheduler_.due(), earliest_deadline()));
    send(*turn);
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
  loop_.cancel(timer_);
  timer_ = 0;
  if (due == BootTime::max()) return;
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
    std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == open.turn.request.unit; });
    owed_.push_back({open.turn.request.unit, loop_.now() + kOwedFor});
  }
  give_up(open, "no answer within " + base::format_duration(open.turn.timeout), false);
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

void Link::connect() {
  RAILHEAD_ASSERT(stream_ == nullptr);
  state_ = State::resolving;
  until_ = loop_.now() + options_.connect_timeout;
  addresses_.clear();
  next_address_ = 0;
  if (options_.endpoint.transport == Transport::rtu) {
    addresses_.emplace_back();  // the connector knows the path
    state_ = State::connecting;
    return try_next_address();
  }
  resolving_ = resolver_.resolve(options_.endpoint.host, options_.endpoint.port,
                                 [this](Result<std::vector<system::Address>> addresses) {
                                   resolving_ = 0;
                                   if (!addresses) return connect_failed(addresses.error().what);
                                   addresses_ = std::move(*addresses);
                                   state_ = State::connecting;
                                   try_next_address();
                                 });
  pump();
}

void Link::try_next_address() {
  std::string why = "no address";
  while (next_address_ < addresses_.size()) {
    Result<std::unique_ptr<system::Stream>> stream = connector_(addresses_[next_address_++]);
    if (!stream) {
      why = stream.error().what;
      continue;
    }
    stream_ = std::move(*stream);
    until_ = loop_.now() + options_.connect_timeout;
    watched_ = stream_->wanted();
    loop_.watch(stream_->fd(), watched_, [this](std::uint32_t) { on_ready(); });
    return pump();
  }
  connect_failed(why);
}

void Link::connect_failed(const std::string& why) {
  resolver_.cancel(std::exchange(resolving_, 0));
  close();
  state_ = State::waiting;
  until_ = loop_.now() + backoff_.next();
  if (announced_ || !told_lost_) observer_.on_lost(name_, why);
  announced_ = false;
  told_lost_ = true;
  scheduler_.link_down(why);
  pump();
}

void Link::on_ready() {
  if (state_ == State::connecting) return handshake();
  if (flush() && receive()) {
    watch_for_needs();
    pump();
  }
}

void Link::handshake() {
  const Result<system::Stream::Progress> progress = stream_->handshake();
  if (!progress) {
    if (next_address_ < addresses_.size()) {
      close();
      return try_next_address();
    }
    return connect_failed(progress.error().what);
  }
  if (*progress == system::Stream::Progress::done) {
    state_ = State::ready;
    discards_ = 0;
    silences_ = 0;
    answered_ = false;
  }
  watch_for_needs();
  pump();
}

void Link::send(const Turn& turn) {
  const BootTime now = loop_.now();
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

bool Link::take_frames() {
  if (options_.endpoint.rtu()) return take_rtu_frames();
  std::string_view rest(input_);
  for (;;) {
    const Result<std::optional<Frame>> frame = first_frame(rest);
    if (!frame) {
      observer_.on_discarded(name_, frame.error().what);
      broke(frame.error());
      return false;
    }
    if (!*frame) break;
    const Frame& found = **frame;
    rest.remove_prefix(found.size);
    const auto open =
        std::find_if(open_.begin(), open_.end(), [&](const Open& one) { return one.transaction == found.transaction; });
    if (open == open_.end()) {
      if (!discard("it comes too late, or answers nobody")) return false;
    } else if (found.unit != open->turn.request.unit) {
      if (!discard("unit " + std::to_string(found.unit) + " answers unit " + std::to_string(open->turn.request.unit))) {
        return false;
      }
    } else if (!open->command.empty()) {
      if (!same_function(open->command, found.pdu)) {
        if (!discard("it answers another function than was asked for")) return false;
        continue;
      }
      const Open done = *open;
      open_.erase(open);
      take_command_answer(done, found.pdu);
    } else if (const Result<ReadAnswer> answer = parse_read(open->turn.request, found.pdu); !answer) {
      if (!discard(answer.error().what)) return false;
    } else {
      const Open done = *open;
      open_.erase(open);
      take_answer(done, *answer);
    }
  }
  input_.erase(0, input_.size() - rest.size());
  return true;
}

bool Link::take_rtu_frames() {
  // Whatever arrives, the line is not silent.
  if (options_.endpoint.transport == Transport::rtu) {
    quiet_until_ = std::max(quiet_until_, loop_.now() + options_.endpoint.serial.gap());
  }
  while (const std::optional<RtuFrame> found = first_rtu_answer(input_)) {
    noise_ += found->skipped;
    const std::string pdu(found->pdu);
    input_.erase(0, found->size);
    if (open_.empty()) {
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      if (!discard("it comes too late, or answers nobody")) return false;
      continue;
    }
    const Open open = open_.front();
    if (found->unit != open.turn.request.unit) {
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      if (!discard("unit " + std::to_string(found->unit) + " answers unit " + std::to_string(open.turn.request.unit))) {
        return false;
      }
    } else if (!open.command.empty()) {
      if (!same_function(open.command, pdu)) {
        if (!discard("it answers another function than was asked for")) return false;
        continue;
      }
      const bool doubtful = std::any_of(owed_.begin(), owed_.end(), [&](const Owed& owed) {
        return owed.unit == found->unit && owed.until > loop_.now();
      });
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      open_.clear();
      if (doubtful) {
        // A command is not sent again to be sure.
        finish(open);
        commands_->failed("after a silence the answer may be that to an earlier request");
      } else {
        take_command_answer(open, pdu);
      }
    } else if (const Result<ReadAnswer> answer = parse_read(open.turn.request, pdu); !answer) {
      if (!discard(answer.error().what)) return false;
    } else if (!believed(open)) {
      if (!discard("after a silence it may be the answer to an earlier request")) return false;
    } else {
      open_.clear();
      take_answer(open, *answer);
    }
  }
  if (input_.size() > kRtuFrameMax) {
    noise_ += input_.size() - kRtuFrameMax;
    input_.erase(0, input_.size() - kRtuFrameMax);
  }
  if (noise_ <= kNoiseMax) return true;
  observer_.on_discarded(name_, "noise: " + std::to_string(noise_) + " bytes without a frame");
  broke({Errc::protocol, "bytes that are no Modbus RTU"});
  return false;
}

// After a silence the first answer may be that to the request before. It is sent again once the other one, if there is
// one, had time to come as well.
bool Link::believed(const Open& open) {
  const auto owed =
      std::find_if(owed_.begin(), owed_.end(), [&](const Owed& one) { return one.unit == open.turn.request.unit; });
  if (owed == owed_.end()) return true;
  const bool doubtful = owed->until > loop_.now();
  owed_.erase(owed);
  if (!doubtful) return true;
  open_.clear();
  finish(open);
  scheduler_.repeat(open.turn.id);
  quiet_until_ = std::max(quiet_until_, loop_.now() + open.turn.timeout);
  return false;
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

void Link::take_command_answer(const Open& open, std::string_view pdu) {
  heard(open);
  commands_->answered(pdu);
}

void Link::heard(const Open& open) {
  finish(open);
  silences_ = 0;
  repeated_ = false;
  answered_ = true;
  backoff_.reset();
  if (!announced_) {
    announced_ = true;
    told_lost_ = false;
    observer_.on_connected(name_);
  }
}

void Link::take_answer(const Open& open, const ReadAnswer& answer) {
  heard(open);
  if (answer.exception != 0) {
    scheduler_.refused(answer.exception, open.turn.id);
  } else {
    scheduler_.answered(answer.payload, open.turn.id);
  }
}

bool Link::discard(const std::string& why) {
  observer_.on_discarded(name_, why);
  if (++discards_ < kDiscardsMax) return true;
  broke({Errc::protocol, "too many answers that nobody asked for"});
  return false;
}

void Link::broke(const Error& error) {
  const std::vector<Open> open = std::exchange(open_, {});
  close();
  // A device that closes after each answer, or while idle just as we asked: normal, once.
  const bool harmless =
      answered_ && !repeated_ && error.code != Errc::protocol && options_.endpoint.transport != Transport::rtu;
  for (const Open& one : open) {
    finish(one);
    give_up(one, error.what, harmless);
  }
  if (!open.empty()) repeated_ = harmless;
  if (harmless) {
    state_ = State::closed;
  } else {
    if (announced_ || !told_lost_) observer_.on_lost(name_, error.what);
    announced_ = false;
    told_lost_ = true;
    state_ = State::waiting;
    until_ = loop_.now() + backoff_.next();
  }
  pump();
}

void Link::close() {
  if (stream_ != nullptr) {
    loop_.unwatch(stream_->fd());
    stream_.reset();
  }
  output_.clear();
  input_.clear();
  noise_ = 0;
}

void Link::watch_for_needs() {
  if (stream_ == nullptr) return;
  const std::uint32_t needs = stream_->wanted() | (output_.empty() ? 0u : std::uint32_t{EventLoop::kWritable});
  if (needs == watched_) return;
  watched_ = needs;
  loop_.change(stream_->fd(), needs);
}

}  // namespace railhead::modbus
