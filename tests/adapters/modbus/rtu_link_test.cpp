// Links that speak RTU: over a serial line (a pseudo-terminal) with noise, lost bytes and late answers, and over TCP.
#include <asm/termbits.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <random>

#include "adapters/modbus/link.h"
#include "adapters/modbus/serial.h"
#include "gateway/system/clock.h"
#include "tests/adapters/modbus/serial_line.h"
#include "tests/adapters/modbus/ticking_line.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Bus {
 public:
  explicit Bus(unsigned units = 1, SerialOptions serial = {.baud = 115200})
      : line(loop),
        polled(
            options_of(line.path(), serial),
            [path = line.path(), serial](const system::Address&) { return open_serial(path, serial); }, units, clock,
            loop, resolver) {}

  template <class Condition>
  bool until(Condition condition, Duration at_most = seconds{10}) {
    const BootTime end = clock.boot_now() + at_most;
    while (!condition()) {
      if (clock.boot_now() >= end) return false;
      loop.run_once(milliseconds{5});
    }
    return true;
  }
  [[nodiscard]] std::size_t good() const { return polled.good(); }
  [[nodiscard]] std::size_t wrong() const { return polled.wrong(); }
  [[nodiscard]] bool saw(const std::string& event) const { return polled.saw(event); }

  system::SystemClock clock;
  system::EventLoop loop{clock};
  system::Resolver resolver{loop};
  SerialLine line;
  TickingLine polled;
  RecordingObserver& seen = polled.seen;

 private:
  static LinkOptions options_of(const std::string& path, const SerialOptions& serial) {
    LinkOptions options;
    options.endpoint = {.host = path, .port = 0, .transport = Transport::rtu, .serial = serial};
    return options;
  }
};

TEST_CASE("units on a serial line are read in turn, with the line silent for 3.5 characters between frames") {
  Bus bus(3, {.baud = 1200});  // 3.5 characters of 11 bits are 32 ms
  std::vector<BootTime> asked;
  std::vector<BootTime> answered;
  bus.line.script = [&](const SerialLine::Request& request) {
    asked.push_back(bus.clock.boot_now());
    bus.line.send(SerialLine::answer(request));
    answered.push_back(bus.clock.boot_now());
  };
  REQUIRE(bus.until([&] { return bus.good() >= 12; }));
  CHECK(bus.wrong() == 0);
  for (std::size_t i = 1; i < asked.size(); ++i) CHECK(asked[i] - answered[i - 1] >= milliseconds{31});
  CHECK(bus.seen.discarded == 0);
  CHECK_FALSE(bus.saw("lost"));
  CHECK(bus.polled.link->busy() > milliseconds{32} * 12);
}

TEST_CASE("noise before, between and after answers costs at most the request it hits, and never makes a value") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  Bus bus;
  unsigned spoilt = 0;
  bus.line.script = [&](const SerialLine::Request& request) {
    std::string bytes = SerialLine::answer(request);
    const auto noise = [&] {
      std::string some(random() % 12, '\0');
      for (char& c : some) c = static_cast<char>(random());
      return some;
    };
    switch (random() % 6) {
      case 0: bytes = noise() + bytes + noise(); break;        // the answer is whole in the middle of it
      case 1: bytes.erase(random() % bytes.size(), 1); break;  // a byte is lost
      case 2: bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8); break;
      case 3: bytes = bytes.substr(0, random() % bytes.size()) + noise(); break;
      default: break;
    }
    if (bytes.find(SerialLine::answer(request)) == std::string::npos) ++spoilt;
    bus.line.send(bytes);
  };
  REQUIRE(bus.until([&] { return bus.line.requests >= 120; }, seconds{30}));
  CHECK(bus.wrong() == 0);
  CHECK(bus.good() >= 10);
  CHECK(spoilt >= 20);
  bus.line.script = [&](const SerialLine::Request& request) { bus.line.send(SerialLine::answer(request)); };
  const std::size_t before = bus.good();
  CHECK(bus.until([&] { return bus.good() >= before + 10; }));
}

TEST_CASE("a late answer on a serial line never becomes the next one's value") {
  // Late by so much that it comes while the next request is open, or later; each with a value of its own. A device
  // answers in order: what is asked meanwhile waits.
  for (const Duration late : {kTimeout + milliseconds{5}, kTimeout + kTick, kTimeout * 2, kTimeout * 3, kTimeout * 5}) {
    CAPTURE(late.count());
    Bus bus(2);
    unsigned count = 0;
    BootTime idle_from{};
    bus.line.script = [&](const SerialLine::Request& request) {
      const BootTime now = bus.clock.boot_now();
      if (request.unit != 1) return bus.line.send(SerialLine::answer(request));
      const bool slow = ++count % 7 == 3;
      const BootTime at = std::max(now + (slow ? late : Duration{0}), idle_from);
      idle_from = at;
      if (at == now) return bus.line.send(SerialLine::answer(request));
      bus.line.send_later(SerialLine::answer(request, slow ? 1000 : 0), at - now + milliseconds{1});
      if (!slow) idle_from = at + milliseconds{1};
    };
    REQUIRE(bus.until([&] { return count >= 25; }));
    CHECK(bus.wrong() == 0);
    CHECK(bus.seen.discarded >= 3);
  }
}

