#include "adapters/modbus/codec.h"

#include <doctest/doctest.h>

#include "gateway/base/bytes.h"

namespace railhead::modbus {
namespace {

std::string hex(std::string_view text) { return base::from_hex(text).value(); }

TEST_CASE("read requests are the frames of the standard's examples") {
  struct Row {
    ReadRequest request;
    std::uint16_t transaction;
    const char* frame;
  };
  const Row rows[] = {
      {{.unit = 17, .table = Table::coil, .address = 0x13, .count = 0x13}, 1, "0001 0000 0006 11 01 0013 0013"},
      {{.unit = 1, .table = Table::discrete, .address = 0xc4, .count = 0x16}, 2, "0002 0000 0006 01 02 00c4 0016"},
      {{.unit = 255, .table = Table::holding, .address = 0x6b, .count = 3}, 0xffff, "ffff 0000 0006 ff 03 006b 0003"},
      {{.unit = 0, .table = Table::input, .address = 65535, .count = 1}, 0, "0000 0000 0006 00 04 ffff 0001"},
  };
  for (const Row& row : rows) {
    std::string sent;
    encode_read(sent, row.transaction, row.request);
    CHECK(base::to_hex(sent) == base::to_hex(hex(row.frame)));
  }
}

TEST_CASE("a frame is found when it is whole, and not before") {
  const std::string bytes = hex("1501 0000 0009 11 03 06 022b 0000 0064 1502 0000");
  for (std::size_t size = 0; size < 15; ++size) {
    const auto frame = first_frame(std::string_view(bytes).substr(0, size));
    REQUIRE(frame);
    CHECK_FALSE(*frame);
  }
  const auto frame = first_frame(bytes);
  REQUIRE(frame);
  REQUIRE(*frame);
  CHECK((*frame)->transaction == 0x1501);
  CHECK((*frame)->unit == 0x11);
  CHECK((*frame)->size == 15);
  CHECK(base::to_hex((*frame)->pdu) == "0306022b00000064");
}

TEST_CASE("answers give their payload") {
  struct Row {
    ReadRequest request;
    const char* pdu;
    const char* payload;
  };
  const Row rows[] = {
      {{.unit = 1, .table = Table::coil, .address = 0, .count = 19}, "01 03 cd6b05", "cd6b05"},
      {{.table = Table::discrete, .count = 8}, "02 01 ac", "ac"},
      {{.table = Table::discrete, .count = 9}, "02 02 ac01", "ac01"},
      {{.table = Table::holding, .count = 3}, "03 06 022b00000064", "022b00000064"},
      {{.table = Table::input, .count = 1}, "04 02 000a", "000a"},
  };
  for (const Row& row : rows) {
    const std::string pdu = hex(row.pdu);
    const auto answer = parse_read(row.request, pdu);
    REQUIRE(answer);
    CHECK(answer->exception == 0);
    CHECK(base::to_hex(answer->payload) == row.payload);
  }
}

TEST_CASE("exceptions keep their code") {
  for (const unsigned code : {1u, 2u, 3u, 4u, 6u, 10u, 11u, 99u, 255u}) {
    const std::string pdu = {static_cast<char>(0x83), static_cast<char>(code)};
    const auto answer = parse_read({.table = Table::holding}, pdu);
    REQUIRE(answer);
    CHECK(answer->exception == code);
  }
  CHECK(exception_text(2) == "illegal data address");
  CHECK(exception_text(99) == "exception 99");
}

// Error paths

TEST_CASE("bytes that are no Modbus TCP are refused as early as they show") {
  for (const char* bytes : {
           "0001 0001",                  // protocol identifier
           "4854 5450 2f31",             // HTTP/1
           "0001 0000 0000",             // no unit
           "0001 0000 0001 11",          // no function
           "0001 0000 00ff 11 03",       // a PDU of 254
           "0001 0000 ffff 11 03 0102",  // far too long
       }) {
    const auto frame = first_frame(hex(bytes));
    REQUIRE_FALSE(frame);
    CHECK(frame.error().code == Errc::protocol);
  }
  // The longest and the shortest that are allowed.
  CHECK(first_frame(hex("0001 0000 00fe 11 03")));
  CHECK(first_frame(hex("0001 0000 0002 11 03")).value().value().pdu.size() == 1);
}

TEST_CASE("an answer to another question is refused") {
  struct Row {
    ReadRequest request;
    const char* pdu;
  };
  const Row rows[] = {
      {{.table = Table::holding, .count = 1}, ""},
      {{.table = Table::holding, .count = 1}, "03"},
      {{.table = Table::holding, .count = 1}, "04 02 0001"},       // another function
      {{.table = Table::holding, .count = 1}, "84 02"},            // another function's exception
      {{.table = Table::holding, .count = 1}, "83"},               // without code
      {{.table = Table::holding, .count = 1}, "83 00"},            // code 0
      {{.table = Table::holding, .count = 1}, "83 02 00"},         // too long
      {{.table = Table::holding, .count = 2}, "03 02 0001"},       // fewer registers than asked
      {{.table = Table::holding, .count = 1}, "03 04 0001 0002"},  // more
      {{.table = Table::holding, .count = 1}, "03 02 00"},         // shorter than it says
      {{.table = Table::holding, .count = 1}, "03 02 0001 00"},    // longer than it says
      {{.table = Table::coil, .count = 9}, "01 01 ff"},
      {{.table = Table::coil, .count = 8}, "01 02 ff00"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pdu);
    const std::string pdu = hex(row.pdu);
    const auto answer = parse_read(row.request, pdu);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::protocol);
  }
}

}  // namespace
}  // namespace railhead::modbus
