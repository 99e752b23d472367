// A real mosquitto on a free loopback port, with queues that drop nothing, kept over restarts. TLS on a second port
// with a certificate authority made at run time by the openssl program. Stop is SIGTERM: mosquitto keeps QoS 1 queues
// and retained messages over it, not over kill -9. Threads: one test's.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace railhead::test {

class Mosquitto {
 public:
  struct Options {
    bool tls = false;
    bool client_certificate = false;  // the TLS listener requires one
    bool ipv6 = false;                // the TLS listener is at ::1
    bool websockets = false;          // on a third port, and with tls the TLS listener speaks them
    std::string password;             // not empty: only user `gateway` with this password
    std::string allowed;              // not empty: whoever it is may subscribe and publish under this topic alone
    std::uint32_t inflight = 1000;
    std::uint32_t packet_bytes = 0;  // not 0: it closes the connection upon a larger packet
  };
  explicit Mosquitto(const Options& options);
  Mosquitto() : Mosquitto(Options{}) {}

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t tls_port() const { return tls_port_; }
  [[nodiscard]] std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string tls_url() const { return "mqtts://" + tls_host() + ":" + std::to_string(tls_port_); }
  [[nodiscard]] std::string ws_url() const { return "ws://127.0.0.1:" + std::to_string(ws_port_) + "/mqtt"; }
  [[nodiscard]] std::string wss_url() const {
    return "wss://" + tls_host() + ":" + std::to_string(tls_port_) + "/mqtt";
  }
  // PEM files of the test's authority: ca.pem, client.pem, client.key.
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.path() + "/" + name; }

  void stop();   // SIGTERM, waits for its end
  void start();  // on the same ports, with what it kept
  void restart() {
    stop();
    start();
  }
  // SIGSTOP and SIGCONT: a broker that takes connections and says nothing.
  void freeze() const { process_->signal(SIGSTOP); }
  void thaw() const { process_->signal(SIGCONT); }
  // Forgets all sessions: what a broker without persistence does.
  void forget();
  [[nodiscard]] std::string log() const { return process_ ? process_->output() : std::string(); }

 private:
  [[nodiscard]] std::string tls_host() const { return options_.ipv6 ? "[::1]" : "127.0.0.1"; }
  void make_certificates() const;
  [[nodiscard]] std::string rights() const;

  TemporaryDirectory directory_;
  Options options_;
  std::uint16_t port_;
  std::uint16_t tls_port_;
  std::uint16_t ws_port_;
  std::unique_ptr<Process> process_;
};

}  // namespace railhead::test
