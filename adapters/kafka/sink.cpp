#include "adapters/kafka/sink.h"

#include "adapters/kafka/feed.h"

namespace railhead::kafka {

KafkaSink::KafkaSink(KafkaOptions options, ports::Context context)
    : options_(std::move(options)), context_(std::move(context)) {}

KafkaSink::~KafkaSink() = default;

void KafkaSink::run(ports::Outlet& outlet, std::stop_token stop) {
  Feed feed(options_, context_, outlet);
  feed.run(stop);
}

}  // namespace railhead::kafka
