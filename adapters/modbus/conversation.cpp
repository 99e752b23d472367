#include "adapters/modbus/conversation.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "adapters/modbus/rtu.h"
#include "adapters/modbus/serial.h"
#include "adapters/tls/context.h"
#include "gateway/base/text.h"
#include "gateway/system/clock.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {

struct Conversation::State {
  explicit State(Options its_options) : options(std::move(its_options)) {}

  // Waits until the stream can go on. False: the time is up.
  bool wait(bool to_write, BootTime until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock.boot_now()).count();
    if (left <= 0) return false;
    pollfd watched{.fd = stream->fd(), .events = 0, .revents = 0};
    const std::uint32_t wanted = stream->wanted();
    if ((wanted & system::EventLoop::kReadable) != 0) watched.events |= POLLIN;
    if ((wanted & system::EventLoop::kWritable) != 0 || to_write) watched.events |= POLLOUT;
    if (watched.events == 0) watched.events = POLLIN;
    return ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) > 0;
  }

  Result<void> connect_to(const system::Address& address) {
    Result<std::unique_ptr<system::Stream>> made = system::connect_tcp(address);
    if (!made) return fail(made.error());
    if (options.endpoint.secure()) {
      const auto context = tls::Context::make(options.tls);
      if (!context) return fail(context.error());
      made = (*context)->secure(std::move(*made), options.endpoint.host);
      if (!made) return fail(made.error());
    }
    stream = std::move(*made);
    const BootTime until = clock.boot_now() + options.connect_timeout;
    for (;;) {
      const Result<system::Stream::Progress> progress = stream->handshake();
      if (!progress) return fail(progress.error());
      if (*progress == system::Stream::Progress::done) return {};
      if (!wait(false, until)) {
        return fail(Errc::timeout, "no connection within " + base::format_duration(options.connect_timeout));
      }
    }
  }

  Result<void> connect() {
    if (stream != nullptr) return {};
    if (options.endpoint.transport == Transport::rtu) {
      Result<std::unique_ptr<system::Stream>> line = open_serial(options.endpoint.host, options.endpoint.serial);
      if (!line) return fail(line.error());
      stream = std::move(*line);
      return {};
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const Endpoint& endpoint = options.endpoint;
    const int code = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
    if (code != 0) return fail(Errc::unavailable, endpoint.host + ": " + ::gai_strerror(code));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    Error last{Errc::unavailable, "no address"};
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      system::Address address;
      std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
      address.length = one->ai_addrlen;
      if (Result<void> connected = connect_to(address); connected)
        return {};
      else
        last = connected.error();
      stream.reset();
    }
    const bool says_where = last.what.find(endpoint.text()) != std::string::npos;
    return fail(says_where ? last : last.in(endpoint.text()));
  }

  static Result<Answer> answer_of(const ReadRequest& request, std::string_view pdu) {
    const Result<ReadAnswer> answer = parse_read(request, pdu);
    if (!answer) return fail(answer.error());
    return Answer{.exception = answer->exception, .payload = std::string(answer->payload)};
  }

  Result<Answer> exchange(const ReadRequest& request) {
    std::string output;
    const bool rtu = options.endpoint.rtu();
    if (rtu) {
      encode_rtu_read(output, request);
    } else {
      encode_read(output, ++transaction, request);
    }
    const BootTime until = clock.boot_now() + options.timeout;
    std::string input;
    std::array<char, 2 * kFrameMax> buffer;
    for (;;) {
      while (!output.empty()) {
        const Result<std::size_t> sent = stream->write(output);
        if (!sent) return fail(sent.error());
        if (*sent == 0) break;
        output.erase(0, *sent);
      }
      const Result<std::size_t> got = stream->read(buffer);
      if (!got) return fail(got.error());
      input.append(buffer.data(), *got);
      if (rtu) {
        if (const std::optional<RtuFrame> frame = first_rtu_answer(input)) {
          if (frame->unit != request.unit) return fail(Errc::protocol, "an answer of another unit");
          return answer_of(request, frame->pdu);
        }
      }
      const Result<std::optional<Frame>> frame = rtu ? std::optional<Frame>() : first_frame(input);
      if (!frame) return fail(frame.error());
      if (*frame) {
        if ((*frame)->transaction != transaction || (*frame)->unit != request.unit) {
          return fail(Errc::protocol, "an answer of another transaction or unit");
        }
        return answer_of(request, (*frame)->pdu);
      }
      if (*got == 0 && !wait(!output.empty(), until)) {
        return fail(Errc::timeout, "no answer within " + base::format_duration(options.timeout));
      }
    }
  }

  const Options options;
  const system::SystemClock clock;
  std::unique_ptr<system::Stream> stream;
  std::uint16_t transaction = 0;
};

Conversation::Conversation(Options options) : state_(std::make_unique<State>(std::move(options))) {}
Conversation::~Conversation() = default;

Result<Conversation::Answer> Conversation::ask(const ReadRequest& request) {
  // Once more on a fresh connection: devices that close after each answer are common.
  const bool fresh = state_->stream == nullptr;
  for (int attempt = 0;; ++attempt) {
    if (Result<void> connected = state_->connect(); !connected) return fail(connected.error());
    Result<Answer> answer = state_->exchange(request);
    if (answer) return answer;
    state_->stream.reset();
    if (fresh || attempt > 0 || answer.error().code != Errc::unavailable) return answer;
  }
}

}  // namespace railhead::modbus
