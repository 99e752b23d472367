// Link: one TCP connection to a device or a gateway that several units share. One request is out at a time.
// Connects when something is due, not before: devices that close after each answer or when idle are normal.
// Deadlines: a request's runs from its sending, whatever trickles in meanwhile. What answers no open request (another
//            transaction, unit, function or length) is discarded, told to the observer, and never becomes a value.
// Bounds:    kDiscardsMax stray frames a connection, kSilencesMax unanswered requests in a row: then it is closed and
// made
//            anew. Reconnects wait by Backoff, except after a connection that had answered.
// Threads:   the event loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/observer.h"
#include "adapters/modbus/scheduler.h"
#include "gateway/system/backoff.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/resolver.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {

struct Endpoint {
  std::string host;
  std::uint16_t port = 502;
  bool secure = false;                     // Modbus/TCP Security: TLS
  [[nodiscard]] std::string text() const;  // "10.0.0.17:502", "[::1]:502"
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct LinkOptions {
  Endpoint endpoint;
  Duration connect_timeout = std::chrono::seconds{3};
  system::Backoff::Options reconnect = {.first = std::chrono::milliseconds{200}, .most = std::chrono::seconds{30}};
};

class Link {
 public:
  using Connector = std::function<Result<std::unique_ptr<system::Stream>>(const system::Address&)>;

  static constexpr unsigned kDiscardsMax = 64;
  static constexpr unsigned kSilencesMax = 3;

  Link(LinkOptions options, Connector connector, system::EventLoop& loop, system::Resolver& resolver,
       Scheduler& scheduler, Observer& observer, std::uint64_t seed);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start();

 private:
  enum class State : std::uint8_t { closed, waiting, resolving, connecting, ready };

  void pump();
  void arm(BootTime due);
  void on_timer();
  void connect();
  void try_next_address();
  void connect_failed(const std::string& why);
  void on_ready();
  void handshake();
  void send(const Turn& turn);
  bool flush();
  bool receive();
  bool take_frames();
  void take_answer(const ReadAnswer& answer);
  bool discard(const std::string& why);
  void broke(const Error& error);
  void close();
  void watch_for_needs();

  const LinkOptions options_;
  const std::string name_;
  const Connector connector_;
  system::EventLoop& loop_;
  system::Resolver& resolver_;
  Scheduler& scheduler_;
  Observer& observer_;
  system::Backoff backoff_;

  State state_ = State::closed;
  system::EventLoop::TimerId timer_ = 0;
  system::Resolver::Ticket resolving_ = 0;
  std::vector<system::Address> addresses_;
  std::size_t next_address_ = 0;
  BootTime until_{};  // of waiting and of connecting

  std::unique_ptr<system::Stream> stream_;
  std::uint32_t watched_ = 0;
  std::string output_;
  std::string input_;
  std::uint16_t transaction_ = 0;
  std::optional<ReadRequest> open_;
  BootTime deadline_{};
  Duration timeout_{};
  unsigned discards_ = 0;
  unsigned silences_ = 0;
  bool answered_ = false;   // on this connection
  bool repeated_ = false;   // the open request was sent before, on a connection that was already closing
  bool announced_ = false;  // on_connected was told
  bool told_lost_ = false;
};

}  // namespace railhead::modbus
