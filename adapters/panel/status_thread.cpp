#include "adapters/panel/status_thread.h"

#include "gateway/system/thread.h"

namespace railhead::panel {

void StatusThread::start() {
  thread_ = system::start_thread("status", [this](const std::stop_token& stop) {
    const std::stop_callback waker(stop, [this] {
      const base::MutexLock lock(sleep_mutex_);
      sleep_.notify_all();
    });
    while (!stop.stop_requested()) {
      tick();
      const base::MutexLock lock(sleep_mutex_);
      if (!stop.stop_requested()) sleep_.wait_for(sleep_mutex_, parts_.leds != nullptr ? kLedTick : kSnapshotEvery);
    }
  });
}

void StatusThread::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void StatusThread::tick() {
  const BootTime now = parts_.clock.boot_now();
  // Half an LED tick of tolerance: the sleep is never exact.
  if (!taken_ || now - *taken_ >= kSnapshotEvery - kLedTick / 2) {
    taken_ = now;
    take(now);
  }
  if (parts_.leds != nullptr) parts_.leds->show(health().state, now);
}

void StatusThread::take(BootTime) {
  status::Snapshot snapshot = parts_.take_snapshot();
  snapshot.led_failed = parts_.leds != nullptr && parts_.leds->failed();
  status::Health judged = status::judge(snapshot);
  const std::string line = status::health_line(judged);
  status::HealthState before{};
  {
    const base::MutexLock lock(mutex_);
    before = health_.state;
    health_ = judged;
  }
  if (judged.state != before) {
    parts_.reporter.report(status::Event::health_changed,
                           {{"from", std::string(status::name_of(before))},
                            {"to", std::string(status::name_of(judged.state))},
                            {"why", judged.reasons.empty() ? std::string() : judged.reasons.front().what}});
  }
  if (line != status_line_) {
    status_line_ = line;
    parts_.service_manager.status(line);
  }
  if (status::alive(snapshot.parts)) parts_.service_manager.feed_watchdog();
  if (parts_.every_second) parts_.every_second();
}

status::Health StatusThread::health() const {
  const base::MutexLock lock(mutex_);
  return health_;
}

}  // namespace railhead::panel
