#include "adapters/mqtt/interpreter.h"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/unwrap.h"
#include "adapters/mqtt/url.h"

namespace railhead::mqtt {
namespace {

Interpreter::Row row(const char* pattern, PayloadFormat format = PayloadFormat::json, std::string device = {}) {
  return {*TopicPattern::parse(pattern), format, std::move(device)};
}

struct Reader {
  explicit Reader(std::vector<Interpreter::Row> rows, Retained retained = Retained::mark)
      : interpreter("sensors", retained, std::move(rows)) {
    interpreter.set_session(77);
  }
  Result<Interpreter::Outcome> read(Publish publish) {
    return interpreter.read(publish, std::nullopt, Time{Duration{5}}, true, reading);
  }
  Interpreter interpreter;
  Reading reading;
};

Publish publish(std::string_view topic, std::string_view payload) {
  Publish made;
  made.topic = topic;
  made.payload = payload;
  return made;
}

TEST_CASE("a JSON message becomes a reading with captures as attributes") {
  Reader reader({row("plant/{area}/{device}/telemetry")});
  const auto outcome = reader.read(publish("plant/north/pump-1/telemetry", R"({"t":21.5})"));
  REQUIRE(outcome);
  CHECK(*outcome == Interpreter::Outcome::reading);
  const Reading& reading = reader.reading;
  CHECK(reading.source == "sensors");
  CHECK(reading.device == "pump-1");
  CHECK(reading.time == Time{Duration{5}});
  CHECK(to_json(reading.value) == R"({"t":21.5})");
  CHECK(to_json(reading.attributes) ==
        R"({"topic":"plant/north/pump-1/telemetry","area":"north","device":"pump-1","retained":false})");
  CHECK_FALSE(reading.token);
}

TEST_CASE("however many topics come in turn, each keeps its own device and attributes") {
  Reader reader({row("plant/{device}")});
  for (int round = 0; round < 3; ++round) {
    for (int device = 0; device < 10'000; ++device) {
      const std::string topic = "plant/pump-" + std::to_string(device);
      REQUIRE(reader.read(publish(topic, "1")));
      REQUIRE(reader.reading.device == topic.substr(6));
      REQUIRE(reader.reading.attributes.find("topic")->as_text() == topic);
    }
    reader.interpreter.relax();
  }
}

TEST_CASE("the payload format decides what the value is") {
  struct Row {
    PayloadFormat format;
    std::string_view payload;
    const char* json;  // nullptr: refused
  };
  for (const Row& one : {Row{PayloadFormat::number, " 21.5\n", "21.5"}, Row{PayloadFormat::number, "-7", "-7"},
                         Row{PayloadFormat::number, "7 C", nullptr}, Row{PayloadFormat::number, "NaN", nullptr},
                         Row{PayloadFormat::number, "", nullptr}, Row{PayloadFormat::text, "on", "\"on\""},
                         Row{PayloadFormat::text, "\xff", nullptr}, Row{PayloadFormat::raw, "\xff", "\"/w==\""},
                         Row{PayloadFormat::json, "[1,2]", "[1,2]"}, Row{PayloadFormat::json, "{", nullptr},
                         Row{PayloadFormat::json, "", nullptr}, Row{PayloadFormat::json, "{} x", nullptr}}) {
    CAPTURE(one.payload);
    Reader reader({row("t", one.format, "meter")});
    const auto outcome = reader.read(publish("t", one.payload));
    CHECK(outcome.has_value() == (one.json != nullptr));
    if (outcome && one.json != nullptr) CHECK(to_json(reader.reading.value) == one.json);
    CHECK(reader.reading.device == "meter");
  }
}

TEST_CASE("of overlapping patterns the first match counts; without {device} the topic names it") {
  Reader reader({row("a/{x}", PayloadFormat::text), row("a/#", PayloadFormat::json)});
  REQUIRE(reader.read(publish("a/b", "1")));
  CHECK(reader.reading.value.is(Kind::string));
  CHECK(reader.reading.device == "a/b");
  REQUIRE(reader.read(publish("a/b/c", "1")));
  CHECK(reader.reading.value.is(Kind::integer));
  CHECK(*reader.read(publish("b", "1")) == Interpreter::Outcome::unmatched);
}

TEST_CASE("retained messages are marked or left out") {
  Publish kept = publish("a", "1");
  kept.retain = true;
  Reader marking({row("a")});
  REQUIRE(marking.read(kept));
  CHECK(marking.reading.attributes.find("retained")->as_boolean());
  Reader ignoring({row("a")}, Retained::ignore);
  CHECK(*ignoring.read(kept) == Interpreter::Outcome::retained_ignored);
}

TEST_CASE("MQTT 5 properties become attributes") {
  PropertyWriter properties;
  properties.text(PropertyId::content_type, "application/json")
      .text(PropertyId::response_topic, "answers")
      .text(PropertyId::correlation_data, "\x01")
      .number(PropertyId::message_expiry, 60)
      .user("unit", "C")
      .user("unit", "F");
  Publish made = publish("a", "1");
  made.properties = properties.bytes();
  Reader reader({row("a")});
  REQUIRE(reader.read(made));
  CHECK(to_json(reader.reading.attributes) ==
        R"({"topic":"a","retained":false,"content_type":"application/json","response_topic":"answers",)"
        R"("correlation_data":"AQ==","expiry":"60s","user_properties":{"unit":"C"}})");
}

TEST_CASE("a token recognises a redelivery and nothing else") {
  Publish first = publish("a", "1");
  first.qos = 1;
  first.packet_id = 9;
  Reader reader({row("a")});
  REQUIRE(reader.read(first));
  const FieldToken token = *reader.reading.token;
  CHECK(token.session == 77);
  CHECK(token.packet_id == 9);
  CHECK(token.qos == 1);
  CHECK_FALSE(token.dup);
  Publish again = first;
  again.dup = true;
  REQUIRE(reader.read(again));
  CHECK(reader.reading.token->content_hash == token.content_hash);
  CHECK(reader.reading.token->dup);
  Publish other = first;
  other.payload = "2";
  REQUIRE(reader.read(other));
  CHECK(reader.reading.token->content_hash != token.content_hash);
}

TEST_CASE("the content hash stays what it is: it is kept on disk") {
  CHECK(content_hash("a/b", "payload of more than eight bytes") == 0x331dbe928a73f9e6u);
  CHECK(content_hash("", "") == 0xdc0aa0b0579588du);
  CHECK(content_hash("t", "12345678") == 0xaf2e706a24155fc5u);
  CHECK(content_hash("ab", "c") != content_hash("a", "bc"));
  CHECK(content_hash("a", "") != content_hash("", "a"));
  CHECK(content_hash("", std::string_view("\0", 1)) != content_hash("", ""));
}

TEST_CASE("a broker's URL") {
  CHECK(parse_url("mqtt://broker.local")->text() == "mqtt://broker.local:1883");
  CHECK(parse_url("mqtts://broker.local/")->text() == "mqtts://broker.local:8883");
  CHECK(parse_url("tcp://10.0.0.1:1884")->text() == "mqtt://10.0.0.1:1884");
  CHECK(parse_url("tls://[::1]:99")->text() == "mqtts://[::1]:99");
  CHECK(parse_url("mqtt://[::1]")->host == "::1");
  for (const char* bad : {"", "broker", "http://x", "mqtt://", "mqtt://x:0", "mqtt://x:65536", "mqtt://x:1x",
                          "mqtt://x:", "mqtt://u:p@x", "mqtt://x/path", "mqtt://::1", "mqtt://[::1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_url(bad));
  }
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(::ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ::ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 19);
  REQUIRE(::ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

TEST_CASE(
    "wrapped payloads are unwrapped, several members as one; what is damaged, cut, followed or a bomb is refused") {
  const std::string large(3'000'000, 'x');
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    CAPTURE(int(compression));
    const auto wrap = [&](std::string_view text) { return compression == Compression::gzip ? gzip(text) : zstd(text); };
    const auto unwrap = [&](std::string_view packed, std::size_t most) -> Result<std::string> {
      std::string out;
      const Result<void> done =
          compression == Compression::gzip ? gunzip(packed, most, out) : unzstd(packed, most, out);
      if (!done) return fail(done.error());
      return out;
    };
    CHECK(*unwrap(wrap("hello"), 100) == "hello");
    CHECK(*unwrap(wrap(""), 100) == "");
    CHECK(*unwrap(wrap("hel") + wrap("lo"), 5) == "hello");
    CHECK(*unwrap(wrap(large), large.size()) == large);
    CHECK(wrap(large).size() < 10'000);
    const Result<std::string> bomb = unwrap(wrap(large), large.size() - 1);
    REQUIRE_FALSE(bomb);
    CHECK(bomb.error().what.find("more than") != std::string::npos);
    CHECK_FALSE(unwrap("", 100));
    CHECK_FALSE(unwrap("{}", 100));
    CHECK_FALSE(unwrap(wrap("hello") + "x", 100));
    const std::string packed = wrap("hello hello hello");
    for (std::size_t cut = 1; cut < packed.size(); ++cut) {
      CAPTURE(cut);
      CHECK_FALSE(unwrap(packed.substr(0, cut), 100));
    }
    Interpreter::Row wrapped = row("a/#");
    wrapped.compression = compression;
    Reader reader({wrapped});
    const std::string message = wrap(R"({"t":1})");
    REQUIRE(reader.read(publish("a/b", message)));
    CHECK(to_json(reader.reading.value) == R"({"t":1})");
    CHECK_FALSE(reader.read(publish("a/b", R"({"t":1})")));
  }
}

}  // namespace
}  // namespace railhead::mqtt
