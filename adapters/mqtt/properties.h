// MQTT 5 properties: a view over their bytes that is checked once, then walked without allocation.
// Standard: MQTT 5.0, cited [5 2.2.2]. Shapes: a property list is the bytes after its length field.
// Errors:   Errc::protocol: unknown or misplaced identifier, a second one where one is allowed, a value out of range,
// text
//           that is not UTF-8 or holds U+0000. After check_properties() a walk cannot fail.
// Threads:  pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace railhead::mqtt {

enum class PropertyId : std::uint8_t {  // [5 2.2.2.2]
  payload_format = 1,
  message_expiry = 2,
  content_type = 3,
  response_topic = 8,
  correlation_data = 9,
  subscription_identifier = 11,
  session_expiry = 17,
  assigned_client_identifier = 18,
  server_keep_alive = 19,
  authentication_method = 21,
  authentication_data = 22,
  request_problem_information = 23,
  will_delay = 24,
  request_response_information = 25,
  response_information = 26,
  server_reference = 28,
  reason_string = 31,
  receive_maximum = 33,
  topic_alias_maximum = 34,
  topic_alias = 35,
  maximum_qos = 36,
  retain_available = 37,
  user_property = 38,
  maximum_packet_size = 39,
  wildcard_subscription_available = 40,
  subscription_identifier_available = 41,
  shared_subscription_available = 42,
};

// Where a property list stands: the packet's type number, or the will of a CONNECT.
enum class PropertyPlace : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  disconnect = 14,
  auth = 15,
  will = 16,
};

struct Property {
  PropertyId id{};
  std::uint32_t number = 0;  // of the integer kinds
  std::string_view text;     // of the text and binary kinds; the name of a user property
  std::string_view value;    // of a user property
};

[[nodiscard]] Result<void> check_properties(PropertyPlace place, std::string_view list);

// Walks a checked list.
class PropertyReader {
 public:
  explicit PropertyReader(std::string_view list) : rest_(list) {}
  [[nodiscard]] bool next(Property& out);

 private:
  std::string_view rest_;
};

[[nodiscard]] std::optional<std::uint32_t> number_of(std::string_view list, PropertyId id);
[[nodiscard]] std::string_view text_of(std::string_view list, PropertyId id);

// Walks a list of a PUBLISH that is larger than what is kept of it, piece by piece, and remembers the topic alias.
// Texts are passed over unread. Errors: as check_properties(), but for texts and for what comes twice.
class PropertySkimmer {
 public:
  explicit PropertySkimmer(std::uint32_t length) : left_(length) {}
  // How many of `bytes` it took; what is left, less than kHeadBytes, is to come again with more behind it.
  [[nodiscard]] Result<std::size_t> take(std::string_view bytes);
  [[nodiscard]] bool done() const { return left_ == 0; }
  [[nodiscard]] std::optional<std::uint32_t> topic_alias() const { return topic_alias_; }
  static constexpr std::size_t kHeadBytes = 8;  // an identifier and a number, or a text's length

 private:
  std::uint32_t left_;
  std::uint32_t text_left_ = 0;
  bool value_is_next_ = false;  // of a pair
  std::optional<std::uint32_t> topic_alias_;
};

// Builds a list (without its length field). The identifier decides how the value is written.
class PropertyWriter {
 public:
  PropertyWriter& number(PropertyId id, std::uint32_t value);
  PropertyWriter& text(PropertyId id, std::string_view value);
  PropertyWriter& user(std::string_view name, std::string_view value);
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace railhead::mqtt
