// The MQTT sink against a real mosquitto; mosquitto_sub is the reader.
#include "adapters/mqtt/sink.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <sstream>

#include "tests/adapters/mqtt/sink_runner.h"
#include "tests/support/mosquitto.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Mosquitto;
using test::Process;

// mosquitto_sub with a kept session: it comes back by itself after a broker restart.
class Reader {
 public:
  explicit Reader(const Mosquitto& broker, const std::string& id = "reader")
      : process_({"stdbuf",
                  "-oL",
                  "mosquitto_sub",
                  "-d",
                  "-h",
                  "127.0.0.1",
                  "-p",
                  std::to_string(broker.port()),
                  "-V",
                  "5",
                  "-x",
                  "3600",
                  "-c",
                  "-i",
                  id,
                  "-q",
                  "1",
                  "-t",
                  "out/#",
                  "-F",
                  "message %t %p %P"}) {
    REQUIRE(process_.wait_for("Subscribed", 10s));
  }
  struct Message {
    std::string topic;
    int number = 0;
    std::string identity;
  };
  [[nodiscard]] std::vector<Message> messages() const {
    std::vector<Message> found;
    std::istringstream lines(process_.output());
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("message ", 0) != 0) continue;
      std::istringstream words(line.substr(8));
      Message message;
      words >> message.topic >> message.number;
      for (std::string word; words >> word;) {
        if (word.rfind("id:", 0) == 0) message.identity = word.substr(3);
      }
      found.push_back(std::move(message));
    }
    return found;
  }
  [[nodiscard]] std::string tail() const {
    const std::string all = process_.output();
    return std::to_string(messages().size()) + " messages; " + all.substr(all.size() > 600 ? all.size() - 600 : 0);
  }
  // Waits for every number below `count`.
  [[nodiscard]] bool has_all(int count) const {
    return eventually(30s, [&] {
      std::map<int, int> seen;
      for (const Message& message : messages()) ++seen[message.number];
      return static_cast<int>(seen.size()) == count;
    });
  }

 private:
  Process process_;
};

// First occurrences in order per topic; repeats under the same identity.
void check_contract(const std::vector<Reader::Message>& messages, bool identities) {
  std::map<std::string, int> last;
  std::map<int, std::string> identity;
  for (const Reader::Message& message : messages) {
    const auto known = identity.find(message.number);
    if (known != identity.end()) {
      CHECK(known->second == message.identity);
      continue;
    }
    identity[message.number] = message.identity;
    if (identities) CHECK_FALSE(message.identity.empty());
    const auto before = last.find(message.topic);
    if (before != last.end()) CHECK(before->second < message.number);
    last[message.topic] = message.number;
  }
}

TEST_CASE("every QoS and version: all arrive once, in order per topic, and are settled") {
  Mosquitto broker;
  Reader reader(broker);
  int n = 0;
  for (const bool v5 : {true, false}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(v5);
      CAPTURE(int(qos));
      SinkSettings settings = SinkRunner::settings(broker.url(), qos);
      settings.v5 = v5;
      SinkRunner runner(std::move(settings));
      for (int i = 0; i < 300; ++i, ++n) runner.append("out/" + std::to_string(i % 7), std::to_string(n));
      CHECK(runner.done());
      CHECK_MESSAGE(reader.has_all(n), reader.tail());
    }
  }
  CHECK(reader.messages().size() == static_cast<std::size_t>(n));
  check_contract(reader.messages(), false);
}

