// ./dev bench mqtt: durable QoS 1 intake. The gateway (the real program, on core 0) beside bare subscribers on the same
// core; the broker, real or the blaster of this process, has core 1. They alternate within one run.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <iostream>
#include <sstream>
#include <thread>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/bench/mqtt/bare_client.h"
#include "tests/bench/mqtt/blaster.h"
#include "tests/bench/mqtt/wire.h"
#include "tests/bench/support/gateway.h"
#include "tests/bench/support/measure.h"
#include "tests/bench/support/report.h"
#include "tests/support/mosquitto.h"
#include "tests/support/places.h"

namespace railhead::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMessages = 200'000;
constexpr int kRounds = 3;

// One source, one unconditional rule, an upstream that is away.
std::string configuration(std::uint16_t port, const std::string& more = "") {
  return "sources:\n  sensors:\n    mqtt:\n      url: mqtt://127.0.0.1:" + std::to_string(port) +
         "\n      client_id: gateway\n      receive_maximum: 10000\n" + more +
         "      subscribe: [ { topic: \"bench/{device}\", qos: 1, payload: raw } ]\n"
         "rules:\n  - name: all\n    from: { source: sensors }\n"
         "    send: { to: away, topic: t, body: value, format: raw }\n"
         "sinks:\n  away: { mqtt: { url: mqtt://127.0.0.1:1 } }\n";
}

struct Bare {
  double seconds = 0;
  double cpu = 0;
  std::uint32_t checksum = 0;
  std::uint64_t syncs = 0;
};

std::optional<Bare> result_of(test::Process& process) {
  if (process.wait(120s) != 0) return std::nullopt;
  Bare bare;
  std::istringstream words(process.output());
  words >> bare.seconds >> bare.cpu >> bare.checksum >> bare.syncs;
  return bare;
}

std::unique_ptr<test::Process> start_client(const std::string& self, const std::string& kind, std::uint16_t port,
                                            std::uint64_t messages, const std::string& file = "",
                                            std::size_t overhead = 0) {
  pin_to({0});
  auto process = std::make_unique<test::Process>(std::vector<std::string>{
      self, kind, std::to_string(port), std::to_string(messages), file, std::to_string(overhead)});
  pin_to({1});
  return process;
}

std::string data_file() { return test::build_directory() + "/bench-data/bare"; }

// Bytes on disk beside each payload.
double overhead_of(const Gateway::Stored& stored, std::uint64_t begin, std::uint64_t end) {
  double payloads = 0;
  for (std::uint64_t i = begin; i < end; ++i) payloads += static_cast<double>(payload_number(i).size());
  return stored.bytes_each - payloads / static_cast<double>(end - begin);
}

std::size_t overhead_of_gateway() {
  constexpr std::uint64_t kFew = 1000;
  Blaster blaster;
  Gateway gateway(configuration(blaster.port()), "0 ms", {0});
  pin_to({1});
  blaster.accept_subscriber();
  blaster.blast(kFew, kFew);
  gateway.stop();
  return static_cast<std::size_t>(std::lround(overhead_of(gateway.stored(), 0, kFew)));
}

