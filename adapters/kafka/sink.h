// KafkaSink: pulls records from its outlet, keeps a window of them on their way, settles each when the broker confirmed
// it (acks=all), and starts over from the first unsettled record whenever the broker's answer leaves a gap.
// Order:   within a partition nothing may overtake a record that still has to go (S17). So when a record fails, what is
//          queued behind it is withdrawn, what is on its way is waited for, and the outlet is rewound.
// Refused: the broker answers for a whole batch, so the guilty one is found by shrinking the window until a refused
//          record travels alone: that one is set aside. The others go again marked rh-late (S17), because librdkafka
//          may have sent the batch behind them already. Larger than record_limit: set aside at once.
// Topic:   a topic that does not exist or must not be written is held (Outlet::hold): one of its records probes it
// after
//          2 s to 1 min, other topics go on undisturbed. Those that were refused carry rh-late when they come.
// Fatal:   librdkafka gives the handle up (its numbers and the broker's disagree): a new handle, then a rewind.
// Stop:    sends nothing new, waits at most kFlushMost for confirmations; the rest is sent again at the next start.
// Threads: run() is the only thread of ours; librdkafka's own never call into this class.
#pragma once

#include <memory>

#include "adapters/kafka/config.h"
#include "gateway/ports/adapter.h"

namespace railhead::kafka {

class KafkaSink final : public ports::Sink {
 public:
  KafkaSink(KafkaOptions options, ports::Context context);
  ~KafkaSink() override;
  void run(ports::Outlet& outlet, std::stop_token stop) override;

 private:
  KafkaOptions options_;
  ports::Context context_;
};

}  // namespace railhead::kafka
