#include "tests/end_to_end/publish.h"

#include <doctest/doctest.h>
#include <mqtt/async_client.h>

#include <deque>

namespace railhead::test {

void publish(const Mosquitto& broker, const std::vector<Message>& messages) {
  using namespace std::chrono_literals;
  mqtt::async_client client("tcp://127.0.0.1:" + std::to_string(broker.port()), "publisher",
                            mqtt::create_options(MQTTVERSION_3_1_1, 1000));
  mqtt::connect_options options;
  options.set_max_inflight(1000);
  REQUIRE(client.connect(options)->wait_for(10s));
  std::deque<mqtt::delivery_token_ptr> sent;
  for (const Message& message : messages) {
    sent.push_back(client.publish(message.topic, message.payload, message.qos, false));
    if (sent.size() > 500) {
      REQUIRE(sent.front()->wait_for(20s));
      sent.pop_front();
    }
  }
  for (const auto& token : sent) REQUIRE(token->wait_for(20s));
  client.disconnect()->wait_for(5s);
}

}  // namespace railhead::test
