#include "gateway/message/record.h"

#include <doctest/doctest.h>

#include <random>

#include "gateway/message/dead_letter.h"
#include "gateway/message/encoded_records.h"

using namespace railhead;

namespace {

Record sample() {
  Record record;
  record.sink = "plant-kafka";
  record.topic = "telemetry.north";
  record.routing_key = "alarm.north";
  record.key = "boiler-1";
  record.priority = Priority::high;
  record.flags = kMaybeRepeat | kClockUnsynced;
  record.time = *parse_rfc3339("2026-01-01T00:00:00Z");
  record.ttl = std::chrono::hours{1};
  record.source = "boiler-house";
  record.device = "boiler-1";
  record.quality = "uncertain";
  record.token = FieldToken{.session = 1, .packet_id = 2, .content_hash = 3, .qos = 1, .spools = 1};
  record.headers = {{"a", "b"}};
  record.body = std::string("\0{}", 3);
  return record;
}

}  // namespace

TEST_CASE("a record reads back as it was written") {
  std::string bytes;
  encode(sample(), bytes);
  const Result<Record> back = decode_record(bytes);
  REQUIRE(back);
  CHECK(*back == sample());
  Record keyless = sample();
  keyless.key.reset();
  keyless.token.reset();
  bytes.clear();
  encode(keyless, bytes);
  CHECK(*decode_record(bytes) == keyless);
}

TEST_CASE("a record cut short, longer, newer or garbled is an error, never a crash") {
  std::string bytes;
  encode(sample(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_record(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode_record(bytes + "x"));
  std::string newer = bytes;
  newer[0] = 3;
  CHECK(decode_record(newer).error().code == Errc::unsupported);
  std::mt19937 random(2);
  for (int i = 0; i < 20000; ++i) {
    std::string garbled = bytes;
    garbled[random() % garbled.size()] = static_cast<char>(random());
    [[maybe_unused]] const Result<Record> any = decode_record(garbled);
  }
}

TEST_CASE("encoded records, one behind the other, are the bytes of the records with a token of their own") {
  Record first = sample();
  first.token.reset();
  Record second = first;
  second.sink = "alarms";
  second.priority = Priority::alarm;
  second.identity = "/0000000000000abc/7";
  second.headers.clear();
  EncodedRecords records;
  records.add(first);
  EncodedRecords others;
  others.add(second);
  records.add(others);
  REQUIRE(records.size() == 2);
  CHECK(records.at(0) == first);
  CHECK(records.at(1) == second);
  CHECK(records.sink(1) == "alarms");
  CHECK(records.priority(0) == Priority::high);
  CHECK(records.priority(1) == Priority::alarm);
  second.token = sample().token;
  std::string bytes;
  records.append_to(bytes, 1, second.token);
  std::string wanted;
  encode(second, wanted);
  CHECK(bytes == wanted);
  records.clear();
  CHECK(records.empty());
}

TEST_CASE("headers are those of S34 in the binding's spelling") {
  const std::string identity = identity_of("plant-7", Epoch{0xabc}, Sequence{42});
  CHECK(identity == "plant-7/0000000000000abc/42");
  const std::vector<Header> headers = headers_of(
      sample(), {.gateway = "plant-7", .identity = identity, .prefix = "ce_", .late = true, .with_key = true});
  const std::vector<Header> expected{{"ce_specversion", "1.0"},
                                     {"ce_id", identity},
                                     {"ce_source", "/railhead/plant-7/boiler-house"},
                                     {"ce_type", "railhead.reading"},
                                     {"ce_subject", "boiler-1"},
                                     {"ce_time", "2026-01-01T00:00:00Z"},
                                     {"content-type", "application/json"},
                                     {"rh-dup", "1"},
                                     {"rh-late", "1"},
                                     {"rh-clock", "unsynced"},
                                     {"rh-quality", "uncertain"},
                                     {"rh-key", "boiler-1"},
                                     {"a", "b"}};
  CHECK(headers == expected);
}

TEST_CASE("a dead letter reads back as it was written, and no prefix of it does") {
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.time = Time{Duration{5}};
  letter.source = "sensors";
  letter.rule = "r";
  letter.reason = "division by zero";
  letter.token = FieldToken{.session = 9, .packet_id = 1, .content_hash = 2, .qos = 2};
  letter.payload = "\xff\xfe";
  letter.cut = true;
  std::string bytes;
  encode(letter, bytes);
  CHECK(*decode_dead_letter(bytes) == letter);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_dead_letter(std::string_view(bytes).substr(0, size)));
  CHECK(describe(letter).find("payload_base64") != nullptr);
}
