// Against a libmodbus server: all four tables, its own integer macros, and its own illegal-address exceptions.
#include <doctest/doctest.h>
#include <modbus.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "gateway/message/json.h"
#include "tests/brokers/modbus/running_source.h"

namespace railhead::modbus {
namespace {

// Registers 100..299 of each kind and no others; whoever asks beyond gets exception 02 from libmodbus itself.
class Server {
 public:
  explicit Server(std::uint16_t port = test::free_port())
      : mapping_(modbus_mapping_new_start_address(100, 200, 100, 200, 100, 200, 100, 200)), port_(port) {
    context_ = modbus_new_tcp("127.0.0.1", port_);
    listener_ = modbus_tcp_listen(context_, 8);
    REQUIRE(listener_ >= 0);
  }
  ~Server() {
    thread_ = {};
    ::close(listener_);
    modbus_mapping_free(mapping_);
    modbus_free(context_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  std::uint16_t* holding(int address) { return mapping_->tab_registers + address - 100; }
  std::uint16_t* input(int address) { return mapping_->tab_input_registers + address - 100; }
  std::uint8_t& coil(int address) { return mapping_->tab_bits[address - 100]; }
  std::uint8_t& discrete(int address) { return mapping_->tab_input_bits[address - 100]; }

 private:
  void serve(const std::stop_token& stop) {
    std::vector<pollfd> watched{{listener_, POLLIN, 0}};
    while (!stop.stop_requested()) {
      if (::poll(watched.data(), watched.size(), 50) <= 0) continue;
      for (std::size_t i = 1; i < watched.size(); ++i) {
        if (watched[i].revents == 0) continue;
        std::uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
        modbus_set_socket(context_, watched[i].fd);
        const int length = modbus_receive(context_, request);
        if (length > 0) {
          modbus_reply(context_, request, length, mapping_);
        } else if (length < 0) {
          ::close(watched[i].fd);
          watched.erase(watched.begin() + static_cast<std::ptrdiff_t>(i));
          --i;
        }
      }
      if ((watched[0].revents & POLLIN) != 0) watched.push_back({::accept(listener_, nullptr, nullptr), POLLIN, 0});
    }
    for (std::size_t i = 1; i < watched.size(); ++i) ::close(watched[i].fd);
  }

  modbus_mapping_t* mapping_;
  modbus_t* context_ = nullptr;
  std::uint16_t port_;
  int listener_ = -1;
  std::jthread thread_;
};

// Big-endian words, as libmodbus's MODBUS_SET_INT32_TO_INT16 and MODBUS_SET_INT64_TO_INT16 put them.
void put(std::uint16_t* registers, std::int64_t value, int words) {
  for (int i = 0; i < words; ++i) registers[i] = static_cast<std::uint16_t>(value >> (16 * (words - 1 - i)));
}

std::string source_text(std::uint16_t port, const std::string& devices) {
  return "sources: { field: { modbus: { url: 'tcp://127.0.0.1:" + std::to_string(port) + "', devices: {" + devices +
         "} } } }";
}

TEST_CASE("all four tables of a libmodbus server") {
  Server server;
  put(server.holding(100), -123456789, 2);
  put(server.holding(102), -1234567890123456789LL, 4);
  *server.holding(110) = static_cast<std::uint16_t>(-321);
  put(server.input(299 - 1), 987654321, 2);
  for (int i = 0; i < 200; ++i) server.coil(100 + i) = i % 3 == 0;
  server.discrete(299) = 1;
  server.start();
  RunningSource source(source_text(server.port(), R"(d: { every: 200 ms, points: {
      i32: { holding: 100, type: int32 }, i64: { holding: 102, type: int64 },
      t: { holding: 110, type: int16, scale: 0.1 }, top: { input: 298, type: uint32 },
      c100: { coil: 100 }, c101: { coil: 101 }, c199: { coil: 199 }, c298: { coil: 298 },
      d298: { discrete: 298 }, d299: { discrete: 299 } } })"));
  const auto reading = source.first("d");
  REQUIRE(reading);
  CHECK(reading->quality == Quality::good);
  CHECK(to_json(reading->value) == R"({"i32":-123456789,"i64":-1234567890123456789,"t":-32.1,"top":987654321,)"
                                   R"("c100":true,"c101":false,"c199":true,"c298":true,"d298":false,"d299":true})");
}

TEST_CASE("addresses that libmodbus refuses are isolated within the first cycle") {
  Server server;
  for (int i = 100; i < 300; ++i) *server.holding(i) = static_cast<std::uint16_t>(i);
  server.start();
  // 95..99 and 300..302 are not there.
  std::string points;
  std::string expected;
  for (int i = 95; i <= 302; ++i) {
    points += "p" + std::to_string(i) + ": { holding: " + std::to_string(i) + ", type: uint16 }, ";
    if (i >= 100 && i < 300)
      expected += (expected.empty() ? "" : ",") + ("\"p" + std::to_string(i) + "\":" + std::to_string(i));
  }
  RunningSource source(source_text(server.port(), "d: { every: 200 ms, points: {" + points + "} }"));
  const auto reading = source.first("d");
  REQUIRE(reading);
  CHECK(reading->quality == Quality::uncertain);
  CHECK(to_json(reading->value) == "{" + expected + "}");
  CHECK(reading->bad.as_map().size() == 8);
  CHECK(reading->bad.find("p95")->as_text() == "illegal data address");
  CHECK(source.reporter.count(status::Event::request_refused) == 8);
}

TEST_CASE("a server that goes and comes back is found again, with the same values") {
  auto server = std::make_unique<Server>();
  *server->holding(100) = 4711;
  server->start();
  const std::uint16_t port = server->port();
  RunningSource source(source_text(port, "d: { every: 50 ms, points: { p: { holding: 100, type: uint16 } } }"));
  REQUIRE(source.first("d"));
  server.reset();
  REQUIRE(test::eventually(std::chrono::seconds{20}, [&] { return source.link.devices_down() == 1; }));
  CHECK(source.reporter.count(status::Event::source_lost) >= 1);
  source.intake.clear();
  server = std::make_unique<Server>(port);
  *server->holding(100) = 4712;
  server->start();
  const auto again = source.first("d");
  REQUIRE(again);
  CHECK(to_json(again->value) == R"({"p":4712})");
  CHECK(source.link.devices_down() == 0);
}

}  // namespace
}  // namespace railhead::modbus
