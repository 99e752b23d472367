#include "adapters/modbus/link_commands.h"

#include <algorithm>
#include <utility>

#include "adapters/modbus/decode.h"
#include "gateway/base/assert.h"
#include "gateway/base/text.h"

namespace railhead::modbus {

using Ending = ports::CommandOutcome::Result;

namespace {

// The device is still at it (05), or a gateway passed the write on and heard nothing (0B): it may be carried out.
bool leaves_open(const WriteStep& step, std::string_view pdu) {
  return !step.reads() && pdu.size() == 2 && (pdu[1] == 5 || pdu[1] == 11);
}

}  // namespace

LinkCommands::~LinkCommands() {
  if (out_) finish(Ending::unknown, "the gateway stopped before the answer came");
  while (!queue_.empty()) finish(Ending::expired, "the gateway stopped before it was sent");
}

void LinkCommands::take(ports::Command command) {
  const auto device = devices_.find(command.device);
  const auto refuse = [&](std::string why) {
    command.done({.result = Ending::refused, .why = std::move(why), .read_back = {}});
  };
  if (device == devices_.end()) return refuse("there is no device '" + command.device + "'");
  const std::vector<Point>& points = device->second.points();
  if (points.empty()) return refuse("where the SunSpec models of '" + command.device + "' are is not known yet");
  std::vector<Assignment> assignments;
  for (const auto& [name, value] : command.values) {
    const auto point =
        std::find_if(points.begin(), points.end(), [&name = name](const Point& one) { return one.name == name; });
    if (point == points.end()) {
      std::vector<std::string> known;
      known.reserve(points.size());
      for (const Point& one : points) known.push_back(one.name);
      const auto near = base::nearest(name, known);
      return refuse("no point '" + name + "' on device '" + command.device + "'" +
                    (near ? ", did you mean '" + *near + "'?" : ""));
    }
    if (point->anchor) return refuse("the device does not have point '" + name + "'");
    if (!point->write) return refuse("point '" + name + "' may not be written: it has no `write`");
    assignments.push_back({.point = &*point, .value = value});
  }
  if (assignments.empty()) return refuse("it names no point");
  const bool verify = command.verify || std::any_of(assignments.begin(), assignments.end(),
                                                    [](const Assignment& one) { return one.point->write->verify; });
  Result<std::vector<WriteStep>> steps = plan_writes(assignments, verify);
  if (!steps) return refuse(steps.error().what);
  if (queue_.size() >= kWaitingMax) return refuse("too many commands wait for this link");
  Running running;
  running.command = std::move(command);
  running.device = &device->second;
  running.steps = std::move(*steps);
  running.read.resize(running.steps.size());
  queue_.push_back(std::move(running));
}

void LinkCommands::place(const std::string& device, const PlacedPoints& placed) {
  const auto known = devices_.find(device);
  if (known == devices_.end()) return;
  const bool same = std::equal(placed.points.begin(), placed.points.end(), known->second.placed.begin(),
                               known->second.placed.end(), [](const Point& now, const Point& before) {
                                 return now.address == before.address && now.anchor == before.anchor;
                               });
  if (same) return;
  refuse_waiting(known->second, "the device's SunSpec models are elsewhere now");
  known->second.placed = placed.points;
}

void LinkCommands::forget(const std::string& device) {
  const auto known = devices_.find(device);
  if (known == devices_.end() || known->second.placed.empty()) return;
  refuse_waiting(known->second, "the device went down: its SunSpec models have to be found again");
  known->second.placed.clear();
}

void LinkCommands::refuse_waiting(const Device& device, const std::string& why) {
  for (std::size_t i = 0; i < queue_.size();) {
    // What is out was sent to the old place.
    if (queue_[i].device != &device || (i == 0 && out_)) {
      ++i;
      continue;
    }
    const Running gone = std::move(queue_[i]);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    gone.command.done({.result = gone.at == 0 ? Ending::refused : Ending::unknown, .why = why, .read_back = {}});
  }
}

std::optional<WriteTurn> LinkCommands::next() {
  RAILHEAD_ASSERT(!out_);
  expire();
  if (queue_.empty()) return std::nullopt;
  const Running& running = queue_.front();
  out_ = true;
  return WriteTurn{.unit = running.device->options->unit,
                   .pdu = running.steps[running.at].pdu,
                   .timeout = running.device->options->timeout};
}

void LinkCommands::answered(std::string_view pdu) {
  RAILHEAD_ASSERT(out_ && !queue_.empty());
  out_ = false;
  Running& running = queue_.front();
  const WriteStep& step = running.steps[running.at];
  if (const auto fault = check_answer(step, pdu, &running.read[running.at])) {
    const std::string where = std::string(name_of(step.table)) + " " + std::to_string(step.address) + ": ";
    return finish(leaves_open(step, pdu) ? Ending::unknown : Ending::failed, where + *fault);
  }
  if (++running.at == running.steps.size()) finish(Ending::done, {});
}

void LinkCommands::failed(const std::string& why) {
  RAILHEAD_ASSERT(out_ && !queue_.empty());
  out_ = false;
  finish(Ending::unknown, why);
}

void LinkCommands::expire() {
  const BootTime now = clock_.boot_now();
  for (std::size_t i = 0; i < queue_.size();) {
    // The one whose request is out is beyond recall.
    if (queue_[i].command.expires > now || (i == 0 && out_)) {
      ++i;
      continue;
    }
    const Running gone = std::move(queue_[i]);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    if (gone.at == 0) {
      gone.command.done({.result = Ending::expired, .why = "its time was over before it was sent", .read_back = {}});
    } else {
      gone.command.done({.result = Ending::failed,
                         .why = "its time was over after " + std::to_string(gone.at) + " of " +
                                std::to_string(gone.steps.size()) + " requests",
                         .read_back = {}});
    }
  }
}

Value LinkCommands::read_back(const Running& running) const {
  Value::Entries entries;
  for (const auto& [name, wanted] : running.command.values) {
    const std::vector<Point>& points = running.device->points();
    const auto point =
        std::find_if(points.begin(), points.end(), [&name = name](const Point& one) { return one.name == name; });
    if (point == points.end()) continue;
    for (std::size_t i = 0; i < running.steps.size(); ++i) {
      const WriteStep& step = running.steps[i];
      if (!step.reads() || running.read[i].empty() || step.table != point->table || point->address < step.address ||
          point->address + point->span() > step.address + step.count) {
        continue;
      }
      const Decoded decoded = Decoder(*point).decode(running.read[i], std::uint32_t{point->address} - step.address);
      if (decoded.good()) entries.emplace_back(Value::text(name), decoded.value);
    }
  }
  return entries.empty() ? Value() : Value::map(std::move(entries));
}

void LinkCommands::finish(Ending result, std::string why) {
  out_ = false;
  const Running running = std::move(queue_.front());
  queue_.pop_front();
  running.command.done({.result = result, .why = std::move(why), .read_back = read_back(running)});
}

}  // namespace railhead::modbus