// Both are connected all the time and take turns, each first as often as the other: a disk changes its mind from one
// second to the next. A turn is long beside the time in which a window of messages first goes all the way (2 ms for the
// gateway's); what the same is in short bursts is noted.
void from_blaster(Report& report, const std::string& self) {
  constexpr int kPairs = 10;  // a round
  constexpr std::uint64_t kTurn = 60'000;
  constexpr std::uint64_t kBurst = 20'000;
  constexpr std::uint64_t kFewer = 100'000;
  constexpr std::uint64_t kAll = 1000 + kPairs * (kTurn + kBurst) + kFewer;
  constexpr std::size_t kWindow = 1000;
  std::vector<double> ours;
  std::vector<double> many;  // topics
  std::vector<double> theirs;
  std::vector<double> ratios;
  std::vector<double> bursts;  // ratios
  std::vector<double> paho;
  std::vector<double> cpu;  // in Y of the moment: the processor's speed changes within minutes
  std::vector<double> bare_cpu;
  std::vector<double> commits;  // per 1,000 messages
  std::vector<double> bare_commits;
  const std::size_t overhead = overhead_of_gateway();
  for (int round = 0; round < kRounds; ++round) {
    Blaster to_gateway;
    Gateway gateway(configuration(to_gateway.port()), "0 ms", {0});
    Blaster to_bare;
    const auto client = start_client(self, "--client", to_bare.port(), kAll, data_file(), overhead);
    to_gateway.accept_subscriber();
    to_bare.accept_subscriber();
    to_gateway.blast(1000, kWindow);
    to_bare.blast(1000, kWindow);
    double used = 0;
    const std::int64_t syncs_before = gateway.syncs();
    const double y_before = yardstick().seconds;
    for (int pair = 0; pair < kPairs; ++pair) {
      const auto our_turn = [&] {
        const double before = cpu_seconds_of(gateway.pid()).value_or(0);
        ours.push_back(kTurn / to_gateway.blast(kTurn, kWindow));
        used += cpu_seconds_of(gateway.pid()).value_or(0) - before;
      };
      if (pair % 2 == 0) our_turn();
      theirs.push_back(kTurn / to_bare.blast(kTurn, kWindow));
      if (pair % 2 != 0) our_turn();
      ratios.push_back(ours.back() / theirs.back());
    }
    const double y = (y_before + yardstick().seconds) / 2;
    constexpr double kTurns = kPairs * kTurn;
    cpu.push_back(used / kTurns / y);
    commits.push_back(1e3 * static_cast<double>(gateway.syncs() - syncs_before) / kTurns);
    for (int pair = 0; pair < kPairs; ++pair) {
      double seconds = 0;
      if (pair % 2 == 0) seconds = to_gateway.blast(kBurst, kWindow);
      const double bare = to_bare.blast(kBurst, kWindow);
      if (pair % 2 != 0) seconds = to_gateway.blast(kBurst, kWindow);
      bursts.push_back(bare / seconds);
    }
    to_gateway.use_topics(1000);
    to_bare.use_topics(1000);
    many.push_back(kFewer / to_gateway.blast(kFewer, kWindow));
    to_bare.blast(kFewer, kWindow);
    gateway.stop();
    const Gateway::Stored stored = gateway.stored();
    if (stored.records != kAll || stored.checksum != to_gateway.checksum())
      return report.invalid("the gateway did not store what was sent");
    const auto bare = result_of(*client);
    if (!bare || bare->checksum != to_bare.checksum())
      return report.invalid("the bare loop did not store what was sent");
    // Of 1,000 topics some have another length than the one of the turns.
    const double apart = std::fabs(overhead_of(stored, 0, kAll) - static_cast<double>(overhead));
    if (stored.checksum != bare->checksum || apart > 0.02 * stored.bytes_each)
      return report.invalid("the two did not write the same bytes");
    bare_cpu.push_back(bare->cpu / kAll / y);
    bare_commits.push_back(1e3 * static_cast<double>(bare->syncs) / kAll);
    Blaster slow;
    constexpr std::uint64_t kFew = 3000;
    const auto callback = start_client(self, "--paho", slow.port(), kFew, data_file(), overhead);
    slow.accept_subscriber();
    paho.push_back(kFew / slow.blast(kFew, kWindow));
    if (!result_of(*callback)) return report.invalid("the Paho client failed");
  }
  report.add({"durable QoS 1 from the blaster, window 1,000", median(ours), median(theirs), "msg/s", "bare loop", 0.7,
              Wanted::at_least, ratios});
  report.note("the same in bursts of 20,000 messages: ratio " + shown(median(bursts)));
  report.note("the same from 1,000 topics: " + shown(median(many)) + " msg/s");
  report.note("fdatasync per 1,000 messages: " + shown(median(commits)) + ", bare loop " + shown(median(bare_commits)));
  report.add(
      {"CPU a message", median(cpu), 0, "Y", "(bare loop " + shown(median(bare_cpu)) + " Y)", 6.0, Wanted::at_most});
  report.add({"the same beside Paho, fdatasync per callback", median(ours), median(paho), "msg/s", "Paho C++", 1.0,
              Wanted::at_least});
}

