#include "adapters/modbus/link.h"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"

namespace railhead::modbus {

using system::EventLoop;

std::string Endpoint::text() const {
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Link::Link(LinkOptions options, Connector connector, EventLoop& loop, system::Resolver& resolver, Scheduler& scheduler,
           Observer& observer, std::uint64_t seed)
    : options_(std::move(options)),
      name_(options_.endpoint.text()),
      connector_(std::move(connector)),
      loop_(loop),
      resolver_(resolver),
      scheduler_(scheduler),
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
      const BootTime due = scheduler_.due();
      if (due <= loop_.now()) return connect();
      return arm(due);
    }
    case State::waiting:
    case State::resolving:
    case State::connecting: return arm(until_);
    case State::ready: {
      if (!open_) {
        const std::optional<Turn> turn = scheduler_.next();
        if (!turn) return arm(scheduler_.due());
        send(*turn);
        return;
      }
      return arm(deadline_);
    }
  }
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
  if (open_) {
    open_.reset();
    scheduler_.failed("no answer within " + base::format_duration(timeout_));
    // A connection that nobody answers on may be dead without a word (a gateway that was switched off, a lost NAT
    // entry).
    if (++silences_ >= kSilencesMax) {
      close();
      state_ = State::waiting;
      until_ = loop_.now() + backoff_.next();
    }
  }
  pump();
}

void Link::connect() {
  RAILHEAD_ASSERT(stream_ == nullptr);
  state_ = State::resolving;
  until_ = loop_.now() + options_.connect_timeout;
  addresses_.clear();
  next_address_ = 0;
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
  open_ = turn.request;
  timeout_ = turn.timeout;
  deadline_ = loop_.now() + turn.timeout;
  encode_read(output_, ++transaction_, turn.request);
  if (!flush()) return;
  watch_for_needs();
  arm(deadline_);
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
  const int most = options_.endpoint.secure ? 40 : 4;
  for (int rounds = 0; rounds < most; ++rounds) {
    const Result<std::size_t> got = stream_->read(buffer);
    if (!got) {
      broke(got.error());
      return false;
    }
    if (*got == 0) break;
    input_.append(buffer.data(), *got);
    if (!take_frames()) return false;
    if (*got < buffer.size() && !options_.endpoint.secure) break;
  }
  return true;
}

bool Link::take_frames() {
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
    if (!open_ || found.transaction != transaction_) {
      if (!discard("it comes too late, or answers nobody")) return false;
    } else if (found.unit != open_->unit) {
      if (!discard("unit " + std::to_string(found.unit) + " answers unit " + std::to_string(open_->unit))) return false;
    } else if (const Result<ReadAnswer> answer = parse_read(*open_, found.pdu); !answer) {
      if (!discard(answer.error().what)) return false;
    } else {
      take_answer(*answer);
    }
  }
  input_.erase(0, input_.size() - rest.size());
  return true;
}

void Link::take_answer(const ReadAnswer& answer) {
  open_.reset();
  silences_ = 0;
  repeated_ = false;
  answered_ = true;
  backoff_.reset();
  if (!announced_) {
    announced_ = true;
    told_lost_ = false;
    observer_.on_connected(name_);
  }
  if (answer.exception != 0) {
    scheduler_.refused(answer.exception);
  } else {
    scheduler_.answered(answer.payload);
  }
}

bool Link::discard(const std::string& why) {
  observer_.on_discarded(name_, why);
  if (++discards_ < kDiscardsMax) return true;
  broke({Errc::protocol, "too many answers that nobody asked for"});
  return false;
}

void Link::broke(const Error& error) {
  const bool was_open = open_.has_value();
  open_.reset();
  close();
  // A device that closes after each answer, or while idle just as we asked: normal, once.
  const bool harmless = answered_ && !repeated_ && error.code != Errc::protocol;
  if (was_open) {
    if (harmless) {
      repeated_ = true;
      scheduler_.repeat();
    } else {
      repeated_ = false;
      scheduler_.failed(error.what);
    }
  }
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
}

void Link::watch_for_needs() {
  if (stream_ == nullptr) return;
  const std::uint32_t needs = stream_->wanted() | (output_.empty() ? 0u : std::uint32_t{EventLoop::kWritable});
  if (needs == watched_) return;
  watched_ = needs;
  loop_.change(stream_->fd(), needs);
}

}  // namespace railhead::modbus
