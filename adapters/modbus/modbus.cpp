#include "adapters/modbus/modbus.h"

#include <utility>

#include "adapters/modbus/config.h"
#include "adapters/modbus/source.h"
#include "gateway/config/reference.h"

namespace railhead::modbus {
namespace {

class Plan final : public ports::SourcePlan {
 public:
  explicit Plan(SourceOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::unique_ptr<ports::Source> make(ports::Context context) const override {
    return std::make_unique<ModbusSource>(options_, std::move(context));
  }
  [[nodiscard]] std::vector<ports::KnownDevice> devices() const override {
    std::vector<ports::KnownDevice> known;
    for (const LinkPlan& link : options_.links) {
      for (const DeviceOptions& device : link.devices) {
        ports::KnownDevice& one = known.emplace_back();
        one.name = device.name;
        for (const Point& point : device.points) one.points.push_back(point.name);
      }
    }
    return known;
  }
  [[nodiscard]] bool devices_are_known() const override { return true; }

 private:
  SourceOptions options_;
};

std::unique_ptr<ports::SourcePlan> read(const config::Node& node, const config::Node& models,
                                        config::Diagnostics& diagnostics) {
  std::optional<SourceOptions> options = read_source(node, models, diagnostics);
  if (!options) return nullptr;
  return std::make_unique<Plan>(std::move(*options));
}

void describe(config::Reference& reference) {
  source_fields().describe(reference);
  reference.place("models.<name>");
  model_fields().describe(reference);
}

}  // namespace

const ports::SourceKind& source_kind() {
  static constexpr ports::SourceKind kKind{.name = "modbus", .read = &read, .describe = &describe};
  return kKind;
}

}  // namespace railhead::modbus