// What lies queued at a real broker for a session that comes back.
void fill(const test::Mosquitto& broker, const std::string& client_id, const std::string& folder,
          std::uint64_t messages) {
  {
    const int fd = connect_to_loopback(broker.port());
    send_all(fd, connect_packet(client_id));
    send_all(fd, subscribe_packet(folder + "/#"));
    std::string answers(9, '\0');
    RAILHEAD_ASSERT(recv(fd, answers.data(), 9, MSG_WAITALL) == 9);
    close(fd);
  }
  const int fd = connect_to_loopback(broker.port());
  send_all(fd, connect_packet("filler"));
  std::string connack(4, '\0');
  RAILHEAD_ASSERT(recv(fd, connack.data(), 4, MSG_WAITALL) == 4);
  std::string packets;
  std::string acks;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t sent = 0; acknowledged < messages;) {
    packets.clear();
    for (int i = 0; i < 500 && sent < messages; ++i, ++sent) {
      packets += publish_packet(folder + "/boiler-17", static_cast<std::uint16_t>(sent % 65535 + 1),
                                payload_number(sent), false);
    }
    send_all(fd, packets);
    char bytes[65536];
    while (acknowledged < sent) {
      // The broker writes each PUBACK alone and Nagle's algorithm holds all but the first until that one is confirmed.
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
      const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
      RAILHEAD_ASSERT(got > 0);
      acks.append(bytes, static_cast<std::size_t>(got));
      acknowledged += acks.size() / 4;
      acks.erase(0, acks.size() / 4 * 4);
    }
  }
  close(fd);
}

void through_mosquitto(Report& report, const std::string& self) {
  std::vector<double> ours;
  std::vector<double> theirs;
  pin_to({1});
  test::Mosquitto::Options wide;
  wide.inflight = 10'000;
  test::Mosquitto broker(wide);
  std::uint32_t sent = 0;
  for (std::uint64_t i = 0; i < kMessages; ++i) sent = base::crc32c(payload_number(i), sent);
  for (int round = 0; round < kRounds; ++round) {
    fill(broker, "bare", "bare", kMessages);
    const auto client = start_client(self, "--client", broker.port(), kMessages);
    const auto bare = result_of(*client);
    if (!bare || bare->checksum != sent) return report.invalid("the bare subscriber did not get what was sent");
    theirs.push_back(kMessages / bare->seconds);
    fill(broker, "gateway", "bench", kMessages);
    Gateway gateway(configuration(broker.port(), "      version: 3.1.1\n"), "10 ms", {0});
    pin_to({1});
    // From its first message to its last: the interval between two looks is small beside the whole.
    double begin = 0;
    double end = 0;
    std::int64_t first = 0;
    std::int64_t taken = 0;
    while (taken < static_cast<std::int64_t>(kMessages)) {
      taken = gateway.accepted();
      end = wall_seconds();
      if (begin == 0 && taken > 0) {
        begin = end;
        first = taken;
      }
      if (taken < 0) return report.invalid("the gateway does not answer");
      std::this_thread::sleep_for(5ms);
      if (begin > 0 && end > begin + 60) {
        return report.invalid("the gateway took only " + std::to_string(taken) + ": " + gateway.status() +
                              gateway.log());
      }
    }
    ours.push_back(static_cast<double>(taken - first) / (end - begin));
    gateway.stop();
    const Gateway::Stored stored = gateway.stored();
    if (stored.records != kMessages || stored.checksum != sent)
      return report.invalid("the gateway did not store what was sent");
  }
  report.add({"durable QoS 1 through mosquitto", median(ours), median(theirs), "msg/s", "only acknowledges", 0.95,
              Wanted::at_least});
}

void latency(Report& report, const std::string& self) {
  constexpr std::uint64_t kPings = 1000;
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int round = 0; round < kRounds; ++round) {
    {
      Blaster blaster;
      const Gateway gateway(configuration(blaster.port()), "0 ms", {0});
      pin_to({1});
      blaster.accept_subscriber();
      ours.push_back(percentile(blaster.ping(kPings, 0.01), 0.99));
    }
    Blaster blaster;
    const auto client = start_client(self, "--client", blaster.port(), kPings, data_file(), 100);
    blaster.accept_subscriber();
    theirs.push_back(percentile(blaster.ping(kPings, 0.01), 0.99));
    if (!result_of(*client)) return report.invalid("the bare loop failed");
  }
  report.add({"PUBLISH to PUBACK p99 beyond the bare loop's", (median(ours) - median(theirs)) * 1e3, 0, "ms",
              "p99 " + shown(median(ours) * 1e3) + ", bare " + shown(median(theirs) * 1e3), 1.0, Wanted::at_most});
}

