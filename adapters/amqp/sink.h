// AmqpSink: publishes the records of its outlet to one exchange, a window of them unconfirmed at a time, and settles
// each when the broker confirmed it. Standard: AMQP 0-9-1 with publisher confirms; `mandatory` lets the broker give
// back what no queue takes.
// Answers:  ack settles; ack after basic.return: set aside, or with `unroutable: hold` its routing key is held; nack:
//           its routing key is held. A held one is tried with one record after 0.5 s to 30 s, others go on; what was
//           refused comes again marked late (S17).
// Order:    a lost connection means a rewind: everything unconfirmed is sent again, in order, with the same identity.
// Hanging:  a Watchdog ends a publish that does not return, confirm_timeout a broker that does not answer.
// Blocked:  while the broker says connection.blocked nothing is sent and the link is degraded.
// Stop:     sends nothing new, waits at most kConfirmMost for confirmations; the rest is sent again at the next start.
// Threads:  run() plus the watchdog's own.
#pragma once

#include <memory>

#include "adapters/amqp/config.h"
#include "gateway/ports/adapter.h"

namespace railhead::amqp {

class AmqpSink final : public ports::Sink {
 public:
  AmqpSink(AmqpOptions options, ports::Context context);
  ~AmqpSink() override;
  void run(ports::Outlet& outlet, std::stop_token stop) override;

 private:
  AmqpOptions options_;
  ports::Context context_;
};

}  // namespace railhead::amqp
