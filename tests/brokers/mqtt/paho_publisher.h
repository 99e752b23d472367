// A publisher that shares no code with our own engine. Threads: the test's; Paho's own inside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace railhead::mqtt {

class PahoPublisher {
 public:
  explicit PahoPublisher(const std::string& url);
  ~PahoPublisher();
  // Queues; finish() waits until the broker confirmed all.
  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos, bool retain = false);
  void publish_with_property(const std::string& topic, const std::string& payload, const std::string& name,
                             const std::string& value);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace railhead::mqtt
