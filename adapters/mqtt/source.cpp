#include "adapters/mqtt/source.h"

#include <utility>

#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/source_engine.h"

namespace railhead::mqtt {
namespace {

class MqttSource final : public ports::Source {
 public:
  MqttSource(SourceSettings settings, ports::Context context)
      : settings_(std::move(settings)), context_(std::move(context)) {}

  void run(ports::Intake& intake, std::stop_token stop) override {
    SourceEngine(settings_, context_, intake).run(stop);
  }

 private:
  const SourceSettings settings_;
  const ports::Context context_;
};

}  // namespace

std::uint64_t session_hash(const Url& url, std::string_view client_id) {
  constexpr std::uint64_t kLower = 0xffff'ffff;
  return (content_hash(client_id) & ~kLower) | (content_hash(url.text()) & kLower);
}

std::unique_ptr<ports::Source> make_source(SourceSettings settings, ports::Context context) {
  return std::make_unique<MqttSource>(std::move(settings), std::move(context));
}

}  // namespace railhead::mqtt
