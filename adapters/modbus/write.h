// Writing: which values a point takes, and the requests that write them.
// Standard: MODBUS Application Protocol V1.1b3: functions 5 and 15 (coils), 6 and 16 (registers), 22 (bits of one
//           register), 23 (write and read in one).
// Errors:   Errc::invalid with what does not fit.
// Threads:  pure functions and plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/points.h"
#include "gateway/base/result.h"
#include "gateway/message/value.h"

namespace railhead::modbus {

// Why values of this point can never be written, or nothing.
[[nodiscard]] std::optional<std::string> write_obstacle(const Point& point);

struct Assignment {
  const Point* point = nullptr;  // with `write`
  Value value;
};

// One request.
struct WriteStep {
  std::string pdu;
  std::string echo;      // a write: what the answer begins with
  std::string expected;  // a reading back: the payload ...
  std::string mask;      // ... and which bits of it count; empty: all
  Table table = Table::holding;
  std::uint16_t address = 0;
  std::uint16_t count = 0;
  [[nodiscard]] bool reads() const { return !expected.empty(); }
};

// Checks every value against its limits and encodes all before the first request is made: all or nothing. Whole
// registers and coils that stand side by side become one request.
[[nodiscard]] Result<std::vector<WriteStep>> plan_writes(std::span<const Assignment> assignments, bool verify);

// Nothing when the answer confirms the step, else why not. `payload` gets what a reading step read.
[[nodiscard]] std::optional<std::string> check_answer(const WriteStep& step, std::string_view pdu,
                                                      std::string* payload);

}  // namespace railhead::modbus
