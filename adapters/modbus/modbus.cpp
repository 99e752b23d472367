#include "adapters/modbus/modbus.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/command_sink.h"
#include "adapters/modbus/config.h"
#include "adapters/modbus/simulator.h"
#include "adapters/modbus/source.h"
#include "gateway/base/assert.h"
#include "gateway/config/reference.h"

namespace railhead::modbus {
namespace {

class Plan final : public ports::SourcePlan {
 public:
  Plan(std::shared_ptr<const SourceOptions> options, std::vector<ports::KnownDevice> devices, bool complete)
      : options_(std::move(options)), devices_(std::move(devices)), complete_(complete) {}

  [[nodiscard]] std::unique_ptr<ports::Source> make(ports::Context context) const override {
    RAILHEAD_ASSERT(options_);
    return std::make_unique<ModbusSource>(options_, std::move(context));
  }
  [[nodiscard]] std::vector<ports::KnownDevice> devices() const override { return devices_; }
  [[nodiscard]] std::string explain() const override { return options_ ? explain_plan(*options_) : std::string(); }
  [[nodiscard]] bool devices_are_known() const override { return complete_; }
  [[nodiscard]] std::unique_ptr<ports::Simulation> simulate(ports::SimulationOptions options,
                                                            const system::Clock& clock) const override {
    RAILHEAD_ASSERT(options_);
    return std::make_unique<Simulator>(*options_, std::move(options), clock);
  }

 private:
  const std::shared_ptr<const SourceOptions> options_;  // nullptr: it has errors
  std::vector<ports::KnownDevice> devices_;
  bool complete_;
};

std::unique_ptr<ports::SourcePlan> read(const config::Node& node, const config::Node& models,
                                        config::Diagnostics& diagnostics) {
  std::vector<ports::KnownDevice> known;
  std::optional<SourceOptions> options = read_source(node, models, diagnostics, &known);
  const config::Node devices = node.find("devices");
  const bool complete = options.has_value() || (devices.is_map() && !devices.is_unfinished());
  std::shared_ptr<const SourceOptions> kept;
  if (options) kept = std::make_shared<const SourceOptions>(std::move(*options));
  return std::make_unique<Plan>(std::move(kept), std::move(known), complete);
}

void describe(config::Reference& reference) {
  source_fields().describe(reference);
  reference.place("models.<name>");
  model_fields().describe(reference);
}

class CommandPlan final : public ports::SinkPlan {
 public:
  explicit CommandPlan(CommandSinkOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<ports::Sink> make(ports::Context context) const override {
    return make_command_sink(options_, std::move(context));
  }
  [[nodiscard]] std::string_view writes_to() const override { return options_.source; }

 private:
  const CommandSinkOptions options_;
};

std::unique_ptr<ports::SinkPlan> read_commands(const config::Node& node, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  const CommandSinkConfig written = command_sink_fields().read(node, diagnostics);
  if (diagnostics.error_count() > errors) return nullptr;
  return std::make_unique<CommandPlan>(CommandSinkOptions{
      .source = written.source.value, .ttl = written.ttl, .verify = written.verify, .repeat = written.repeat});
}

}  // namespace

const ports::SinkKind& sink_kind() {
  static constexpr ports::SinkKind kKind{
      .name = "modbus", .read = &read_commands, .describe = [](config::Reference& reference) {
        command_sink_fields().describe(reference);
      }};
  return kKind;
}

const ports::SourceKind& source_kind() {
  static constexpr ports::SourceKind kKind{.name = "modbus", .read = &read, .describe = &describe};
  return kKind;
}

}  // namespace railhead::modbus
