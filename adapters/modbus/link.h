// Link: one connection (TCP, TLS, RTU frames over TCP) or one serial line to a device, or to a gateway or bus that
// several units share. One request is out at a time, or `pipeline` on a connection with transaction identifiers.
// Connects when something is due, not before: devices that close after each answer or when idle are normal.
// Deadlines: a request's runs from its sending, whatever trickles in meanwhile; on a serial line the time that the
// bytes
//            need is added. What answers no open request (another transaction, unit, function or length) is discarded,
//            told to the observer, and never becomes a value.
// RTU:       a late answer cannot be told from one in time. After a silence the unit's next answer is therefore not
//            believed: it is discarded and the request sent again. Between frames the line is silent for 3.5
//            characters.
// Bounds:    kDiscardsMax stray frames a connection, of which each right answer makes up for kDiscardsBorne, kNoiseMax
// bytes without a frame a request, kSilencesMax unanswered
//            requests in a row: then it is closed and made anew. Reconnects wait by Backoff, except after a connection
//            that had answered.
// Threads:   the event loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/endpoint.h"
#include "adapters/modbus/link_commands.h"
#include "adapters/modbus/observer.h"
#include "adapters/modbus/scheduler.h"
#include "gateway/system/backoff.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/resolver.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {

struct LinkOptions {
  Endpoint endpoint;
  std::uint8_t pipeline = 1;  // requests that may be out at the same time; RTU has 1
  Duration connect_timeout = std::chrono::seconds{3};
  system::Backoff::Options reconnect = {.first = std::chrono::milliseconds{200}, .most = std::chrono::seconds{30}};
};

class Link {
 public:
  using Connector = std::function<Result<std::unique_ptr<system::Stream>>(const system::Address&)>;

  static constexpr unsigned kDiscardsMax = 64;
  static constexpr unsigned kDiscardsBorne = 8;
  static constexpr unsigned kSilencesMax = 3;
  static constexpr std::size_t kNoiseMax = 2048;
  static constexpr Duration kOwedFor = std::chrono::seconds{10};  // a late answer on an RTU link may come for so long

  Link(LinkOptions options, Connector connector, system::EventLoop& loop, system::Resolver& resolver,
       Scheduler& scheduler, Observer& observer, std::uint64_t seed, LinkCommands* commands = nullptr);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start();
  // A command came: it goes before the next poll.
  void poke() { pump(); }
  // How long requests were out, the gaps around them included, since the start; as a share of the `pipeline` there may
  // be.
  [[nodiscard]] Duration busy() const { return busy_ / (options_.endpoint.rtu() ? 1 : options_.pipeline); }

 private:
  enum class State : std::uint8_t { closed, waiting, resolving, connecting, ready };

  // A request on its way.
  struct Open {
    std::uint16_t transaction = 0;
    Turn turn;              // of a command only its unit and timeout
    std::string command{};  // the PDU of a command's request; empty: it is a poll
    BootTime sent{};
    BootTime deadline{};
    std::string stray{};  // why the last answer to it was discarded
  };
  // An answer that may still come, with nothing to tell it by.
  struct Owed {
    std::uint8_t unit = 0;
    BootTime until{};
  };

  void pump();
  void send_all();
  void arm(BootTime due);
  void on_timer();
  void connect();
  void try_next_address();
  void connect_failed(const std::string& why);
  void on_ready();
  void handshake();
  void send(const Turn& turn, BootTime now);
  bool flush();
  bool receive();
  bool take_frames();
  bool take_rtu_frames();
  void take_answer(const Open& open, const ReadAnswer& answer);
  bool believed(const Open& open);
  void silent(const Open& open);
  void send_command(const WriteTurn& turn);
  void take_command_answer(const Open& open, std::string_view pdu);
  void heard(const Open& open);
  void give_up(const Open& open, const std::string& why, bool again);
  void finish(const Open& open);
  [[nodiscard]] BootTime earliest_deadline() const;
  bool discard(const std::string& why, Open* asked = nullptr);
  void broke(const Error& error);
  void close();
  void watch_for_needs();

  const LinkOptions options_;
  const std::string name_;
  const Connector connector_;
  system::EventLoop& loop_;
  system::Resolver& resolver_;
  Scheduler& scheduler_;
  LinkCommands* const commands_;
  Observer& observer_;
  system::Backoff backoff_;

  State state_ = State::closed;
  system::EventLoop::TimerId timer_ = 0;
  BootTime armed_{};  // when timer_ is due
  system::Resolver::Ticket resolving_ = 0;
  std::vector<system::Address> addresses_;
  std::size_t next_address_ = 0;
  BootTime until_{};  // of waiting and of connecting

  std::unique_ptr<system::Stream> stream_;
  std::uint32_t watched_ = 0;
  std::string output_;
  std::string input_;
  std::uint16_t transaction_ = 0;
  std::vector<Open> open_;  // in the order of sending
  std::vector<Owed> owed_;
  BootTime quiet_until_{};  // RTU: nothing is sent before
  std::size_t noise_ = 0;   // bytes that were no frame since the request was sent
  Duration busy_{};
  unsigned discards_ = 0;
  unsigned silences_ = 0;
  bool answered_ = false;   // on this connection
  bool repeated_ = false;   // the open request was sent before, on a connection that was already closing
  bool announced_ = false;  // on_connected was told
  bool told_lost_ = false;
};

}  // namespace railhead::modbus
