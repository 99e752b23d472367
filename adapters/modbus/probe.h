// Probe: what a register is, found out from a value that somebody reads off the device's display; and which addresses
// and units answer at all. For `railhead probe modbus`.
// Gentle:  one request at a time, a pause between them, at most `requests_max`; three silences in a row end a scan.
// Threads: rank() and point_line() are pure functions; the rest blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "adapters/modbus/conversation.h"
#include "adapters/modbus/points.h"
#include "adapters/modbus/sunspec.h"

namespace railhead::modbus {

// Registers that were read, by address.
using Registers = std::map<std::uint16_t, std::uint16_t>;

struct Candidate {
  Point point;
  double value = 0;
  double off = 0;   // |value - expected| relative to the expected
  double cost = 0;  // the lower the more likely
};

// Every way to read the registers around `address` that gives `expected` within `within` (0.005 is half a percent),
// the most likely first; one that agrees to `resolution` (half the last digit that the display shows) before one that
// does not. Near: the address itself and its neighbours, both tables, all types, the usual byte orders,
// scales of 1, 0.1, 0.01, 0.001, 10, 100, 1000.
[[nodiscard]] std::vector<Candidate> rank(const std::map<Table, Registers>& read, Table table, std::uint16_t address,
                                          double expected, double resolution, double within);

// `value: { holding: 30, type: float32, order: CDAB }`, ready for `points:`.
[[nodiscard]] std::string point_line(const std::string& name, const Point& point);

struct ProbeOptions {
  std::uint8_t unit = 1;
  Duration pause = std::chrono::milliseconds{50};
  unsigned requests_max = 500;
};

struct Scan {
  Registers registers;                       // coils and discrete inputs too, as 0 and 1
  std::map<std::uint8_t, unsigned> refused;  // exception code -> requests
  unsigned requests = 0;
  std::optional<Error> cut_short;  // by silence, a broken connection, requests_max (Errc::full)
};

using Progress = std::function<void(const std::string& what)>;

// Which addresses of first..last answer: blocks of 32, where they are refused of 8, then one by one.
[[nodiscard]] Scan scan(Conversation& conversation, const ProbeOptions& options, Table table, std::uint16_t first,
                        std::uint16_t last, const Progress& progress);

struct UnitFound {
  std::uint8_t unit = 0;
  std::string what;  // "answers", "illegal data address: it is there", "no answer within 1 s"
  bool there = false;
};
[[nodiscard]] std::vector<UnitFound> scan_units(Conversation& conversation, const ProbeOptions& options,
                                                std::uint8_t first, std::uint8_t last, Table table,
                                                std::uint16_t address, const Progress& progress);

// Reads `count` holding registers from an address on; an error where there is nothing.
using ReadRegisters = std::function<Result<std::vector<std::uint16_t>>(std::uint16_t address, std::uint16_t count)>;
// Follows the chain of a SunSpec device's model headers to its end. Errors: those of SunspecSearch, else as `read`.
[[nodiscard]] Result<SunspecChain> walk_sunspec(const ReadRegisters& read);

}  // namespace railhead::modbus
