// What the catalogue (gateway/app) knows of an adapter: its name in the configuration, its fields, and how to make its
// source or sink. Reading a configuration never touches the network.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/message/value.h"
#include "gateway/ports/expression.h"
#include "gateway/ports/simulation.h"
#include "gateway/ports/sink.h"
#include "gateway/ports/source.h"

namespace railhead::system {
class Clock;
}
namespace railhead::status {
class Reporter;
class LinkStatus;
}  // namespace railhead::status
namespace railhead::config {
class Node;
class Diagnostics;
class Reference;
}  // namespace railhead::config

namespace railhead::ports {

class CommandDesk;

// Lives as long as the source or sink made with it.
struct Context {
  std::string name;     // of the source or sink in the configuration
  std::string gateway;  // identity of this gateway
  const system::Clock& clock;
  status::Reporter& reporter;
  status::LinkStatus& link;
  CommandDesk* commands = nullptr;  // between sinks and sources that can be written
};

// What the rules' checker may know of a source before anything connects.
struct KnownPoint {
  std::string name;
  std::optional<Kind> kind = {};         // of its values; none: not known
  std::vector<KnownPoint> members = {};  // of a map
  std::vector<std::string> texts = {};   // of a text: all it can be but the digits of a number; empty: not known
  friend bool operator==(const KnownPoint&, const KnownPoint&) = default;
};
struct KnownDevice {
  std::string name;
  std::vector<KnownPoint> points = {};  // empty: not known (MQTT)
  // How often each is read: points of different ones never come in one reading. Empty: not known.
  std::map<std::string, Duration> rates = {};
};

// What only one may have at its peer: two parts of a configuration with an equal one disturb each other for ever.
struct Claim {
  std::string what;        // "client_id 'a' at broker.local:1883"
  std::string_view field;  // of the part's own that makes it another one
};

class SourcePlan {
 public:
  virtual ~SourcePlan() = default;
  // Called once after reading: compiles the expressions in the source's configuration, reporting what is wrong.
  virtual void compile(const ExpressionCompiler&, config::Diagnostics&) {}
  [[nodiscard]] virtual std::unique_ptr<Source> make(Context context) const = 0;
  [[nodiscard]] virtual std::vector<KnownDevice> devices() const { return {}; }
  // What it will ask of the field and how long that takes, for `railhead check --plan`; lines, or nothing.
  [[nodiscard]] virtual std::string explain() const { return {}; }
  // True when devices() is complete: any other name is a mistake.
  [[nodiscard]] virtual bool devices_are_known() const { return false; }
  // MQTT filters of all topics that attributes.topic of its readings can be.
  [[nodiscard]] virtual std::vector<std::string> topics() const { return {}; }
  // What a payload that was set aside unread is as the source is configured now. Errors: invalid, it still cannot be
  // read; refused, the source does not take it at all.
  [[nodiscard]] virtual Result<std::vector<Reading>> read_again(const RawInput&, Time /*arrived*/) const {
    return fail(Errc::refused, "this kind of source cannot read it again");
  }
  // Of the source of this name in this gateway.
  [[nodiscard]] virtual std::vector<Claim> claims(const std::string& /*gateway*/, const std::string& /*name*/) const {
    return {};
  }
  // A stand-in for what it would read; null where this kind of source has none.
  [[nodiscard]] virtual std::unique_ptr<Simulation> simulate(SimulationOptions, const system::Clock&) const {
    return nullptr;
  }
};

class SinkPlan {
 public:
  virtual ~SinkPlan() = default;
  [[nodiscard]] virtual std::unique_ptr<Sink> make(Context context) const = 0;
  // What a rule's send must name for this sink: checked by the rules.
  [[nodiscard]] virtual bool needs_topic() const { return false; }
  [[nodiscard]] virtual bool takes_routing_key() const { return false; }
  [[nodiscard]] virtual std::vector<Claim> claims(const std::string& /*gateway*/, const std::string& /*name*/) const {
    return {};
  }
  // The source whose devices it writes, which must be of the same kind; empty: none.
  [[nodiscard]] virtual std::string_view writes_to() const { return {}; }
};

// One row of the catalogue.
struct SourceKind {
  std::string_view name;  // "modbus"
  // `node` is the value of the field `name`; `models` is the configuration's models section (may be null).
  // After errors: nullptr, or a plan that only knows its devices, so that rules can still be checked against them.
  std::unique_ptr<SourcePlan> (*read)(const config::Node& node, const config::Node& models,
                                      config::Diagnostics& diagnostics);
  void (*describe)(config::Reference& reference);
};
struct SinkKind {
  std::string_view name;  // "kafka"
  std::unique_ptr<SinkPlan> (*read)(const config::Node& node, config::Diagnostics& diagnostics);
  void (*describe)(config::Reference& reference);
};

}  // namespace railhead::ports
