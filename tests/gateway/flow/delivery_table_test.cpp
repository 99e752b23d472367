#include "gateway/flow/delivery_table.h"

#include <doctest/doctest.h>

using namespace railhead;
using flow::DeliveryTable;
using ports::SpoolId;

namespace {

FieldToken token(std::uint16_t packet_id, std::uint64_t content, bool dup, std::uint8_t qos = 1) {
  return {.session = 7, .packet_id = packet_id, .content_hash = content, .qos = qos, .dup = dup};
}

}  // namespace

TEST_CASE("a redelivery is recognised until its PUBACK was handed to the socket, and only with DUP") {
  DeliveryTable table;
  table.taken(token(1, 100, false), {.content_hash = 100, .qos = 1, .wanted = 1, .held = 1});
  CHECK(table.recognise(token(1, 100, true)));
  CHECK_FALSE(table.recognise(token(1, 100, false)));  // a new message that looks the same
  CHECK_FALSE(table.recognise(token(1, 101, true)));   // the identifier was used again
  CHECK_FALSE(table.recognise(token(2, 100, true)));
  CHECK(table.forget(7, 1));
  CHECK_FALSE(table.recognise(token(1, 100, true)));
}

TEST_CASE("a QoS 2 identifier is open until PUBREL, with or without DUP") {
  DeliveryTable table;
  table.taken(token(5, 1, false, 2), {.content_hash = 1, .qos = 2, .wanted = 1, .held = 1});
  CHECK(table.open(token(5, 1, false, 2)));
  CHECK_FALSE(table.open(token(5, 2, false, 2)));
  table.taken(token(6, 1, false), {.content_hash = 1, .qos = 1, .wanted = 1, .held = 1});
  CHECK_FALSE(table.open(token(6, 1, false)));
  table.doubt(7);
  CHECK(table.open(token(5, 1, true, 2)));
  CHECK_FALSE(table.open(token(5, 1, false, 2)));
  table.taken(token(5, 1, false, 2), {.content_hash = 1, .qos = 2, .wanted = 1, .held = 1});
  CHECK(table.open(token(5, 1, false, 2)));
  table.forget_session(7);
  CHECK_FALSE(table.open(token(5, 1, false, 2)));
}

TEST_CASE("recovered frames of one group add up; a newer message takes the identifier over") {
  DeliveryTable table;
  FieldToken spans = token(3, 9, false);
  spans.spools = 0b011;
  table.recovered(spans, SpoolId::alarms, true);
  const auto half = table.recognise(token(3, 9, true));
  REQUIRE(half);
  CHECK((half->wanted & ~half->held) == 0b001);  // the telemetry side is missing
  table.recovered(spans, SpoolId::telemetry, true);
  CHECK((table.recognise(token(3, 9, true))->wanted & ~table.recognise(token(3, 9, true))->held) == 0);
  // The same content again: one spool has it, the kill struck before the other.
  table.recovered(spans, SpoolId::alarms, true);
  table.recovered(spans, SpoolId::alarms, false);
  CHECK((table.recognise(token(3, 9, true))->wanted & ~table.recognise(token(3, 9, true))->held) == 0b001);
  FieldToken next = token(3, 10, false);
  next.spools = 1;
  table.recovered(next, SpoolId::telemetry, true);
  CHECK_FALSE(table.recognise(token(3, 9, true)));
  CHECK(table.recognise(token(3, 10, true))->held == 1);
}
