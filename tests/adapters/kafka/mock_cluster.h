// librdkafka's mock cluster in this process, and a plain reader of what seen in it.
// Limits of the mock: 5 MB or 100,000 batches per partition, no TLS, no SASL, no create-topic requests; sequences of an
// idempotent producer are not checked, so exactly-once cannot be shown with it.
#pragma once

#include <doctest/doctest.h>

#include <librdkafka/rdkafka.h>
// After rdkafka.h.
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/upstream_seen.h"

namespace railhead::test {

inline constexpr std::int16_t kProduce = 0;  // API keys of the protocol
inline constexpr std::int16_t kInitProducerId = 22;

class MockCluster {
 public:
  explicit MockCluster(int brokers) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    REQUIRE(handle_ != nullptr);
    cluster_ = rd_kafka_mock_cluster_new(handle_, brokers);
    REQUIRE(cluster_ != nullptr);
  }
  // Why in the background: taking a mock cluster down costs a second, and the next test need not wait for it.
  ~MockCluster() {
    static std::vector<std::jthread> ending;
    ending.emplace_back([handle = handle_, cluster = cluster_] {
      rd_kafka_mock_cluster_destroy(cluster);
      rd_kafka_destroy(handle);
    });
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void create(const std::string& topic, int partitions) {
    REQUIRE(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void down(std::int32_t broker) { rd_kafka_mock_broker_set_down(cluster_, broker); }
  void up(std::int32_t broker) { rd_kafka_mock_broker_set_up(cluster_, broker); }
  void round_trip(std::int32_t broker, std::chrono::milliseconds time) {
    rd_kafka_mock_broker_set_rtt(cluster_, broker, static_cast<int>(time.count()));
  }
  void topic_error(const std::string& topic, rd_kafka_resp_err_t error) {
    rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), error);
  }
  void lead(const std::string& topic, std::int32_t partition, std::int32_t broker) {
    rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker);
  }
  // The next requests of this kind are answered with these errors; _TRANSPORT cuts the connection.
  void answer(std::int16_t api, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, api, errors.size(), errors.data());
  }

  // Everything in the topic, once at least `expected` records are there or the time is over.
  [[nodiscard]] std::vector<Seen> read(const std::string& topic, int partitions, std::size_t expected,
                                       std::chrono::milliseconds at_most = std::chrono::seconds{15}) const {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap().c_str(), text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "reader", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
    rd_kafka_t* reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    REQUIRE(reader != nullptr);
    rd_kafka_poll_set_consumer(reader);
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; ++p) {
      rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    std::vector<Seen> seen;
    int ends = 0;
    const auto until = std::chrono::steady_clock::now() + at_most;
    while ((seen.size() < expected || ends < partitions) && std::chrono::steady_clock::now() < until) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(reader, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ++ends;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) seen.push_back(seen_of(message));
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return seen;
  }

 private:
  static Seen seen_of(rd_kafka_message_t* message) {
    Seen one;
    one.partition = message->partition;
    one.offset = message->offset;
    rd_kafka_timestamp_type_t type{};
    one.timestamp = rd_kafka_message_timestamp(message, &type);
    if (message->key != nullptr) one.key = std::string(static_cast<const char*>(message->key), message->key_len);
    if (message->len > 0) one.value = std::string(static_cast<const char*>(message->payload), message->len);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* name = nullptr;
      const void* value = nullptr;
      std::size_t size = 0;
      for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
           ++i) {
        one.headers[name] = std::string(static_cast<const char*>(value), size);
      }
    }
    return one;
  }

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace railhead::test
