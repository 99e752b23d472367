// libmodbus as its manual shows it: one connection, one request after the other.
#include <modbus.h>

#include <array>
#include <cstdio>

#include "gateway/base/assert.h"
#include "tests/bench/modbus/plant.h"
#include "tests/bench/modbus/pollers.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {

int run_libmodbus(const Poll& poll) {
  modbus_t* const device = modbus_new_tcp("127.0.0.1", poll.port);
  RAILHEAD_ASSERT(device != nullptr && modbus_connect(device) == 0);
  modbus_set_slave(device, 1);
  const modbus::Block block = plant_blocks(poll).at(0);
  std::array<std::uint16_t, 125> registers{};
  Polled polled;
  const double begin = wall_seconds();
  double counted_from = 0;
  double cpu = 0;
  for (double now = begin; now - begin < poll.warm_up + poll.seconds; now = wall_seconds()) {
    if (counted_from == 0 && now - begin >= poll.warm_up) {
      counted_from = now;
      cpu = thread_cpu_seconds();
      polled = {};
    }
    if (modbus_read_registers(device, block.address, block.count, registers.data()) != block.count) return 1;
    ++polled.polls;
    for (unsigned i = 0; i < poll.points; ++i) {
      polled.wrong += modbus_get_float_abcd(registers.data() + 2 * i) != static_cast<float>(i);
    }
    polled.points += poll.points;
  }
  polled.seconds = wall_seconds() - counted_from;
  polled.cpu = thread_cpu_seconds() - cpu;
  std::printf("%.6f %.6f %llu %llu 0 %llu\n", polled.seconds, polled.cpu, static_cast<unsigned long long>(polled.polls),
              static_cast<unsigned long long>(polled.points), static_cast<unsigned long long>(polled.wrong));
  modbus_close(device);
  modbus_free(device);
  return 0;
}

}  // namespace railhead::bench
