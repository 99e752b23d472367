// Connection: one AMQP 0-9-1 connection with one channel in confirm mode. Nothing of rabbitmq-c leaves connection.cpp.
// Standard: AMQP 0-9-1 and RabbitMQ's extensions publisher confirms and connection.blocked.
// Errors:   denied (credentials, rights, vhost), refused (this message can never be encoded), unavailable (all else).
// After
//           an error other than refused the connection is of no more use.
// Waiting:  open() at most the connect time-out for each of its steps (and what the resolver takes); publish() as long
// as
//           the socket is full, so put it under a Watchdog; receive() never.
// Threads:  one owner.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/record.h"

namespace railhead::amqp {

struct Target {
  std::string host;
  std::uint16_t port = 5672;
  std::string vhost = "/";
  std::string user = "guest";
  std::string password = "guest";
  std::string exchange;  // must exist; empty is the default exchange
  bool tls = false;
  std::string ca;  // empty: the system's
  std::string cert;
  std::string key;
  std::string key_password;
  bool verify = true;
  std::string connection_name;  // shown by the broker
  std::chrono::seconds heartbeat{20};
  std::chrono::milliseconds timeout{5'000};
};

struct Publication {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view message_id;
  std::string_view content_type;
  std::string_view body;
  const std::vector<Header>* headers = nullptr;
  Time time{};
  std::optional<std::uint8_t> priority;
  bool mandatory = true;
  bool persistent = true;
};

class Connection {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_ack(std::uint64_t tag, bool multiple) = 0;
    virtual void on_nack(std::uint64_t tag, bool multiple) = 0;
    virtual void on_return(std::string_view message_id, std::string reason) = 0;
    virtual void on_blocked(std::string reason) = 0;
    virtual void on_unblocked() = 0;
  };

  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const Target& target, Listener& listener);
  // Drops the socket; close() first for a polite end.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int fd() const;
  // The n-th success has delivery tag n.
  [[nodiscard]] Result<void> publish(const Publication& publication);
  // Handles what has come; sends heartbeats when due, so call it at least twice a heartbeat.
  [[nodiscard]] Result<void> receive();
  // Something has come that fd() does not tell of: call receive().
  [[nodiscard]] bool has_more() const;
  // As agreed with the broker; 0: none.
  [[nodiscard]] std::chrono::seconds heartbeat() const;
  // Says good-bye; waits at most that long for the answer.
  void close(std::chrono::milliseconds at_most);

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace railhead::amqp
