#include "adapters/amqp/sink.h"

#include "adapters/amqp/feed.h"

namespace railhead::amqp {

AmqpSink::AmqpSink(AmqpOptions options, ports::Context context)
    : options_(std::move(options)), context_(std::move(context)) {}

AmqpSink::~AmqpSink() = default;

void AmqpSink::run(ports::Outlet& outlet, std::stop_token stop) {
  Feed feed(options_, context_, outlet);
  feed.run(stop);
}

}  // namespace railhead::amqp
