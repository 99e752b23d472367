#include "adapters/amqp/amqp.h"

#include "adapters/amqp/config.h"
#include "adapters/amqp/sink.h"

namespace railhead::amqp {
namespace {

class Plan final : public ports::SinkPlan {
 public:
  explicit Plan(AmqpOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<ports::Sink> make(ports::Context context) const override {
    return std::make_unique<AmqpSink>(options_, std::move(context));
  }
  [[nodiscard]] bool takes_routing_key() const override { return true; }

 private:
  AmqpOptions options_;
};

std::unique_ptr<ports::SinkPlan> read(const config::Node& node, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  AmqpOptions options = amqp_fields().read(node, diagnostics);
  check(options, node, diagnostics);
  if (diagnostics.error_count() > errors) return nullptr;
  return std::make_unique<Plan>(std::move(options));
}

void describe(config::Reference& reference) { amqp_fields().describe(reference); }

}  // namespace

const ports::SinkKind& sink_kind() {
  static constexpr ports::SinkKind kKind{.name = "amqp", .read = &read, .describe = &describe};
  return kKind;
}

}  // namespace railhead::amqp