TEST_CASE("1,000 records over a broker restart in the middle: none lost, order kept, repeats under their identity") {
  Mosquitto broker;
  Reader reader(broker);
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.window = 50;
  SinkRunner runner(std::move(settings));
  for (int n = 0; n < 500; ++n) runner.append("out/" + std::to_string(n % 7), std::to_string(n));
  REQUIRE(eventually(10s, [&] { return runner.outlet.settled() > 100; }));
  broker.stop();
  for (int n = 500; n < 1000; ++n) runner.append("out/" + std::to_string(n % 7), std::to_string(n));
  const std::size_t settled = runner.outlet.settled();
  CHECK(settled <= 500);
  CHECK(eventually(10s, [&] { return runner.link.state() == status::LinkStatus::State::down; }));
  CHECK(runner.outlet.settled() <= 500);
  broker.start();
  CHECK(runner.done());
  CHECK(reader.has_all(1000));
  check_contract(reader.messages(), true);
  CHECK(runner.outlet.aside().empty());
}

TEST_CASE("3.1.1: a record above mosquitto's packet size becomes a dead letter, what is behind it arrives in order") {
  Mosquitto::Options options;
  options.packet_bytes = 2'000;
  Mosquitto broker(options);
  Reader reader(broker);
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.v5 = false;
  settings.suspects.strikes = 3;
  settings.suspects.least = 100ms;
  settings.suspects.first_try = 50ms;
  settings.suspects.most_between_tries = 100ms;
  SinkRunner runner(std::move(settings));
  int fit = 0;
  for (int n = 0; n < 90; ++n) {
    const bool fits = n != 10;
    runner.append("out/" + std::to_string(n % 3), fits ? std::to_string(fit++) : std::string(3'000, 'x'));
  }
  CHECK(runner.done());
  CHECK(runner.outlet.aside().size() == 1);
  CHECK_MESSAGE(reader.has_all(fit), reader.tail());
  check_contract(reader.messages(), false);
}

TEST_CASE("TLS with a client certificate; a wrong authority is refused, and so is no certificate, each by its name") {
  Mosquitto::Options options;
  options.tls = true;
  options.client_certificate = true;
  Mosquitto broker(options);
  SinkSettings settings = SinkRunner::settings(broker.tls_url());
  settings.tls.ca = broker.file("ca.pem");
  settings.tls.cert = broker.file("client.pem");
  settings.tls.key = broker.file("client.key");
  {
    SinkRunner runner(settings);
    runner.append("out/1", "1");
    CHECK(runner.done());
  }
  const auto says = [&](const SinkSettings& wrong, const std::string& what) {
    SinkRunner runner(wrong);
    CHECK_MESSAGE(eventually(10s, [&] { return runner.link.why().find(what) != std::string::npos; }),
                  runner.link.why());
    CHECK(runner.reporter.count(status::Event::sink_connected) == 0);
  };
  SinkSettings wrong = settings;
  wrong.tls.ca.clear();
  says(wrong, "the certificate of '127.0.0.1' is not accepted: ");
  wrong = settings;
  wrong.tls.cert.clear();
  wrong.tls.key.clear();
  says(wrong, "certificate required");
  wrong = settings;
  wrong.tls.key = broker.file("server.key");
  says(wrong, "key values mismatch");
}

TEST_CASE("TLS to an IPv6 address, with WebSockets too: the certificate's addresses are compared with it") {
  for (const bool websockets : {false, true}) {
    CAPTURE(websockets);
    Mosquitto::Options options;
    options.tls = true;
    options.ipv6 = true;
    options.websockets = websockets;
    const Mosquitto broker(options);
    SinkSettings settings = SinkRunner::settings(websockets ? broker.wss_url() : broker.tls_url());
    settings.tls.ca = broker.file("ca.pem");
    SinkRunner runner(settings);
    runner.append("out/1", "1");
    CHECK_MESSAGE(runner.done(), runner.link.why());
  }
}

TEST_CASE("retain keeps the last value for those who come later") {
  Mosquitto broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.retain = true;
  SinkRunner runner(std::move(settings));
  runner.append("out/a", "1");
  runner.append("out/a", "2");
  REQUIRE(runner.done());
  Reader reader(broker, "late");
  REQUIRE(eventually(10s, [&] { return reader.messages().size() == 1; }));
  CHECK(reader.messages()[0].number == 2);
}

}  // namespace
}  // namespace railhead::mqtt
