// Scheduler: which request a link sends next, and what its answers become. No I/O: a link (link.h) asks next(), sends
// it, and tells what came of it by exactly one of answered, refused, failed or repeat. One request is out at a time.
// Order:     earliest deadline (tick + every) first, request by request: a fast group overtakes a long cycle of a slow
//            one.
// Ticks:     fixed grid per group; a tick that comes while its predecessor still runs is left out and counted, with the
//            reason: newest wins.
// Readings:  one per group and tick (S22); going down and coming up are readings without value.
// Faults:    a refused address (exceptions 01 02 03) splits its block within the same cycle until the offender stands
//            alone; it is quarantined and tried again later. A device that is silent `failures_before_down` times in a
//            row, or once without ever having answered, is down: then only one probe now and then, all of a link's
//            probes together costing at most `probe_share` of its time.
// SunSpec:   the models of a device with anchors are looked for before its first cycle, again when it comes back from
//            being down, and while one of them is missing ever more rarely.
// Bounds:    kSplitsMax splits a cycle; pieces never exceed the number of points.
// Threads:   the owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/decode.h"
#include "adapters/modbus/observer.h"
#include "adapters/modbus/plan.h"
#include "adapters/modbus/points.h"
#include "adapters/modbus/sunspec.h"
#include "gateway/system/backoff.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {

struct DeviceOptions {
  std::string name;
  std::uint8_t unit = 1;
  Duration timeout = std::chrono::milliseconds{500};
  PlanLimits limits;
  std::vector<Point> points;
  std::vector<Range> forbidden = {};                  // addresses that no request may touch
  std::vector<Anchor> anchors = {};                   // SunSpec models that are to be found before they can be read
  Duration response = std::chrono::milliseconds{10};  // it usually needs to answer: for the plan alone
};

struct SchedulerOptions {
  std::string source;
  unsigned failures_before_down = 3;
  system::Backoff::Options probe = {.first = std::chrono::seconds{1}, .most = std::chrono::seconds{60}};
  double probe_share = 0.1;
  system::Backoff::Options quarantine = {.first = std::chrono::minutes{1}, .most = std::chrono::hours{1}};
};

struct Turn {
  ReadRequest request;
  Duration timeout{};
  std::uint32_t id = 0;  // what its outcome is told with
};

class Scheduler {
 public:
  static constexpr unsigned kSplitsMax = 256;
  static constexpr unsigned kBusyRetriesMax = 3;  // of one request, when the device says that it is busy
  static constexpr int kFactorMost = 10;          // a factor is a power of ten within +-10 (SunSpec's sunssf)

  Scheduler(SchedulerOptions options, const system::Clock& clock, Observer& observer, std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // `groups`: plan_device(device.points, device.limits), staggered. All devices before the first next().
  void add(const DeviceOptions& device, std::vector<Group> groups);

  // When next() will have something; BootTime::max() for never.
  [[nodiscard]] BootTime due() const;
  [[nodiscard]] std::optional<Turn> next();
  [[nodiscard]] std::optional<Turn> next(BootTime now);  // the clock was read just now

  // The outcome of a turn; without an id that of the only one that is out.
  void answered(std::string_view payload, std::uint32_t id = 0);
  void refused(std::uint8_t exception, std::uint32_t id = 0);
  void failed(const std::string& why, std::uint32_t id = 0);  // silence, or the connection broke
  void repeat(std::uint32_t id = 0);                          // it never counted: the same turn comes again

  // There is no connection and no turn out: whatever is due is bad. Devices that are down are tried as soon as the link
  // is back.
  void link_down(const std::string& why);
  // From now on there is a connection, or none; until told otherwise there is one.
  void connection(bool there);

 private:
  struct Outcome;
  struct Unscaled;
  struct Step;
  struct Piece;
  struct Cycle;
  struct Device;
  struct Search;

  void searched(Device& device, Cycle& cycle, std::string_view payload);
  void search_refused(Device& device, Cycle& cycle, std::uint8_t exception);
  void search_over(Device& device);
  void search_again(Device& device);

  [[nodiscard]] BootTime eligible(const Device& device, const Cycle& cycle) const;
  void begin(Device& device, Cycle& cycle, BootTime now);
  void count_missed(Device& device, const Cycle& cycle, BootTime now);
  bool skip_quarantined(Device& device, Cycle& cycle);
  [[nodiscard]] static Piece piece_of(const Device& device, const Cycle& cycle, Block block);
  void mark(Cycle& cycle, const Block& block, const Value& reason);
  static void take(Outcome& outcome, Decoded decoded);
  static void scale(const Device& device, Cycle& cycle);
  void advance(Device& device, Cycle& cycle);
  void finish(Device& device, Cycle& cycle);
  void abandon(Device& device, Cycle& cycle, const Value& reason);
  void replan(const Device& device, Cycle& cycle);
  void came_up(Device& device);
  struct Out {
    std::uint32_t id = 0;
    Device* device = nullptr;
    Cycle* cycle = nullptr;  // nullptr: it was abandoned meanwhile
  };
  Out take_out(std::uint32_t id);
  bool retry_later(Device& device, Cycle& cycle, std::uint8_t exception);
  void count_failure(Device& device, const std::string& why, bool link);
  void emit(const Device& device, Quality quality, Value value, Value bad, Time time, Duration every);

  const SchedulerOptions options_;
  const system::Clock& clock_;
  Observer& observer_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<Out> out_;
  std::uint32_t last_id_ = 0;
  BootTime probe_not_before_{};
  bool connected_ = true;
  BootTime connected_at_{};  // the last time without a connection: from lost_at_ to here
  BootTime lost_at_{};
  BootTime silent_until_{};  // the end of the last wait for an answer that did not come
};

}  // namespace railhead::modbus
