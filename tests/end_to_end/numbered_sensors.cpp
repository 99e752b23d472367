#include "tests/end_to_end/numbered_sensors.h"

#include <mqtt/async_client.h>

#include <chrono>
#include <deque>

namespace railhead::test {

NumberedSensors::NumberedSensors(Options options) : options_(std::move(options)), thread_([this] { run(); }) {}

NumberedSensors::~NumberedSensors() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

bool NumberedSensors::finish() {
  if (thread_.joinable()) thread_.join();
  return !failed_ && published_ == options_.messages;
}

std::optional<std::size_t> NumberedSensors::end() {
  end_ = true;
  if (thread_.joinable()) thread_.join();
  if (failed_) return std::nullopt;
  return published_ / options_.devices;
}

void NumberedSensors::run() {
  try {
    mqtt::async_client client(options_.url, "numbered-sensors", mqtt::create_options(MQTTVERSION_3_1_1, 1000));
    mqtt::connect_options connect;
    connect.set_max_inflight(500);
    client.connect(connect)->wait();
    const auto start = std::chrono::steady_clock::now();
    std::deque<mqtt::delivery_token_ptr> waiting;
    for (std::size_t i = 0; i < options_.messages && !stop_; ++i) {
      const std::size_t device = i % options_.devices;
      if (end_ && device == 0) break;
      std::this_thread::sleep_until(start + std::chrono::nanoseconds{1'000'000'000ull * i / options_.per_second});
      waiting.push_back(client.publish("plant/hall/device-" + std::to_string(device) + "/telemetry",
                                       "{\"n\":" + std::to_string(i / options_.devices) + "}", 1, false));
      while (waiting.size() > 200 || (!waiting.empty() && waiting.front()->is_complete())) {
        waiting.front()->wait();
        waiting.pop_front();
        ++published_;
      }
    }
    for (; !waiting.empty(); waiting.pop_front()) {
      waiting.front()->wait();
      ++published_;
    }
    client.disconnect()->wait();
  } catch (const mqtt::exception&) {
    failed_ = true;
  }
}

}  // namespace railhead::test
