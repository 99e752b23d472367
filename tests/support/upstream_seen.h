// What an independent consumer saw upstream, one JSON document a line:
//   KafkaDump.java  {"partition":0,"java_partition":0,"offset":7,"timestamp":1780000000000,"key":"d1"|null,
//                    "headers":{...},"value":"..."}
//   drain.py        {"routing_key":"...","exchange":"...","redelivered":false,"message_id":"...","content_type":"...",
//                    "delivery_mode":2,"priority":null,"timestamp":1780000000,"headers":{...},"value":"..."}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::test {

struct Seen {
  std::map<std::string, std::string> headers;
  std::string value;
  // Kafka
  std::optional<std::string> key;
  std::int64_t partition = 0;
  std::int64_t java_partition = -1;  // where Java's own partitioner would have put the key
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;  // Kafka: milliseconds, AMQP: seconds
  // AMQP
  std::string exchange;
  std::string routing_key;
  std::string message_id;
  std::string content_type;
  std::int64_t delivery_mode = 0;
  std::optional<std::int64_t> priority;
  bool redelivered = false;
};

// Lines that are not JSON documents are left out.
[[nodiscard]] std::vector<Seen> parse_seen(std::string_view lines);

// A directory that outlives a test run: $RAILHEAD_TEST_CACHE, or railhead-tests in the user's cache directory.
[[nodiscard]] std::string test_cache();

// Holds a file lock in the cache while it lives, so that two test programs do not make the same thing at once.
class CacheLock {
 public:
  explicit CacheLock(const std::string& name);
  ~CacheLock();
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace railhead::test
