// Who asks the field, each a process of its own (`bench_modbus --ours ...`): the product's source as the gateway runs
// it (without rules and spool), a loop without any protocol that sends and receives the same bytes, and libmodbus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace railhead::bench {

struct Poll {
  std::uint16_t port = 0;
  unsigned devices = 1;                // each on a connection of its own
  unsigned points = 10;                // floats of each
  bool scattered = false;              // with holes of 0 to 4 registers between them, otherwise side by side
  std::uint64_t every_us = 1'000'000;  // 0: as fast as answers come
  double seconds = 10;
  double warm_up = 2;  // before what is counted

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static Poll parse(const std::string& text);
};

struct Polled {
  double seconds = 0;  // from the end of the warm-up to the end
  double cpu = 0;      // of the polling thread in that time
  std::uint64_t polls = 0;
  std::uint64_t points = 0;
  std::uint64_t checksum = 0;  // as the field's; ours: 0, it compares every value
  std::uint64_t wrong = 0;     // values that are not what the field holds
};

// Print a Polled and return 0.
int run_ours(const Poll& poll);
int run_bare(const Poll& poll);
int run_libmodbus(const Poll& poll);

// Runs one of them ("--ours", "--bare", "--libmodbus") on this core.
[[nodiscard]] std::optional<Polled> run_poller(const std::string& self, const std::string& kind, const Poll& poll,
                                               int core);

// 30 units on a pseudo-terminal that plays a line of 19,200 baud, two of them dead: the least share of its ticks that a
// living one got, from the very start; and what the plan uses of the line.
struct BusShare {
  double least = 0;
  double planned = 0;
  std::uint64_t collisions = 0;  // requests while another's answer was on the line
};
[[nodiscard]] BusShare run_bus(double seconds);

}  // namespace railhead::bench
