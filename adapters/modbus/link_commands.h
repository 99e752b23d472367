// LinkCommands: the commands of one link, first come first served, and what came of them. No I/O: the link asks next()
// before it asks the scheduler for a poll, sends the request, and tells what came of it by exactly one of answered and
// failed.
// At most once: a request that was sent is never sent again; without an answer its outcome is `unknown`. What has not
//          begun when its time is over is never sent.
// Bounds:  kWaitingMax commands.
// Threads: the owner's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/scheduler.h"
#include "adapters/modbus/sunspec.h"
#include "adapters/modbus/write.h"
#include "gateway/ports/commands.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {

struct WriteTurn {
  std::uint8_t unit = 1;
  std::string pdu;
  Duration timeout{};
};

class LinkCommands {
 public:
  static constexpr std::size_t kWaitingMax = 1000;

  explicit LinkCommands(const system::Clock& clock) : clock_(clock) {}
  ~LinkCommands();  // what waits is expired, what is out is unknown
  LinkCommands(const LinkCommands&) = delete;
  LinkCommands& operator=(const LinkCommands&) = delete;

  // `device` outlives this.
  void add(const DeviceOptions& device) { devices_[device.name].options = &device; }
  [[nodiscard]] bool has(const std::string& device) const { return devices_.contains(device); }
  // Checked whole at once; what is refused is told at once.
  void take(ports::Command command);

  // Where the points of a device with SunSpec models are now; before place() and after forget() nobody knows. What
  // waits for other addresses is refused. Other devices are not concerned.
  void place(const std::string& device, const PlacedPoints& placed);
  void forget(const std::string& device);

  // Something is to be sent.
  [[nodiscard]] bool waiting() const { return !queue_.empty(); }
  [[nodiscard]] std::optional<WriteTurn> next();
  void answered(std::string_view pdu);
  void failed(const std::string& why);             // it was sent, and no answer came
  [[nodiscard]] bool out() const { return out_; }  // one is
  // Tells of those whose time is over. Call it about once a second.
  void expire();

 private:
  struct Device {
    const DeviceOptions* options = nullptr;
    std::vector<Point> placed{};  // of one with SunSpec models; empty: they were not found yet
    [[nodiscard]] const std::vector<Point>& points() const {
      return options->anchors.empty() ? options->points : placed;
    }
  };
  struct Running {
    ports::Command command;
    const Device* device = nullptr;
    std::vector<WriteStep> steps;
    std::size_t at = 0;
    std::vector<std::string> read;  // payloads of the reading steps, beside steps
  };
  void refuse_waiting(const Device& device, const std::string& why);
  void finish(ports::CommandOutcome::Result result, std::string why);
  [[nodiscard]] Value read_back(const Running& running) const;

  const system::Clock& clock_;
  std::map<std::string, Device> devices_;
  std::deque<Running> queue_;  // the first one runs
  bool out_ = false;
};

}  // namespace railhead::modbus
