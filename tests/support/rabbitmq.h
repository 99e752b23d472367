// RabbitMq: a real RabbitMQ (Debian's rabbitmq-server) for tests, as whatever user runs them, with its own node name,
// ports, data and epmd, so no service of the system is touched. A start takes 7 to 10 seconds: one per test program.
//
//   RabbitMq broker;                                          // runs and is ready, or the test aborts
//   broker.declare({"exchange:telemetry:topic", "queue:all", "bind:telemetry:#:all"});
//   ... url: broker.url() ...                                 // amqp://guest:guest@localhost:PORT
//   broker.kill9(); broker.restart();                         // same ports, same data
//   for (const Seen& seen : broker.drain("all"))              // python3-pika: shares no code with our client
//
// Everything it starts is a child that ends with the test, epmd included. Every wait is bounded.
// Threads: one test's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/upstream_seen.h"

namespace railhead::test {

class RabbitMq {
 public:
  RabbitMq();
  ~RabbitMq();
  RabbitMq(const RabbitMq&) = delete;
  RabbitMq& operator=(const RabbitMq&) = delete;

  // `vhost`: "/" or one made with add_vhost().
  [[nodiscard]] std::string url(const std::string& vhost = "/") const;
  // amqps://...@localhost; trust ca().
  [[nodiscard]] std::string tls_url() const;
  [[nodiscard]] std::string ca() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Each as drain.py says: "queue:NAME", "exchange:NAME:TYPE", "bind:EXCHANGE:ROUTING_KEY:QUEUE", "delete-queue:NAME".
  void declare(const std::vector<std::string>& what, const std::string& vhost = "/") const;
  // Takes everything out of the queue, with pika.
  [[nodiscard]] std::vector<Seen> drain(const std::string& queue, const std::string& vhost = "/") const;
  [[nodiscard]] std::size_t count(const std::string& queue, const std::string& vhost = "/") const;
  // rabbitmqctl ARGUMENTS...; some 2 s each.
  std::string control(const std::vector<std::string>& arguments) const;
  void add_vhost(const std::string& name) const;

  // What was declared so far is on disk. Why: a declaration is confirmed before Mnesia's log is written, so a kill soon
  // after it takes the queue away, and then everything for it has no route.
  void sync_declarations() const;
  void kill9();    // after sync_declarations()
  void restart();  // after kill9() or stop(): returns when the broker answers
  void stop();     // SIGTERM
  void freeze();   // SIGSTOP: connections stay open, nothing answers
  void thaw();     // SIGCONT
  [[nodiscard]] std::string log() const;

 private:
  void launch();
  void make_certificates() const;
  [[nodiscard]] std::map<std::string, std::string> environment() const;
  [[nodiscard]] std::string script(const std::string& name) const;
  [[nodiscard]] Ran pika(const std::string& vhost, const std::vector<std::string>& arguments) const;

  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::uint16_t epmd_port_ = 0;
  std::uint16_t distribution_port_ = 0;
  unsigned starts_ = 0;
  std::unique_ptr<Process> epmd_;  // outlives the node
  std::unique_ptr<Process> process_;
};

}  // namespace railhead::test
