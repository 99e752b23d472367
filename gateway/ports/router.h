// Router: the rules as the intake sees them. A Router is immutable and shared; a RuleState is one source thread's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/message/reading.h"
#include "gateway/message/record.h"

namespace railhead::ports {

// What became of one reading: the first that applies, in the order of S14.
enum class Verdict : std::uint8_t { routed, absorbed, set_aside, dropped, filtered, unrouted };

// A rule failed with on_error: set_aside.
struct SetAside {
  std::string rule;
  std::string reason;
};

struct Routed {
  Verdict verdict = Verdict::unrouted;
  std::vector<Record> records;  // all that this reading became, one atomic group (S6)
  std::vector<SetAside> set_aside;
};

class RuleState {
 public:
  virtual ~RuleState() = default;
  // Routes one reading. `out` is cleared first. Never throws, never waits.
  virtual void route(const Reading& reading, BootTime now, Routed& out) = 0;
};

class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual std::unique_ptr<RuleState> open() const = 0;
  // Some rule takes readings of this source.
  [[nodiscard]] virtual bool takes_from(std::string_view source) const = 0;
};

}  // namespace railhead::ports
