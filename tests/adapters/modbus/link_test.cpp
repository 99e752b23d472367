#include "adapters/modbus/link.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/system/clock.h"
#include "tests/adapters/modbus/scripted_server.h"
#include "tests/adapters/modbus/ticking_line.h"
#include "tests/support/process.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<std::string>;
using Request = ScriptedServer::Request;
using Peer = ScriptedServer::Peer;

// One loop for everything; links that can be watched one by one.
class Plant {
 public:
  using Line = TickingLine;

  Line& line(std::uint16_t port, unsigned devices = 1, std::uint8_t pipeline = 1) {
    LinkOptions link;
    link.endpoint = {.host = "127.0.0.1", .port = port};
    link.pipeline = pipeline;
    lines.push_back(std::make_unique<Line>(link, system::connect_tcp, devices, clock, loop, resolver));
    return *lines.back();
  }

  template <class Condition>
  bool until(Condition condition, Duration at_most = seconds{5}) {
    const BootTime end = clock.boot_now() + at_most;
    while (!condition()) {
      if (clock.boot_now() >= end) return false;
      loop.run_once(milliseconds{5});
    }
    return true;
  }
  void run_for(Duration time) {
    until([] { return false; }, time);
  }

  system::SystemClock clock;
  system::EventLoop loop{clock};
  system::Resolver resolver{loop};
  std::vector<std::unique_ptr<Line>> lines;
};

TEST_CASE("values arrive over TCP, on one connection") {
  Plant plant;
  ScriptedServer server(plant.loop);
  Plant::Line& line = plant.line(server.port(), 3);
  REQUIRE(plant.until([&] { return line.good() >= 9; }));
  CHECK(server.connections == 1);
  CHECK(line.seen.events == Strings{"connected"});
  CHECK(line.seen.readings.front().value.find("p")->as_integer() == 7);
}

TEST_CASE("a device that refuses, is silent or is not there never delays another link") {
  Plant plant;
  ScriptedServer good(plant.loop);
  ScriptedServer silent(plant.loop);
  silent.script = [](Peer, const Request&) {};
  Plant::Line& healthy = plant.line(good.port());
  Plant::Line& mute = plant.line(silent.port());
  Plant::Line& absent = plant.line(test::free_port());
  REQUIRE(plant.until([&] { return mute.saw("down") && absent.saw("down"); }));
  // Behind the silent one's timeouts, half of the time, it would be 25 in every round; a busy machine takes time away
  // in some of them only.
  std::size_t most = 0;
  for (int round = 0; round < 3 && most < 38; ++round) {
    const std::size_t before = healthy.good();
    plant.run_for(kTick * 50);
    most = std::max(most, healthy.good() - before);
  }
  CHECK(most >= 38);
  CHECK(absent.saw("lost: connect to 127.0.0.1"));
  CHECK(mute.saw("down d1: no answer within 60 ms"));
}

TEST_CASE("a silent unit does not stop its neighbours on the same link") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request& request) {
    if (request.unit != 2) server.send(peer, server.answer(request));
  };
  Plant::Line& line = plant.line(server.port(), 3);
  REQUIRE(plant.until([&] { return line.saw("down d2"); }));
  const std::size_t before = line.good();
  REQUIRE(plant.until([&] { return line.good() >= before + 20; }));
  CHECK(server.connections == 1);
  server.script = [&](Peer peer, const Request& request) { server.send(peer, server.answer(request)); };
  CHECK(plant.until([&] { return line.saw("up d2"); }));
}

TEST_CASE("a late answer is never taken for the next one's value") {
  Plant plant;
  ScriptedServer server(plant.loop);
  unsigned count = 0;
  server.script = [&](Peer peer, const Request& request) {
    // The second one comes after its deadline, with a value that must not be seen.
    if (++count == 2) return server.send_later(peer, server.answer(request, 1000), kTimeout + milliseconds{10});
    server.send_later(peer, server.answer(request), milliseconds{15});
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.good() >= 5; }));
  for (const Reading& reading : line.seen.readings) {
    if (reading.quality == Quality::good) CHECK(reading.value.find("p")->as_integer() == 7);
  }
  CHECK(line.seen.discarded == 1);
  CHECK(line.seen.readings.at(1).quality == Quality::bad);
}

TEST_CASE("foreign answers are discarded and the right one still counts") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request& request) {
    Request other = request;
    other.transaction = static_cast<std::uint16_t>(other.transaction + 1);
    server.send(peer, server.answer(other, 1));
    other = request;
    other.unit = 9;
    server.send(peer, server.answer(other, 2));
    other = request;
    other.function = 4;
    server.send(peer, server.answer(other, 3));
    other = request;
    other.count = 2;
    server.send(peer, server.answer(other, 4));
    server.send(peer, server.answer(request));
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.good() >= 20; }));  // beyond the bound of stray answers
  CHECK(line.seen.discarded >= 80);
  for (const Reading& reading : line.seen.readings) CHECK(RecordingObserver::shown(reading) == R"(d1 good {"p":7})");
}

TEST_CASE("only wrong transactions: no value, and the device goes down") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, Request request) {
    ++request.transaction;
    server.send(peer, server.answer(request));
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  CHECK(line.good() == 0);
}

TEST_CASE("a device whose answers never fit is down with the reason why the last one did not") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, Request request) {
    request.unit = 9;
    server.send(peer, server.answer(request));
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  CHECK(std::any_of(line.seen.events.begin(), line.seen.events.end(), [](const std::string& event) {
    return event.starts_with("down d1: no answer within ") &&
           event.ends_with(" but one that was discarded: unit 9 answers unit 1");
  }));
  CHECK(line.good() == 0);
}

