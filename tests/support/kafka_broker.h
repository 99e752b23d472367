// KafkaBroker: a real Apache Kafka 3.9.2 (KRaft, one node) for tests, from Maven Central; needs java, javac and mvn.
// The first use fetches some 46 MB into test_cache(); later ones need no network. A start takes 2 to 4 seconds on a
// free machine, so take one per test program:
//
//   KafkaBroker broker;                                // runs and is ready, or the test aborts
//   broker.create_topic("telemetry", 3);
//   ... brokers: [broker.bootstrap()] ...
//   broker.kill9(); broker.restart();                  // same port, same data
//   for (const Seen& seen : broker.dump("telemetry"))  // the Java client: shares no code with ours
//
// A program that uses it must link librdkafka (adapters/kafka does): topics are made with its admin calls.
// Everything it starts is stopped by its own process id; data lie in a temporary directory. Every wait is bounded.
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

class KafkaBroker {
 public:
  struct Options {
    // More lines for server.properties.
    std::map<std::string, std::string> settings;
    // user -> password: a second listener, SASL_PLAINTEXT with SCRAM-SHA-512, at sasl_bootstrap().
    std::map<std::string, std::string> scram_users;
  };
  KafkaBroker();
  explicit KafkaBroker(Options options);
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  [[nodiscard]] std::string bootstrap() const;       // "127.0.0.1:PORT"
  [[nodiscard]] std::string sasl_bootstrap() const;  // with scram_users
  void create_topic(const std::string& name, int partitions, const std::map<std::string, std::string>& config = {});

  void kill9();
  // After kill9() or stop(): the same port and data; returns when the broker answers.
  void restart();
  void stop();    // SIGTERM
  void freeze();  // SIGSTOP: connections stay open, nothing answers
  void thaw();    // SIGCONT

  // Everything that is in the topic now, read by the Java client, in order within each partition.
  [[nodiscard]] std::vector<Seen> dump(const std::string& topic) const;
  // The broker's own output, for a failed test.
  [[nodiscard]] std::string log() const;

 private:
  void launch();
  [[nodiscard]] bool answers() const;

  Options options_;
  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  std::uint16_t controller_port_ = 0;
  std::uint16_t sasl_port_ = 0;
  std::unique_ptr<Process> process_;
  std::string archive_;  // a class archive this run leaves behind; empty: there is one already
};

}  // namespace railhead::test
