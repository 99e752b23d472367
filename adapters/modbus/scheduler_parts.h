// What a Scheduler is made of: the state of its devices, for its own files only (scheduler.cpp: what is asked next;
// scheduler_answers.cpp: what came back, and the readings made of it; scheduler_search.cpp: SunSpec models).
// Threads: the scheduler's owner's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/modbus/scheduler.h"

namespace railhead::modbus {

// What became of one point in this cycle: a value, or the reason why not.
struct Scheduler::Outcome {
  enum class Kind : std::uint8_t { bad, good, absent };
  Kind kind = Kind::bad;
  Value value;  // or the reason
};

// The registers of a point that waits for its factor.
struct Scheduler::Unscaled {
  std::uint32_t point = 0;
  std::string registers;
};

// How one point of a block becomes an outcome. All that decoding a value needs to touch: a large plant's points are
// many more than a cache holds.
struct Scheduler::Step {
  const Decoder* decoder = nullptr;
  std::uint32_t place = 0;     // of its outcome
  std::uint16_t at = 0;        // in the answer, in registers or bits
  std::uint16_t unscaled = 0;  // registers to keep until the factor is there; 0: it has none
  std::uint32_t point = 0;
};

// A block as it is read today: the plan's, or a part of one that was refused as a whole.
struct Scheduler::Piece {
  Block block;
  std::vector<Step> steps{};
  bool quarantined = false;
  BootTime until{};
  unsigned times = 0;  // refused in a row
  Value reason;
};

struct Scheduler::Cycle {
  Group plan;
  std::vector<std::uint32_t> points;    // of the device, in the order of the configuration
  std::vector<std::uint32_t> place_of;  // index of a device's point -> its place in `points`
  std::vector<std::uint8_t> shown;      // beside `points`: part of the reading
  std::vector<Piece> pieces;
  BootTime origin{};  // of the grid of ticks
  BootTime due{};

  bool active = false;
  BootTime tick{};
  BootTime begun{};
  std::size_t at = 0;  // the piece that is next
  std::vector<Outcome> outcomes;
  std::vector<Unscaled> unscaled;
  std::optional<Time> last_answer{};
  unsigned splits = 0;
  bool replan = false;
  bool out = false;                       // one of its requests is on its way
  unsigned busy = 0;                      // how often in a row the device was too busy for this request
  BootTime not_before = BootTime::min();  // because it was busy
};

// For the SunSpec models of a device, and what stays of it.
struct Scheduler::Search {
  std::vector<Point> points;  // as configured
  std::vector<Range> forbidden;
  std::vector<Anchor> anchors;
  SunspecSearch walk{};
  bool running = true;
  BootTime due{};                    // of its next request
  BootTime again = BootTime::max();  // a model is missing: when to look once more
  unsigned times = 0;                // in a row
  std::vector<Outcome> elsewhere{};  // of each point that has no place

  void begin() {
    walk = {};
    running = true;
    due = BootTime::min();
    again = BootTime::max();
  }
};

struct Scheduler::Device {
  std::string name;
  std::uint8_t unit = 1;
  Duration timeout{};
  PlanLimits limits;
  std::vector<Point> points;
  std::vector<Range> forbidden;
  std::vector<Decoder> decoders;
  std::vector<Value> keys;
  std::vector<Cycle> cycles;  // the fastest first: its first block is also the probe
  system::Backoff backoff;
  unsigned failures = 0;
  bool heard = false;                                  // it has answered, ever
  std::array<std::uint64_t, kMissedReasons> missed{};  // ticks that were not told yet, by reason
  BootTime tell_missed = BootTime::min();
  bool down = false;
  bool link_failed = false;          // down, and not by its own silence: tried at once when the link is back
  std::unique_ptr<Search> search{};  // nullptr: no anchors
  [[nodiscard]] bool searching() const { return search != nullptr && search->running; }
};

}  // namespace railhead::modbus
