#include "adapters/mqtt/packet.h"

#include <doctest/doctest.h>

#include "adapters/mqtt/properties.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

constexpr Version k3 = Version::v3_1_1;
constexpr Version k5 = Version::v5;

std::string bytes_of(std::string_view hex) {
  const auto bytes = base::from_hex(hex);
  REQUIRE(bytes);
  return *bytes;
}

Result<Packet> decode_whole(Version version, std::string_view bytes) {
  Result<std::optional<FixedHeader>> header = decode_header(bytes);
  if (!header) return fail(header.error());
  REQUIRE(*header);
  return decode(version, **header, bytes.substr((*header)->header_bytes));
}

std::string encode_any(Version version, const Packet& packet) {
  std::string out;
  std::visit(
      [&](const auto& one) {
        using T = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<T, Connect> || std::is_same_v<T, Pingreq> || std::is_same_v<T, Pingresp> ||
                      std::is_same_v<T, Auth>) {
          encode(one, out);
        } else {
          encode(version, one, out);
        }
      },
      packet);
  return out;
}

TEST_CASE("every packet decodes and encodes to the same bytes") {
  struct Row {
    const char* what;
    Version version;
    const char* hex;
  };
  const Row rows[] = {
      {"CONNECT 3.1.1", k3, "10 0e 00044d515454 04 00 003c 0002 6777"},
      {"CONNECT 3.1.1 with will, user, password", k3,
       "10 1c 00044d515454 04 ee 003c 0002 6777 0001 74 0002 6279 0001 75 0002 7077"},
      {"CONNECT 5", k5, "10 17 00044d515454 05 02 003c 08 11 00000e10 21 0064 0002 6777"},
      {"CONNECT 5 with will properties", k5,
       "10 1f 00044d515454 05 0e 003c 00 0002 6777 05 18 0000000a 0001 74 0005 68656c6c6f"},
      {"CONNACK 3.1.1 session present", k3, "20 02 01 00"},
      {"CONNACK 3.1.1 refused", k3, "20 02 00 05"},
      {"CONNACK 5", k5, "20 0e 00 00 0b 21 0014 22 0005 13 000a 2a 01"},
      {"PUBLISH QoS 0", k3, "30 05 0001 61 6869"},
      {"PUBLISH QoS 0, empty payload", k3, "30 03 0001 61"},
      {"PUBLISH QoS 1 DUP RETAIN", k3, "3b 07 0001 61 0007 6869"},
      {"PUBLISH QoS 2", k3, "34 07 0001 61 ffff 6869"},
      {"PUBLISH 5 with properties", k5,
       "32 24 0001 61 0001 1d 01 01 02 0000003c 03 0001 6a 08 0001 72 09 0002 0001 0b 05 26 0001 6b 0001 76 68"},
      {"PUBLISH 5 by topic alias", k5, "30 07 0000 03 23 0001 68"},
      {"PUBACK", k3, "40 02 0001"},
      {"PUBACK 5 without reason", k5, "40 02 0001"},
      {"PUBACK 5 with reason", k5, "40 03 0001 10"},
      {"PUBACK 5 with reason string", k5, "40 08 0001 87 04 1f 0001 78"},
      {"PUBREC", k3, "50 02 0102"},
      {"PUBREL", k3, "62 02 0102"},
      {"PUBREL 5 unknown", k5, "62 03 0102 92"},
      {"PUBCOMP", k5, "70 02 0102"},
      {"SUBSCRIBE 3.1.1", k3, "82 0c 0001 0003 612f62 01 0001 23 02"},
      {"SUBSCRIBE 5", k5, "82 0b 0001 02 0b 07 0003 2b2f62 2d"},
      {"SUBACK", k3, "90 05 0001 00 02 80"},
      {"SUBACK 5", k5, "90 05 0001 00 01 87"},
      {"UNSUBSCRIBE", k3, "a2 07 0001 0003 612f62"},
      {"UNSUBACK 3.1.1", k3, "b0 02 0001"},
      {"UNSUBACK 5", k5, "b0 05 0001 00 00 11"},
      {"PINGREQ", k3, "c0 00"},
      {"PINGRESP", k3, "d0 00"},
      {"DISCONNECT 3.1.1", k3, "e0 00"},
      {"DISCONNECT 5", k5, "e0 00"},
      {"DISCONNECT 5 with reason", k5, "e0 01 8e"},
      {"DISCONNECT 5 with properties", k5, "e0 07 9c 05 1c 0002 6231"},
      {"AUTH", k5, "f0 07 18 05 15 0002 7878"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string bytes = bytes_of(row.hex);
    REQUIRE(static_cast<unsigned char>(bytes[1]) == bytes.size() - 2);
    const Result<Packet> packet = decode_whole(row.version, bytes);
    REQUIRE_MESSAGE(packet, packet.error().what);
    CHECK(base::to_hex(encode_any(row.version, *packet)) == base::to_hex(bytes));
  }
}

TEST_CASE("a malformed packet is an error of the protocol") {
  struct Row {
    const char* what;
    Version version;
    const char* hex;
  };
  const Row rows[] = {
      {"type 0", k3, "00 00"},
      {"PUBLISH with QoS 3", k3, "36 05 0001 61 0001"},
      {"DUP at QoS 0", k3, "38 05 0001 61 6869"},
      {"PUBREL with flags 0", k3, "60 02 0001"},
      {"PUBACK with flags", k3, "41 02 0001"},
      {"CONNACK with flags", k3, "21 02 00 00"},
      {"SUBACK with flags", k3, "92 03 0001 00"},
      {"UNSUBACK with flags", k3, "b2 02 0001"},
      {"PINGRESP with flags", k3, "d8 00"},
      {"DISCONNECT 5 with flags", k5, "e1 00"},
      {"AUTH with flags", k5, "f4 02 18 00"},
      {"SUBSCRIBE with flags 0", k3, "80 06 0001 0001 61 00"},
      {"UNSUBSCRIBE with flags 0", k3, "a0 05 0001 0001 61"},
      {"remaining length of five bytes", k3, "30 ff ff ff ff 01"},
      {"remaining length longer than needed", k3, "30 85 00 0001 61 6869"},
      {"PUBLISH without a topic", k3, "30 02 0000"},
      {"PUBLISH 5 without topic and alias", k5, "30 03 0000 00"},
      {"PUBLISH with a wildcard", k3, "30 05 0003 612f2b"},
      {"PUBLISH whose topic is not UTF-8", k3, "30 04 0002 c328"},
      {"PUBLISH whose topic holds U+0000", k3, "30 04 0002 6100"},
      {"PUBLISH whose topic is a surrogate", k3, "30 05 0003 eda080"},
      {"PUBLISH whose topic is cut", k3, "30 03 0005 61"},
      {"PUBLISH with identifier 0", k3, "32 05 0001 61 0000"},
      {"PUBLISH whose properties are cut", k5, "30 06 0001 61 05 01 01"},
      {"property length longer than needed", k5, "30 06 0001 61 80 00 68"},
      {"unknown property", k5, "30 06 0001 61 02 04 01"},
      {"property of another packet", k5, "30 07 0001 61 03 21 0001"},
      {"property twice", k5, "30 08 0001 61 04 01 01 01 01"},
      {"topic alias 0", k5, "30 07 0001 61 03 23 0000"},
      {"subscription identifier 0", k5, "30 06 0001 61 02 0b 00"},
      {"user property that is not UTF-8", k5, "30 0b 0001 61 07 26 0001 ff 0001 61"},
      {"user property whose value is not UTF-8", k5, "30 0b 0001 61 07 26 0001 61 0001 ff"},
      {"response topic that is not UTF-8", k5, "30 08 0001 61 04 08 0001 ff"},
      {"content type that holds U+0000", k5, "30 08 0001 61 04 03 0001 00"},
      {"PUBACK with identifier 0", k3, "40 02 0000"},
      {"PUBACK 3.1.1 with a reason", k3, "40 03 0001 00"},
      {"PUBACK 5 with a reason out of place", k5, "40 03 0001 92"},
      {"PUBREL 5 with a reason out of place", k5, "62 03 0001 10"},
      {"PUBREC 5 with a reason out of place", k5, "50 03 0001 92"},
      {"PUBCOMP 5 with a reason out of place", k5, "70 03 0001 10"},
      {"PUBACK of one byte", k3, "40 01 00"},
      {"CONNACK with reserved flags", k3, "20 02 02 00"},
      {"CONNACK with a session beside a refusal", k3, "20 02 01 05"},
      {"CONNACK with a reserved return code", k3, "20 02 00 06"},
      {"CONNACK too long", k3, "20 03 00 00 00"},
      {"CONNACK 5 without properties", k5, "20 02 00 00"},
      {"CONNACK 5 with receive maximum 0", k5, "20 06 00 00 03 21 0000"},
      {"SUBACK without reasons", k3, "90 02 0001"},
      {"SUBACK with QoS 3", k3, "90 03 0001 03"},
      {"SUBACK 3.1.1 with a reason of 5", k3, "90 03 0001 87"},
      {"SUBACK with identifier 0", k3, "90 03 0000 00"},
      {"UNSUBACK 5 without reasons", k5, "b0 03 0001 00"},
      {"UNSUBACK 3.1.1 with reasons", k3, "b0 03 0001 00"},
      {"PINGRESP with a body", k3, "d0 01 00"},
      {"DISCONNECT 3.1.1 with a body", k3, "e0 01 00"},
      {"AUTH at 3.1.1", k3, "f0 00"},
      {"AUTH with an unknown reason", k5, "f0 01 17"},
      {"SUBSCRIBE without filters", k3, "82 02 0001"},
      {"SUBSCRIBE with QoS 3", k3, "82 06 0001 0001 61 03"},
      {"SUBSCRIBE 3.1.1 with reserved bits", k3, "82 06 0001 0001 61 04"},
      {"SUBSCRIBE 5 with retain handling 3", k5, "82 07 0001 00 0001 61 30"},
      {"SUBSCRIBE with a bad filter", k3, "82 07 0001 0002 6123 00"},
      {"SUBSCRIBE with two identifiers", k5, "82 0b 0001 04 0b 01 0b 02 0001 61 00"},
      {"SUBSCRIBE with a filter that is not UTF-8", k3, "82 06 0001 0001 ff 00"},
      {"UNSUBSCRIBE without filters", k3, "a2 02 0001"},
      {"UNSUBSCRIBE with a filter that is not UTF-8", k3, "a2 05 0001 0001 ff"},
      {"CONNECT with a reserved flag", k3, "10 0e 00044d515454 04 01 003c 0002 6777"},
      {"CONNECT with will QoS but no will", k3, "10 0e 00044d515454 04 08 003c 0002 6777"},
      {"CONNECT with will retain but no will", k3, "10 0e 00044d515454 04 20 003c 0002 6777"},
      {"CONNECT with will QoS 3", k3, "10 13 00044d515454 04 1c 003c 0002 6777 0001 74 0000"},
      {"CONNECT with a user and no flag of it", k3, "10 11 00044d515454 04 00 003c 0002 6777 0001 75"},
      {"CONNECT with the flag of a user and none", k3, "10 0e 00044d515454 04 80 003c 0002 6777"},
      {"CONNECT with the flag of a password and none", k5, "10 0f 00044d515454 05 40 003c 00 0002 6777"},
      {"CONNECT whose client identifier is not UTF-8", k3, "10 0e 00044d515454 04 00 003c 0002 c328"},
      {"CONNECT whose user is not UTF-8", k3, "10 11 00044d515454 04 80 003c 0002 6777 0001 ff"},
      {"CONNECT without a client identifier", k3, "10 0a 00044d515454 04 02 003c"},
      {"CONNECT 3.1.1 with a password and no user", k3, "10 11 00044d515454 04 40 003c 0002 6777 0001 70"},
      {"CONNECT of another protocol", k3, "10 0e 00044d515455 04 00 003c 0002 6777"},
      {"CONNECT of level 3", k3, "10 0e 00044d515454 03 00 003c 0002 6777"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string bytes = bytes_of(row.hex);
    const Result<Packet> packet = decode_whole(row.version, bytes);
    REQUIRE_FALSE(packet);
    CHECK(packet.error().code == Errc::protocol);
  }
}

TEST_CASE("every beginning of a packet asks for more or is refused, and never reads beyond its end") {
  const std::string bytes = bytes_of(
      "32 27 0001 61 0001 1d 01 01 02 0000003c 03 0001 6a 08 0001 72 09 0002 0001 0b 05 26 0001 6b 0001 76 68");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    const Result<std::optional<FixedHeader>> header = decode_header(cut);
    REQUIRE(header);
    if (size < 2) {
      CHECK_FALSE(*header);
      continue;
    }
    // As if the whole were only this long.
    const std::string body = cut.substr(2);
    static_cast<void>(decode_publish(k5, 2, body));
  }
}

TEST_CASE("a 3.1.1 broker's refusal of MQTT 5 is understood") {
  const Result<Packet> packet = decode_whole(k5, bytes_of("20 02 00 01"));
  REQUIRE(packet);
  CHECK(std::get<Connack>(*packet).reason == reason::kUnsupportedVersion);
}

TEST_CASE("remaining lengths of all sizes") {
  for (const std::size_t size : {0u, 124u, 125u, 16'380u, 16'381u, 2'097'148u, 2'097'149u}) {
    CAPTURE(size);
    const std::string payload(size, 'x');
    Publish publish;
    publish.topic = "a";
    publish.payload = payload;
    std::string bytes;
    encode(k3, publish, bytes);
    const Result<Packet> packet = decode_whole(k3, bytes);
    REQUIRE(packet);
    CHECK(std::get<Publish>(*packet).payload == payload);
  }
}

TEST_CASE("topic names: no wildcard, no zero and nothing but UTF-8 anywhere in them") {
  CHECK_FALSE(is_topic_name(""));
  CHECK(is_topic_name(std::string(65'535, 'a')));
  CHECK_FALSE(is_topic_name(std::string(65'536, 'a')));
  for (std::size_t size = 1; size < 20; ++size) {
    const std::string name(size, 'a');
    CHECK(is_topic_name(name));
    for (std::size_t at = 0; at < size; ++at) {
      for (const char c : {'+', '#', '\0', '\xff'}) {
        std::string bad = name;
        bad[at] = c;
        CHECK_FALSE(is_topic_name(bad));
      }
      for (const char c : {'*', ',', '"', '$', '\1', '/'}) {  // beside the forbidden ones
        std::string good = name;
        good[at] = c;
        CHECK(is_topic_name(good));
      }
    }
  }
}

TEST_CASE("topic filters") {
  for (const char* good : {"a", "/", "a/b", "+", "#", "+/+", "a/#", "a/+/b", "$share/g/a/#", "$SYS/#"}) {
    CAPTURE(good);
    CHECK(is_topic_filter(good));
  }
  for (const char* bad : {"", "a#", "a/#/b", "a+", "+a/b", "#/", "$share/g", "$share//a", "$share/+/a", "$share/g/"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_topic_filter(bad));
  }
  CHECK_FALSE(is_topic_filter("a/\xff"));
  CHECK_FALSE(is_topic_filter("a/\xed\xa0\x80"));
  CHECK_FALSE(is_topic_filter(std::string_view("a/\0", 3)));
  CHECK(is_topic_filter(std::string(65'535, 'a')));
  CHECK_FALSE(is_topic_filter(std::string(65'536, 'a')));
}

TEST_CASE("properties are walked in order") {
  PropertyWriter writer;
  writer.number(PropertyId::message_expiry, 60)
      .user("a", "1")
      .user("a", "2")
      .text(PropertyId::correlation_data, "\xff");
  REQUIRE(check_properties(PropertyPlace::publish, writer.bytes()));
  CHECK(number_of(writer.bytes(), PropertyId::message_expiry) == 60u);
  CHECK(text_of(writer.bytes(), PropertyId::correlation_data) == "\xff");
  CHECK_FALSE(number_of(writer.bytes(), PropertyId::topic_alias));
  std::string seen;
  PropertyReader reader(writer.bytes());
  for (Property property; reader.next(property);) {
    seen += std::to_string(static_cast<int>(property.id)) + std::string(property.value) + " ";
  }
  CHECK(seen == "2 381 382 9 ");
}

TEST_CASE("properties that are not kept are walked however they are cut, and the topic alias is found") {
  PropertyWriter writer;
  writer.number(PropertyId::payload_format, 1)
      .number(PropertyId::message_expiry, 60)
      .user("name", "value")
      .user("", "")
      .text(PropertyId::correlation_data, "\xff\xff")
      .number(PropertyId::subscription_identifier, 70'000)
      .number(PropertyId::topic_alias, 7)
      .text(PropertyId::content_type, "text");
  const std::string& list = writer.bytes();
  for (std::size_t piece = 1; piece <= list.size(); ++piece) {
    CAPTURE(piece);
    PropertySkimmer skimmer(static_cast<std::uint32_t>(list.size()));
    std::string buffer;
    for (std::size_t at = 0; at < list.size(); at += piece) {
      buffer += list.substr(at, piece);
      const Result<std::size_t> taken = skimmer.take(buffer);
      REQUIRE_MESSAGE(taken, taken.error().what);
      buffer.erase(0, *taken);
      CHECK(buffer.size() < PropertySkimmer::kHeadBytes);
    }
    CHECK(skimmer.done());
    CHECK(skimmer.topic_alias() == 7u);
  }
  // What stands behind the list is not touched.
  PropertySkimmer skimmer(static_cast<std::uint32_t>(list.size()));
  const Result<std::size_t> taken = skimmer.take(list + "payload");
  REQUIRE(taken);
  CHECK(*taken == list.size());
  for (const char* bad : {"04 01", "21 0001", "23 0000", "0b 00", "03 0005 61", "26 0001 61", "26 0001 61 0002 62",
                          "80", "ff ff ff ff ff ff ff ff ff"}) {
    CAPTURE(bad);
    const std::string bytes = bytes_of(bad);
    CHECK_FALSE(PropertySkimmer(static_cast<std::uint32_t>(bytes.size())).take(bytes));
  }
}

TEST_CASE("a payload format that the standard does not name is taken: the broker would send the message for ever") {
  for (const char* hex : {"30 06 0001 61 02 01 02", "30 06 0001 61 02 01 ff"}) {
    CAPTURE(hex);
    const std::string bytes = bytes_of(hex);
    const Result<Packet> packet = decode_whole(k5, bytes);
    REQUIRE_MESSAGE(packet, packet.error().what);
    CHECK(std::get<Publish>(*packet).topic == "a");
  }
}

TEST_CASE("a byte order mark in a topic is kept") {
  const std::string bytes = bytes_of("30 06 0004 efbbbf61");
  const Result<Packet> packet = decode_whole(k3, bytes);
  REQUIRE(packet);
  CHECK(std::get<Publish>(*packet).topic ==
        "\xef\xbb\xbf"
        "a");
}

}  // namespace
}  // namespace railhead::mqtt
