// SimulatedUnit: one unit identifier of a simulated link: the registers and bits that its devices' points name, with
// plausible values that move by themselves until somebody writes them.
// Standard: MODBUS Application Protocol V1.1b3: functions 1-6, 15, 16, 22, 23; exceptions 1, 2, 3.
// Shapes:   from a table's first to its last point every address answers, holes as 0; outside is exception 2.
// Values:   by unit ("V" some 230, "kWh" only ever rising), type and scale; the same for the same seed and time.
// Threads:  the owner's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/encode.h"
#include "adapters/modbus/points.h"
#include "adapters/modbus/sunspec.h"

namespace railhead::modbus {

class SimulatedUnit {
 public:
  explicit SimulatedUnit(std::uint64_t seed) : seed_(seed) {}
  // Several devices of a configuration may share a unit identifier.
  void add(const std::string& device, const std::vector<Point>& points);
  // Holding registers that stay as they are: a SunSpec device's marker and model headers.
  void add(const SunspecChain& chain);

  // The answer to a request's PDU, `seconds` after the start of the simulation.
  [[nodiscard]] std::string answer(std::string_view pdu, double seconds);

 private:
  struct Moving {
    explicit Moving(Encoder its_encoder) : encoder(std::move(its_encoder)) {}
    Encoder encoder;
    std::uint16_t address = 0;
    std::uint16_t span = 1;
    std::vector<std::int64_t> codes;  // of a point whose numbers have names
    bool is_bit = false;
    bool rising = false;  // counts up
    bool held = false;    // somebody wrote it
    double middle = 0;
    double swing = 0;
    double period = 60;
    double phase = 0;
    double computed = -1;  // when
  };
  struct Area {
    std::uint32_t first = 0;
    std::vector<std::uint16_t> cells;  // registers, or bits as 0 and 1
    std::vector<Moving> moving;        // by address
    std::uint16_t span_most = 1;
    // Makes room for these addresses too.
    void extend(std::uint32_t from, std::uint32_t end);
    [[nodiscard]] bool covers(std::uint32_t address, std::uint32_t count) const {
      return address >= first && address + count <= first + cells.size();
    }
  };

  [[nodiscard]] Area& area(Table table) { return areas_[static_cast<std::size_t>(table)]; }
  void move(Area& area, std::uint32_t address, std::uint32_t count, double seconds);
  static void hold(Area& area, std::uint32_t address, std::uint32_t count);
  [[nodiscard]] std::string read(Table table, std::uint8_t function, std::string_view pdu, double seconds);
  [[nodiscard]] std::string write_many(std::uint8_t function, std::string_view pdu, double seconds);

  const std::uint64_t seed_;
  std::array<Area, kTables> areas_;
};

}  // namespace railhead::modbus
