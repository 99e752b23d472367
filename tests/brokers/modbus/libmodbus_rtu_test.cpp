// A libmodbus RTU server at the far end of a line that loses bytes, flips bits and adds noise, in both directions.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <modbus.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "gateway/system/descriptor.h"
#include "tests/brokers/modbus/running_source.h"

namespace railhead::modbus {
namespace {

using std::chrono::seconds;

// Two pseudo-terminals and a thread between them.
class NoisyLine {
 public:
  explicit NoisyLine(unsigned seed) : random_(seed) {
    for (std::size_t i = 0; i < 2; ++i) {
      far_[i].reset(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
      REQUIRE(::grantpt(far_[i].get()) == 0);
      REQUIRE(::unlockpt(far_[i].get()) == 0);
      std::array<char, 64> name{};
      REQUIRE(::ptsname_r(far_[i].get(), name.data(), name.size()) == 0);
      path[i] = name.data();
      near_[i].reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));  // held, so that nothing hangs up
      termios raw{};
      ::tcgetattr(near_[i].get(), &raw);
      ::cfmakeraw(&raw);
      ::tcsetattr(near_[i].get(), TCSANOW, &raw);
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { relay(stop); });
  }

  std::array<std::string, 2> path;
  std::atomic<bool> noisy{false};
  std::atomic<unsigned> spoilt{0};

 private:
  void relay(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> ready{pollfd{far_[0].get(), POLLIN, 0}, pollfd{far_[1].get(), POLLIN, 0}};
      if (::poll(ready.data(), 2, 20) <= 0) continue;
      for (std::size_t i = 0; i < 2; ++i) {
        std::array<char, 512> bytes{};
        const ssize_t got = ::read(far_[i].get(), bytes.data(), bytes.size());
        if (got <= 0) continue;
        std::string frame(bytes.data(), static_cast<std::size_t>(got));
        if (noisy && random_() % 6 == 0) {
          ++spoilt;
          switch (random_() % 4) {
            case 0: frame.erase(random_() % frame.size(), 1); break;
            case 1: frame[random_() % frame.size()] ^= static_cast<char>(1u << random_() % 8); break;
            case 2: frame.insert(0, 1 + random_() % 9, static_cast<char>(random_())); break;
            default: frame.append(1 + random_() % 9, static_cast<char>(random_())); break;
          }
        }
        (void)!::write(far_[1 - i].get(), frame.data(), frame.size());
      }
    }
  }

  std::mt19937 random_;
  std::array<system::Descriptor, 2> far_;
  std::array<system::Descriptor, 2> near_;
  std::jthread thread_;
};

// Every holding register holds its own address.
class Server {
 public:
  explicit Server(const std::string& path) : mapping_(modbus_mapping_new(0, 0, 300, 0)) {
    for (int i = 0; i < 300; ++i) mapping_->tab_registers[i] = static_cast<std::uint16_t>(i);
    context_ = modbus_new_rtu(path.c_str(), 115200, 'E', 8, 1);
    modbus_set_slave(context_, 9);
    modbus_set_byte_timeout(context_, 0, 20'000);  // a request that lost a byte is given up before the next one
    REQUIRE(modbus_connect(context_) == 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~Server() {
    thread_ = {};
    modbus_close(context_);
    modbus_free(context_);
    modbus_mapping_free(mapping_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{modbus_get_socket(context_), POLLIN, 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      std::array<std::uint8_t, MODBUS_RTU_MAX_ADU_LENGTH> request{};
      const int length = modbus_receive(context_, request.data());
      if (length > 0) modbus_reply(context_, request.data(), length, mapping_);
      if (length < 0) modbus_flush(context_);
    }
  }

  modbus_mapping_t* mapping_;
  modbus_t* context_;
  std::jthread thread_;
};

TEST_CASE("a libmodbus RTU server behind a noisy line: values that are right, or none") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed " << seed);
  NoisyLine line(seed);
  const Server server(line.path[1]);
  RunningSource source(
      "sources: { field: { modbus: { url: 'rtu://" + line.path[0] +
      "?baud=115200', timeout: 100 ms, failures: 20, devices: { d: { unit_id: 9, every: 30 ms, "
      "max_gap: 0, points: { a: { holding: 10, type: uint16 }, b: { holding: 200, type: uint16, count: "
      "40 }, c: { holding: 299, type: uint16, every: 70 ms } } } } } } }");
  const auto count = [&](auto matches) {
    std::size_t found = 0;
    for (const Reading& reading : source.intake.readings()) found += matches(reading);
    return found;
  };
  const auto wrong = [](const Reading& reading) {
    if (!reading.value.is(Kind::map)) return false;
    const Value* a = reading.value.find("a");
    const Value* b = reading.value.find("b");
    const Value* c = reading.value.find("c");
    if (a != nullptr && a->as_integer() != 10) return true;
    if (c != nullptr && c->as_integer() != 299) return true;
    for (std::size_t i = 0; b != nullptr && i < 40; ++i) {
      if (b->as_list()[i].as_integer() != static_cast<std::int64_t>(200 + i)) return true;
    }
    return false;
  };
  const auto good = [](const Reading& reading) {
    return reading.quality == Quality::good && reading.value.is(Kind::map);
  };
  REQUIRE(test::eventually(seconds{20}, [&] { return count(good) >= 2; }));
  line.noisy = true;
  CHECK(test::eventually(seconds{30}, [&] { return line.spoilt >= 12; }));
  CHECK(count(wrong) == 0);
  line.noisy = false;
  source.intake.clear();
  CHECK(test::eventually(seconds{20}, [&] { return count(good) >= 20; }));
  CHECK(count(wrong) == 0);
}

}  // namespace
}  // namespace railhead::modbus