// One process, 200 sources on 200 connections, five messages a second each.
void many_connections(Report& report, const Yardstick& y) {
  constexpr int kConnections = 200;
  constexpr int kEach = 50;
  pin_to({1});
  const test::Mosquitto broker;
  std::string text = "sources:\n";
  for (int i = 0; i < kConnections; ++i) {
    const std::string name = "s" + std::to_string(i);
    text += "  " + name + ":\n    mqtt:\n      url: " + broker.url() + "\n      client_id: c" + std::to_string(i) +
            "\n      subscribe: [ { topic: \"many/" + std::to_string(i) + "/{device}\", qos: 1, payload: text } ]\n";
  }
  text +=
      "rules:\n  - name: all\n    send: { to: away, topic: t, body: value, format: raw }\n"
      "sinks:\n  away: { mqtt: { url: mqtt://127.0.0.1:1 } }\n";
  const Gateway gateway(text, "10 ms", {0});
  pin_to({1});
  const bool all = test::eventually(30s, [&] {
    int up = 0;
    const std::string status = gateway.status();
    for (std::size_t at = status.find("\"state\":\"up\""); at != std::string::npos;
         at = status.find("\"state\":\"up\"", at + 1))
      ++up;
    return up == kConnections;
  });
  if (!all) return report.invalid("the sources did not connect");
  const int fd = connect_to_loopback(broker.port());
  send_all(fd, connect_packet("publisher"));
  const double cpu = cpu_seconds_of(gateway.pid()).value_or(0);
  const double begin = wall_seconds();
  std::thread drain([fd] {
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
  });
  std::uint64_t sent = 0;
  for (int round = 0; round < kEach; ++round) {
    for (int i = 0; i < kConnections; ++i, ++sent) {
      send_all(fd, publish_packet("many/" + std::to_string(i) + "/d", static_cast<std::uint16_t>(sent % 65535 + 1),
                                  payload_number(sent), false));
    }
    const double ahead = static_cast<double>(sent) / 1000.0 - (wall_seconds() - begin);
    if (ahead > 0) std::this_thread::sleep_for(std::chrono::duration<double>(ahead));
  }
  const bool complete = test::eventually(20s, [&] { return gateway.accepted() >= static_cast<std::int64_t>(sent); });
  const double took = wall_seconds() - begin;
  const double used = cpu_seconds_of(gateway.pid()).value_or(0) - cpu;
  shutdown(fd, SHUT_RDWR);
  drain.join();
  close(fd);
  if (!complete) return report.invalid("200 connections: only " + std::to_string(gateway.accepted()) + " arrived");
  report.add({"1,000 msg/s on 200 connections", static_cast<double>(sent) / took, 0, "msg/s",
              "CPU " + shown(100 * used / took) + " % of a core, " +
                  shown(used / static_cast<double>(sent) / y.seconds) + " Y",
              900, Wanted::at_least});
}

}  // namespace

int main_of(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (argc == 6 && (mode == "--client" || mode == "--paho")) {
    BareClient client;
    client.port = static_cast<std::uint16_t>(std::stoul(argv[2]));
    client.messages = std::stoull(argv[3]);
    client.file = argv[4];
    client.overhead = std::stoul(argv[5]);
    return mode == "--client" ? run_bare_client(client) : run_paho_client(client);
  }
  Report report("mqtt", argc, argv);
  if (!pin_to({0}) || !pin_to({1})) report.invalid("it needs two cores of its own");
  const Yardstick y = yardstick();
  report.note("1 Y = " + shown(y.seconds * 1e9) + " ns (simdjson " + y.kernel + ")");
  if (y.fallback) report.invalid("simdjson runs without vector instructions: the yardstick is wrong");
  const std::string self = argv[0];
  // --only PART measures one of them.
  std::string only;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--only") only = argv[i + 1];
  }
  if (only.empty() || only == "blaster") from_blaster(report, self);
  if (only.empty() || only == "mosquitto") through_mosquitto(report, self);
  if (only.empty() || only == "latency") latency(report, self);
  if (only.empty() || only == "connections") many_connections(report, y);
  return report.finish();
}

}  // namespace railhead::bench

int main(int argc, char** argv) { return railhead::bench::main_of(argc, argv); }