TEST_CASE("bytes may trickle in, within the deadline of the request") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request& request) {
    server.trickle(peer, server.answer(request), milliseconds{2});
  };
  Plant::Line& line = plant.line(server.port());
  CHECK(plant.until([&] { return line.good() >= 3; }));
}

TEST_CASE("a trickle cannot hold a request beyond its deadline") {
  Plant plant;
  ScriptedServer server(plant.loop);
  bool slow = true;
  server.script = [&](Peer peer, const Request& request) {
    if (slow) return server.trickle(peer, server.answer(request, 1), milliseconds{12});
    server.send(peer, server.answer(request));
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  CHECK(line.good() == 0);
  slow = false;
  CHECK(plant.until([&] { return line.good() >= 3; }));
  CHECK(line.seen.readings.back().value.find("p")->as_integer() == 7);
}

TEST_CASE("a device that closes after each answer loses no tick and is not told as lost") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request& request) {
    server.send(peer, server.answer(request));
    server.close(peer);
  };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.good() >= 10; }));
  CHECK(line.seen.readings.size() == line.good());
  CHECK(line.seen.events == Strings{"connected"});
}

TEST_CASE("a device that closes instead of answering is down, and is not asked in a tight loop") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request&) { server.close(peer); };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  const unsigned before = server.connections;
  plant.run_for(milliseconds{500});
  CHECK(server.connections - before <= 15);
  server.script = [&](Peer peer, const Request& request) { server.send(peer, server.answer(request)); };
  CHECK(plant.until([&] { return line.saw("up"); }));
}

TEST_CASE("a device that accepts and says nothing gets a new connection now and then") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [](Peer, const Request&) {};
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return server.connections >= 2; }));
  CHECK(line.saw("down"));
  CHECK(server.requests >= 3);
}

TEST_CASE("a flood of answers that nobody asked for ends the connection and disturbs no other link") {
  Plant plant;
  ScriptedServer flooding(plant.loop);
  ScriptedServer good(plant.loop);
  flooding.script = [&](Peer peer, Request request) {
    request.transaction = static_cast<std::uint16_t>(request.transaction + 77);
    std::string flood;
    for (int i = 0; i < 500; ++i) flood += flooding.answer(request);
    flooding.send(peer, flood);
  };
  Plant::Line& healthy = plant.line(good.port());
  Plant::Line& line = plant.line(flooding.port());
  REQUIRE(plant.until([&] { return line.saw("lost: too many answers that nobody asked for"); }));
  CHECK(line.good() == 0);
  const std::size_t before = healthy.good();
  CHECK(plant.until([&] { return healthy.good() >= before + 8; }));
}

TEST_CASE("a peer that speaks something else is left") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request&) { server.send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n"); };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  CHECK(line.saw("lost: not Modbus TCP: protocol identifier"));
}

TEST_CASE("exceptions are the device's word, not the link's failure") {
  Plant plant;
  ScriptedServer server(plant.loop);
  server.script = [&](Peer peer, const Request& request) { server.send(peer, ScriptedServer::exception(request, 2)); };
  Plant::Line& line = plant.line(server.port());
  REQUIRE(plant.until([&] { return line.seen.readings.size() >= 3; }));
  CHECK(server.connections == 1);
  CHECK(RecordingObserver::shown(line.seen.readings[2]) == R"(d1 bad {} {"p":"illegal data address"})");
}

TEST_CASE("a server that comes later is found") {
  Plant plant;
  const std::uint16_t port = test::free_port();
  Plant::Line& line = plant.line(port);
  REQUIRE(plant.until([&] { return line.saw("down"); }));
  std::optional<ScriptedServer> server;
  server.emplace(plant.loop, port);
  REQUIRE(plant.until([&] { return line.saw("up") && line.good() >= 3; }));
  server.reset();  // the whole server goes
  REQUIRE(plant.until([&] {
    unsigned downs = 0;
    for (const std::string& event : line.seen.events) downs += event.rfind("down", 0) == 0;
    return downs == 2;
  }));
}

TEST_CASE("a name that does not resolve is a lost link like any other") {
  Plant plant;
  LinkOptions link;
  link.endpoint = {.host = "no such name", .port = 502};
  link.connect_timeout = milliseconds{200};
  const Plant::Line line(link, system::connect_tcp, 1, plant.clock, plant.loop, plant.resolver);
  CHECK(plant.until([&] { return line.saw("lost") && !line.seen.readings.empty(); }));
  CHECK(line.seen.readings.front().quality == Quality::bad);
}

TEST_CASE("with a pipeline several requests are out, and each answer finds its own whatever the order") {
  Plant plant;
  ScriptedServer server(plant.loop);
  std::vector<std::pair<Peer, Request>> waiting;
  std::size_t most = 0;
  server.script = [&](Peer peer, const Request& request) {
    waiting.emplace_back(peer, request);
    most = std::max(most, waiting.size());
    plant.loop.after(milliseconds{5}, [&] {
      while (!waiting.empty()) {
        const auto [to, last] = waiting.back();
        waiting.pop_back();
        server.send(to, server.answer(last, last.unit));  // its address and its unit
      }
    });
  };
  Plant::Line& line = plant.line(server.port(), 6, 4);
  REQUIRE(plant.until([&] { return line.good() >= 30; }));
  CHECK(most == 4);
  for (const Reading& reading : line.seen.readings) {
    if (!reading.value.is(Kind::map)) continue;
    CHECK(reading.value.find("p")->as_integer() == 7 + std::stoi(reading.device.substr(1)));
  }
  CHECK(line.seen.discarded == 0);
}

}  // namespace
}  // namespace railhead::modbus
