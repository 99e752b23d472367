// Publishes a burst with Paho, which shares no code with our own engine. Threads: the test's; Paho's own inside.
#pragma once

#include <string>
#include <vector>

#include "tests/support/mosquitto.h"

namespace railhead::test {

struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
};

// Returns when the broker has them all.
void publish(const Mosquitto& broker, const std::vector<Message>& messages);

}  // namespace railhead::test
