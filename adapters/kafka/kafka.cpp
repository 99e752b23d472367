#include "adapters/kafka/kafka.h"

#include "adapters/kafka/config.h"
#include "adapters/kafka/sink.h"

namespace railhead::kafka {
namespace {

class Plan final : public ports::SinkPlan {
 public:
  explicit Plan(KafkaOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<ports::Sink> make(ports::Context context) const override {
    return std::make_unique<KafkaSink>(options_, std::move(context));
  }
  [[nodiscard]] bool needs_topic() const override { return true; }

 private:
  KafkaOptions options_;
};

std::unique_ptr<ports::SinkPlan> read(const config::Node& node, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  KafkaOptions options = kafka_fields().read(node, diagnostics);
  check(options, node, diagnostics);
  if (diagnostics.error_count() > errors) return nullptr;
  return std::make_unique<Plan>(std::move(options));
}

void describe(config::Reference& reference) { kafka_fields().describe(reference); }

}  // namespace

const ports::SinkKind& sink_kind() {
  static constexpr ports::SinkKind kKind{.name = "kafka", .read = &read, .describe = &describe};
  return kKind;
}

}  // namespace railhead::kafka
