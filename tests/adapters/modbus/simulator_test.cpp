// The simulated field, asked by libmodbus: what it answers, what it takes, what goes wrong on purpose.
#include "adapters/modbus/simulator.h"

#include <doctest/doctest.h>
#include <modbus.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <thread>

#include "adapters/modbus/config.h"
#include "adapters/modbus/decode.h"
#include "adapters/modbus/simulated_unit.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {
namespace {

using namespace std::chrono_literals;
using ports::Fault;

SourceOptions source_of(const std::string& devices) {
  config::Diagnostics diagnostics;
  const config::Document document =
      config::Document::parse("url: tcp://10.0.0.17:502\ndevices:\n" + devices, "railhead.yaml", diagnostics);
  const auto options = read_source(document.root(), config::Node(), diagnostics);
  INFO(diagnostics.render());
  REQUIRE(options);
  return *options;
}

const std::string kDevices =
    "  boiler:\n"
    "    unit_id: 3\n"
    "    points:\n"
    "      temperature: { holding: 10, type: int16, scale: 0.1, unit: \"°C\" }\n"
    "      pressure: { holding: 12, type: float32, order: CDAB, unit: bar }\n"
    "      mode: { holding: 20, bits: 4..7 }\n"
    "      setpoint: { holding: 21, type: uint16 }\n"
    "      total: { input: 5, type: uint32, unit: kWh, scale: 0.001 }\n"
    "      burner: { coil: 4 }\n"
    "      valve: { coil: 5 }\n"
    "      door: { discrete: 0 }\n";

class Running {
 public:
  explicit Running(std::vector<Fault> faults = {}, const std::string& devices = kDevices)
      : simulator_(source_of(devices),
                   {.source = "s", .listen = "127.0.0.1", .fields = {}, .faults = std::move(faults)}, clock_) {
    REQUIRE(simulator_.open());
    thread_ = std::jthread([this](std::stop_token stop) { simulator_.run(std::move(stop)); });
  }
  struct Close {
    void operator()(modbus_t* context) const {
      modbus_close(context);
      modbus_free(context);
    }
  };
  std::unique_ptr<modbus_t, Close> client(int unit = 3) {
    std::unique_ptr<modbus_t, Close> made(modbus_new_tcp("127.0.0.1", simulator_.port(0)));
    modbus_set_slave(made.get(), unit);
    modbus_set_response_timeout(made.get(), 0, 200'000);
    REQUIRE(modbus_connect(made.get()) == 0);
    return made;
  }

 private:
  system::SystemClock clock_;
  Simulator simulator_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("every table answers where the configuration has points, and nothing beside them") {
  Running running;
  const auto client = running.client();
  std::uint16_t registers[12];
  std::uint8_t bits[2];
  CHECK(modbus_read_registers(client.get(), 10, 12, registers) == 12);
  const auto temperature = static_cast<std::int16_t>(registers[0]);
  CHECK(temperature > 200);
  CHECK(temperature < 700);
  CHECK((registers[10] & ~0xf0) == 0);
  CHECK(modbus_read_input_registers(client.get(), 5, 2, registers) == 2);
  CHECK(modbus_read_bits(client.get(), 4, 2, bits) == 2);
  CHECK(modbus_read_input_bits(client.get(), 0, 1, bits) == 1);
  CHECK(modbus_read_registers(client.get(), 9, 2, registers) == -1);
  CHECK(errno == EMBXILADD);
  CHECK(modbus_read_registers(client.get(), 21, 2, registers) == -1);
  CHECK(errno == EMBXILADD);
  CHECK(modbus_read_input_bits(client.get(), 1, 1, bits) == -1);
  CHECK(errno == EMBXILADD);
  const auto nobody = running.client(4);
  CHECK(modbus_read_registers(nobody.get(), 10, 1, registers) == -1);
  CHECK(errno == EMBXGTAR);
}

TEST_CASE("what is written stays, by each writing function") {
  Running running;
  const auto client = running.client();
  std::uint16_t registers[4];
  std::uint8_t bits[2];
  CHECK(modbus_write_register(client.get(), 21, 777) == 1);
  CHECK(modbus_read_registers(client.get(), 21, 1, registers) == 1);
  CHECK(registers[0] == 777);
  const std::uint16_t two[] = {0x1234, 0x5678};
  CHECK(modbus_write_registers(client.get(), 12, 2, two) == 2);
  CHECK(modbus_read_registers(client.get(), 12, 2, registers) == 2);
  CHECK(registers[0] == 0x1234);
  CHECK(registers[1] == 0x5678);
  CHECK(modbus_mask_write_register(client.get(), 21, 0xff0f, 0x00a0) == 1);
  CHECK(modbus_read_registers(client.get(), 21, 1, registers) == 1);
  CHECK(registers[0] == (777 & 0xff0f) + 0x00a0);
  const std::uint16_t one[] = {42};
  CHECK(modbus_write_and_read_registers(client.get(), 21, 1, one, 20, 2, registers) == 2);
  CHECK(registers[1] == 42);
  CHECK(modbus_write_bit(client.get(), 4, 1) == 1);
  const std::uint8_t off[] = {1, 0};
  CHECK(modbus_write_bits(client.get(), 4, 2, off) == 2);
  CHECK(modbus_read_bits(client.get(), 4, 2, bits) == 2);
  CHECK(bits[0] == 1);
  CHECK(bits[1] == 0);
  CHECK(modbus_write_register(client.get(), 22, 1) == -1);
  CHECK(errno == EMBXILADD);
}

TEST_CASE("values move, stay plausible, and a meter only ever counts up; the same seed gives the same values") {
  const SourceOptions source = source_of(kDevices);
  const std::vector<Point>& points = source.links[0].devices[0].points;
  SimulatedUnit unit(7);
  SimulatedUnit twin(7);
  SimulatedUnit other(8);
  for (SimulatedUnit* one : {&unit, &twin, &other}) one->add("boiler", points);
  const std::string temperature("\x03\x00\x0a\x00\x01", 5);
  const std::string pressure("\x03\x00\x0c\x00\x02", 5);
  const std::string total("\x04\x00\x05\x00\x02", 5);
  std::set<std::string> seen;
  double last = 0;
  bool differs = false;
  for (int second = 0; second < 300; ++second) {
    const auto decode = [&](std::size_t point, const std::string& request) {
      const Decoded decoded = Decoder(points[point]).decode(unit.answer(request, second).substr(2), 0);
      REQUIRE(decoded.good());
      return decoded.value.to_real();
    };
    const double celsius = decode(0, temperature);
    CHECK(celsius > 20);
    CHECK(celsius < 70);
    const double bar = decode(1, pressure);
    CHECK(bar > 1.5);
    CHECK(bar < 4.5);
    const double kwh = decode(4, total);
    CHECK(kwh >= last);
    last = kwh;
    seen.insert(unit.answer(temperature, second));
    CHECK(unit.answer(temperature, second) == twin.answer(temperature, second));
    differs = differs || unit.answer(temperature, second) != other.answer(temperature, second);
  }
  CHECK(seen.size() > 50);
  CHECK(differs);
}

TEST_CASE("a serial line is played at a pseudo-terminal: libmodbus reads and writes it, noise is passed over") {
  system::SystemClock clock;
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse("url: rtu:///dev/ttyNONE?baud=19200\ndevices:\n" + kDevices,
                                                            "railhead.yaml", diagnostics);
  const auto options = read_source(document.root(), config::Node(), diagnostics);
  INFO(diagnostics.render());
  REQUIRE(options);
  Simulator simulator(*options, {.source = "s", .listen = "pty", .fields = {}, .faults = {}}, clock);
  REQUIRE(simulator.open());
  const std::jthread thread([&](std::stop_token stop) { simulator.run(std::move(stop)); });
  for (int round = 0; round < 2; ++round) {  // a line may be closed and opened again
    std::unique_ptr<modbus_t, Running::Close> client(modbus_new_rtu(simulator.path(0).c_str(), 19200, 'N', 8, 1));
    modbus_set_slave(client.get(), 3);
    modbus_set_response_timeout(client.get(), 1, 0);
    REQUIRE(modbus_connect(client.get()) == 0);
    std::uint16_t registers[3];
    CHECK(modbus_read_registers(client.get(), 20, 2, registers) == 2);
    CHECK(modbus_write_register(client.get(), 21, 99) == 1);
    CHECK(::write(modbus_get_socket(client.get()), "\x03\x03noise", 7) == 7);
    CHECK(modbus_read_registers(client.get(), 21, 1, registers) == 1);
    CHECK(registers[0] == 99);
    CHECK(modbus_read_registers(client.get(), 22, 1, registers) == -1);
    CHECK(errno == EMBXILADD);
  }
}

TEST_CASE("malformed requests are refused as the standard says") {
  SimulatedUnit unit(1);
  unit.add("boiler", source_of(kDevices).links[0].devices[0].points);
  const auto code = [&](std::string_view pdu) {
    const std::string answer = unit.answer(pdu, 0);
    return answer.size() == 2 && static_cast<unsigned char>(answer[0]) >= 0x80 ? int{answer[1]} : 0;
  };
  using namespace std::string_view_literals;
  CHECK(code(""sv) == 1);
  CHECK(code("\x2b\x0e\x01\x00"sv) == 1);
  CHECK(code("\x03\x00\x0a"sv) == 3);
  CHECK(code("\x03\x00\x0a\x00\x00"sv) == 3);
  CHECK(code("\x03\x00\x0a\x00\x7e"sv) == 3);
  CHECK(code("\x05\x00\x04\x12\x34"sv) == 3);
  CHECK(code("\x10\x00\x0a\x00\x01\x04\x00\x00"sv) == 3);
  CHECK(code("\x10\x00\x0a\x00\x01\x02\x00"sv) == 3);
  CHECK(code("\x0f\x00\x04\x00\x02\x02\x03"sv) == 3);
  CHECK(code("\x17\x00\x0a\x00\x01\x00\x0a"sv) == 3);
  CHECK(code("\x10\x00\x0a\x00\x01\x02\x00\x00"sv) == 0);
}

TEST_CASE("the fault script: exceptions by address, silence, delay, closing and garbage, each where it says") {
  using Kind = Fault::Kind;
  Running running(
      {{.device = "boil*", .table = "holding", .first = 12, .last = 13, .kind = Kind::exception, .exception = 6},
       {.device = "boiler", .table = "input", .kind = Kind::silent},
       {.device = "boiler", .table = "coil", .kind = Kind::delay, .delay = 60ms},
       {.device = "boiler", .table = "discrete", .kind = Kind::close},
       {.device = "someone", .kind = Kind::silent}});
  std::uint16_t registers[12];
  std::uint8_t bits[2];
  {
    const auto client = running.client();
    CHECK(modbus_read_registers(client.get(), 10, 2, registers) == 2);
    CHECK(modbus_read_registers(client.get(), 10, 3, registers) == -1);
    CHECK(errno == EMBXSBUSY);
    const auto before = std::chrono::steady_clock::now();
    CHECK(modbus_read_bits(client.get(), 4, 2, bits) == 2);
    CHECK(std::chrono::steady_clock::now() - before >= 60ms);
    CHECK(modbus_read_input_registers(client.get(), 5, 2, registers) == -1);
    CHECK(errno == ETIMEDOUT);
  }
  const auto again = running.client();
  CHECK(modbus_read_input_bits(again.get(), 0, 1, bits) == -1);
  CHECK((errno == ECONNRESET || errno == EBADF || errno == EPIPE));
}

}  // namespace railhead::modbus
