// SunSpec: a device's models stand one behind the other, each headed by its identifier and its length, and every make
// has them elsewhere. The chain of headers is followed, and points that count from their model's first register are
// moved to where the model is. No I/O, no clock.
// Standard: SunSpec Information Model Specification 1.9: "SunS" at holding register 40000, 50000 or 0; a model's length
//           is without identifier and length; the identifier 0xFFFF ends the chain.
// Bounds:   kSunspecModelsMax models.
// Threads:  plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/modbus/plan.h"
#include "adapters/modbus/points.h"
#include "gateway/base/result.h"

namespace railhead::modbus {

inline constexpr std::size_t kSunspecModelsMax = 200;
inline constexpr std::uint16_t kSunspecReads = 2;  // holding registers a step

struct SunspecModel {
  std::uint16_t id = 0;
  std::uint16_t address = 0;  // of the register that holds the identifier
  std::uint16_t length = 0;   // without identifier and length
};
struct SunspecChain {
  std::uint16_t base = 0;  // where "SunS" stands
  std::vector<SunspecModel> models;
};

// Which registers to read next, until the end of the chain is found or nothing is.
class SunspecSearch {
 public:
  [[nodiscard]] bool over() const { return over_; }
  // Of the kSunspecReads registers to read next. Not when over.
  [[nodiscard]] std::uint16_t address() const { return static_cast<std::uint16_t>(at_); }
  void answered(std::uint16_t first, std::uint16_t second);
  void refused();  // the device has nothing there
  // When over: what was found, also of a chain that breaks off; empty when there is no "SunS".
  [[nodiscard]] const SunspecChain& chain() const { return chain_; }
  // When over: nothing, or unsupported (no "SunS" at its three places), protocol (the chain breaks off or has no end).
  [[nodiscard]] const Result<void>& outcome() const { return outcome_; }

 private:
  void next_base();
  void end(Result<void> outcome);

  SunspecChain chain_;
  Result<void> outcome_;
  std::uint32_t at_ = 40000;
  std::size_t bases_ = 0;
  bool in_chain_ = false;
  bool over_ = false;
};

// A table of points whose place is that of a model: of the `instance`th one with one of these identifiers.
struct Anchor {
  std::string model;               // as the configuration names it
  std::vector<std::uint16_t> ids;  // 101, 102, 103: the same layout
  std::uint16_t instance = 1;
  [[nodiscard]] std::string text() const;  // "SunSpec model 101, 102 or 103"
};

// Points at the places where this chain has their models.
struct PlacedPoints {
  enum class Where : std::uint8_t {
    here,
    beyond,   // the model is shorter: a block fewer, or an older edition of it
    nowhere,  // there is no such model
  };
  std::vector<Point> points;  // those that are here have their addresses and no anchor, the others are unchanged
  std::vector<Where> where;   // beside points
  std::vector<Range> forbidden;
  std::vector<std::string> missing;  // texts of the anchors that are nowhere
};
[[nodiscard]] PlacedPoints place_points(std::span<const Point> points, std::span<const Range> forbidden,
                                        std::span<const Anchor> anchors, const SunspecChain& chain);

// A chain that has all these models, as long as their points need: what the simulator plays.
[[nodiscard]] SunspecChain chain_for(std::span<const Point> points, std::span<const Anchor> anchors);

}  // namespace railhead::modbus
