#include "adapters/file/file.h"

#include "adapters/file/config.h"
#include "adapters/file/sink.h"

namespace railhead::file {
namespace {

class Plan final : public ports::SinkPlan {
 public:
  explicit Plan(FileOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<ports::Sink> make(ports::Context context) const override {
    return std::make_unique<FileSink>(options_, std::move(context));
  }
  [[nodiscard]] bool takes_routing_key() const override { return true; }

 private:
  FileOptions options_;
};

std::unique_ptr<ports::SinkPlan> read(const config::Node& node, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  FileOptions options = file_fields().read(node, diagnostics);
  if (diagnostics.error_count() > errors) return nullptr;
  return std::make_unique<Plan>(std::move(options));
}

void describe(config::Reference& reference) { file_fields().describe(reference); }

}  // namespace

const ports::SinkKind& sink_kind() {
  static constexpr ports::SinkKind kKind{.name = "file", .read = &read, .describe = &describe};
  return kKind;
}

}  // namespace railhead::file