TEST_CASE("what the kernel holds when a request is sent is gone, and never its answer") {
  Bus bus;
  REQUIRE(bus.until([&] { return bus.good() >= 2; }));
  const auto in_kernel = [&] {
    int bytes = 0;
    REQUIRE(::ioctl(bus.line.near(), FIONREAD, &bytes) == 0);
    return bytes;
  };
  for (int rounds = 0; rounds < 5; ++rounds) {
    // Nothing is out, and the line has long been silent when the next request is due.
    REQUIRE(bus.until([&] {
      const BootTime due = bus.polled.scheduler->due();
      return due != BootTime::max() && due > bus.clock.boot_now() + milliseconds{5};
    }));
    const unsigned before = bus.line.requests;
    int stale = 0;
    // Runs when the loop has looked at the line and before the link's timer: so the link has not seen these bytes.
    bus.loop.at(bus.clock.boot_now() - seconds{1}, [&] {
      bus.line.send(SerialLine::answer({.unit = 1, .function = 3, .address = 7, .count = 1, .frame = {}}, 1000));
      pollfd readable{bus.line.near(), POLLIN, 0};
      REQUIRE(::poll(&readable, 1, 5000) == 1);
      stale = in_kernel();
    });
    while (bus.polled.scheduler->due() > bus.clock.boot_now()) ::poll(nullptr, 0, 1);
    bus.loop.run_once(Duration{0});
    CHECK(stale == 7);
    CHECK(in_kernel() == 0);
    REQUIRE(bus.until([&] { return bus.line.requests > before; }));
    const std::size_t good = bus.good();
    REQUIRE(bus.until([&] { return bus.good() > good; }));
  }
  CHECK(bus.wrong() == 0);
  CHECK(bus.seen.discarded == 0);  // nobody had to see that they were stale
}

TEST_CASE("an adapter that is pulled out and plugged in again is found by itself") {
  Bus bus;
  REQUIRE(bus.until([&] { return bus.good() >= 3; }));
  bus.line.unplug();
  REQUIRE(bus.until([&] { return bus.saw("lost") && bus.saw("down d1"); }));
  bus.seen.events.clear();
  bus.line.plug();
  const std::size_t before = bus.good();
  REQUIRE(bus.until([&] { return bus.good() >= before + 3; }));
  CHECK(bus.saw("connected"));
  CHECK(bus.saw("up d1"));
}

TEST_CASE("a line that gives back what we send is no trouble with echo=on") {
  Bus bus(2, {.baud = 115200, .echo = true});
  bus.line.script = [&](const SerialLine::Request& request) {
    bus.line.send(request.frame + SerialLine::answer(request));
  };
  REQUIRE(bus.until([&] { return bus.good() >= 10; }));
  CHECK(bus.wrong() == 0);
  CHECK(bus.seen.discarded == 0);
}

TEST_CASE("a line that never falls silent is bounded and counted") {
  Bus bus;
  const std::string flood(300, '\x55');
  bus.line.script = [&](const SerialLine::Request&) {
    for (int i = 0; i < 10; ++i) bus.line.send(flood);
  };
  REQUIRE(bus.until([&] { return bus.saw("discarded") && bus.saw("down d1"); }));
  bus.line.script = [&](const SerialLine::Request& request) { bus.line.send(SerialLine::answer(request)); };
  CHECK(bus.until([&] { return bus.good() >= 3; }));
}

TEST_CASE("a line that another program has is refused, and so is what is no line") {
  test::TemporaryDirectory directory;
  system::SystemClock clock;
  system::EventLoop loop(clock);
  SerialLine line(loop);
  const auto first = open_serial(line.path(), {});
  REQUIRE(first);
  const auto second = open_serial(line.path(), {});
  REQUIRE_FALSE(second);
  CHECK(second.error().what.find("in use by another program") != std::string::npos);
  CHECK_FALSE(open_serial(directory.write("file", "x"), {}));
  CHECK_FALSE(open_serial("/dev/no-such-line", {}));
  // A pseudo-terminal has no RS-485 mode: said, instead of a bus that never answers.
  SerialLine other(loop);
  const auto rs485 = open_serial(other.path(), {.rs485 = Rs485::rts_high_on_send});
  REQUIRE_FALSE(rs485);
  CHECK(rs485.error().what.find("the driver has no RS-485 mode") != std::string::npos);
}

TEST_CASE("a line gets the rate that was asked for, also one that libmodbus does not know") {
  system::SystemClock clock;
  system::EventLoop loop(clock);
  SerialLine line(loop);
  for (const std::uint32_t baud : {300u, 1800u, 9600u, 14400u, 19200u, 76800u, 250000u, 1000000u}) {
    REQUIRE(open_serial(line.path(), {.baud = baud}));
    termios2 setting{};
    REQUIRE(::ioctl(line.near(), TCGETS2, &setting) == 0);
    CHECK(setting.c_ospeed == baud);
    CHECK(setting.c_ispeed == baud);
    CHECK((setting.c_lflag & (ICANON | ECHO | ISIG)) == 0);  // also now that it is closed again
  }
}

}  // namespace
}  // namespace railhead::modbus
