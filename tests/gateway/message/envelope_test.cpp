#include "gateway/message/envelope.h"

#include <doctest/doctest.h>

#include "gateway/base/bytes.h"

using namespace railhead;

namespace {

Record record_with(std::string content_type, std::string body) {
  Record record;
  record.sink = "audit";
  record.key = "boiler-1";
  record.flags = kMaybeRepeat;
  record.time = Time{std::chrono::seconds{1767225600}};
  record.source = "boiler-house";
  record.device = "boiler-1";
  record.content_type = std::move(content_type);
  record.headers = {{"a", "b"}, {std::string(kAmqpPriorityHeader), "3"}};
  record.body = std::move(body);
  return record;
}

constexpr HeaderContext kContext{
    .gateway = "plant-7", .identity = "plant-7/01/42", .prefix = "ce_", .late = true, .with_key = true};

std::string event_of(const Record& record) {
  Enveloper enveloper;
  const Enveloper::Wrapped& wrapped = enveloper.wrap(record, kContext, Envelope::structured);
  CHECK(wrapped.content_type == "application/cloudevents+json");
  const std::vector<Header> headers{{"content-type", "application/cloudevents+json"}, {"a", "b"}};
  CHECK(wrapped.headers == headers);
  JsonParser parser;
  CHECK(parser.parse(wrapped.body));
  return std::string(wrapped.body);
}

const std::string kAttributes =
    R"({"specversion":"1.0","id":"plant-7/01/42","source":"/railhead/plant-7/boiler-house","type":"railhead.reading",)"
    R"("subject":"boiler-1","time":"2026-01-01T00:00:00Z","datacontenttype":")";
const std::string kOwn = R"(","rhdup":"1","rhlate":"1","rhkey":"boiler-1",)";

}  // namespace

TEST_CASE("structured: attributes and body are one CloudEvents document, JSON bodies stand in it as they are") {
  CHECK(event_of(record_with("application/json", R"({"t":9007199254740993,"x":1.0})")) ==
        kAttributes + "application/json" + kOwn + R"("data":{"t":9007199254740993,"x":1.0}})");
  CHECK(event_of(record_with("application/vnd.plant+json; charset=utf-8", "[1]")).ends_with(R"("data":[1]})"));
  CHECK(event_of(record_with("text/plain", "21.5 \"°C\"")) ==
        kAttributes + "text/plain" + kOwn + R"("data":"21.5 \"°C\""})");
  CHECK(event_of(record_with("application/cbor", std::string("\xa1\x00\xff", 3))) ==
        kAttributes + "application/cbor" + kOwn + R"("data_base64":"oQD/"})");
  // The number 5: one byte that is UTF-8 too.
  CHECK(event_of(record_with("application/cbor", "\x05")).ends_with(R"("data_base64":"BQ=="})"));
}

TEST_CASE("structured: what only claims to be JSON is a text") {
  CHECK(event_of(record_with("application/json", "{\"t\":")).ends_with(R"("data":"{\"t\":"})"));
}

TEST_CASE("minimal sends the identity alone, headers all attributes; the body is as it is") {
  Enveloper enveloper;
  const Record record = record_with("text/plain", "21.5");
  const Enveloper::Wrapped& minimal = enveloper.wrap(record, kContext, Envelope::minimal);
  const std::vector<Header> alone{{"rh-id", "plant-7/01/42"}, {"a", "b"}};
  CHECK(minimal.headers == alone);
  CHECK(minimal.body == "21.5");
  CHECK(minimal.content_type == "text/plain");
  const Enveloper::Wrapped& whole = enveloper.wrap(record, kContext, Envelope::headers);
  CHECK(whole.headers == headers_of(record, kContext));
  CHECK(whole.body == "21.5");
}
