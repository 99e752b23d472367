#include "tests/brokers/mqtt/paho_publisher.h"

#include <doctest/doctest.h>
#include <mqtt/async_client.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>

namespace railhead::mqtt {
namespace {

constexpr std::chrono::seconds kBound{30};
constexpr std::size_t kWindow = 500;

std::string paho_url(std::string url) { return "tcp" + url.substr(url.find("://")); }

std::string fresh_id() {
  static std::atomic<int> count{0};
  return "publisher-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace

struct PahoPublisher::State {
  ::mqtt::async_client client;
  std::deque<::mqtt::delivery_token_ptr> sent;
  State(const std::string& url, const std::string& id)
      : client(url, id, ::mqtt::create_options(MQTTVERSION_5, 10000), nullptr) {}
  void wait_front() {
    REQUIRE(sent.front()->wait_for(kBound));
    sent.pop_front();
  }
  void add(::mqtt::message_ptr message) {
    sent.push_back(client.publish(std::move(message)));
    if (sent.size() > kWindow) wait_front();
  }
};

PahoPublisher::PahoPublisher(const std::string& url) : state_(std::make_unique<State>(paho_url(url), fresh_id())) {
  ::mqtt::connect_options options;
  options.set_mqtt_version(MQTTVERSION_5);
  options.set_clean_start(true);
  options.set_max_inflight(static_cast<int>(kWindow));
  REQUIRE(state_->client.connect(options)->wait_for(kBound));
}

PahoPublisher::~PahoPublisher() {
  try {
    state_->client.disconnect()->wait_for(kBound);
  } catch (const ::mqtt::exception&) {
    // The broker may be gone already.
  }
}

void PahoPublisher::publish(const std::string& topic, const std::string& payload, std::uint8_t qos, bool retain) {
  state_->add(::mqtt::make_message(topic, payload, qos, retain));
}

void PahoPublisher::publish_with_property(const std::string& topic, const std::string& payload, const std::string& name,
                                          const std::string& value) {
  ::mqtt::properties properties;
  properties.add({::mqtt::property::USER_PROPERTY, name, value});
  const auto message = ::mqtt::make_message(topic, payload, 1, false);
  message->set_properties(properties);
  state_->add(message);
}

void PahoPublisher::finish() {
  while (!state_->sent.empty()) state_->wait_front();
}

}  // namespace railhead::mqtt
