#include "adapters/modbus/rtu.h"

#include <doctest/doctest.h>

#include "adapters/modbus/endpoint.h"
#include "gateway/base/bytes.h"

namespace railhead::modbus {
namespace {

std::string hex(std::string_view text) { return base::from_hex(text).value(); }

TEST_CASE("frames carry the check sum of the standard, its low byte first") {
  CHECK(crc16(hex("0207")) == 0x1241);  // MODBUS over Serial Line V1.02, 6.2.2: 41 12 on the wire
  std::string frame;
  encode_rtu_read(frame, {.unit = 0x11, .table = Table::holding, .address = 0x6b, .count = 3});
  CHECK(frame == hex("1103006b00037687"));
  CHECK(crc16(frame) == 0);
}

TEST_CASE("an answer is found behind noise, and none where its check sum is wrong") {
  const std::string answer = hex("1103 06 ae41 5652 4340 49ad");
  const auto plain = first_rtu_answer(answer);
  REQUIRE(plain);
  CHECK(plain->unit == 0x11);
  CHECK(plain->pdu == answer.substr(1, answer.size() - 3));
  CHECK(plain->size == answer.size());
  const std::string surrounded = hex("00ff1103") + answer + hex("77");
  const auto noisy = first_rtu_answer(surrounded);
  REQUIRE(noisy);
  CHECK(noisy->skipped == 4);
  CHECK(noisy->size == answer.size() + 4);
  CHECK(noisy->pdu == plain->pdu);
  // Noise that looks like the head of a long frame does not hold the answer back.
  const auto promising = first_rtu_answer(hex("1103fa") + answer);
  REQUIRE(promising);
  CHECK(promising->skipped == 3);
  const std::string refusal = hex("0a 81 02 b053");
  const auto exception = first_rtu_answer(refusal);
  REQUIRE(exception);
  CHECK(exception->pdu == hex("8102"));
  for (std::size_t i = 0; i < answer.size(); ++i) {
    CHECK_FALSE(first_rtu_answer(answer.substr(0, i)));
    std::string wrong = answer;
    wrong[i] = static_cast<char>(wrong[i] ^ 0x10);
    CHECK_FALSE(first_rtu_answer(wrong));
  }
  CHECK_FALSE(first_rtu_answer(""));
}

TEST_CASE("urls of serial lines and device servers") {
  const auto plain = parse_url("rtu:///dev/ttyUSB0");
  REQUIRE(plain);
  CHECK(plain->transport == Transport::rtu);
  CHECK(plain->text() == "/dev/ttyUSB0");
  CHECK(plain->serial == SerialOptions{});
  const auto full = parse_url(
      "rtu:///dev/ttyS1?baud=9600&parity=none&stop=2&data=8&rs485=low&delay_before=1ms&delay_after=2ms&echo=on");
  REQUIRE(full);
  CHECK(full->serial == SerialOptions{.baud = 9600,
                                      .parity = Parity::none,
                                      .data = 8,
                                      .stop = 2,
                                      .rs485 = Rs485::rts_low_on_send,
                                      .delay_before_ms = 1,
                                      .delay_after_ms = 2,
                                      .echo = true});
  // 11 bits at 9600 baud; above 19200 the gap is 1.75 ms.
  CHECK(full->serial.character().count() == 1'145'833);
  CHECK(full->serial.gap().count() == 4'010'415);
  CHECK(SerialOptions{.baud = 115200}.gap() == std::chrono::microseconds{1750});
  const auto server = parse_url("rtu+tcp://10.0.0.9:4001");
  REQUIRE(server);
  CHECK(server->transport == Transport::rtu_tcp);
  CHECK(server->text() == "10.0.0.9:4001");
  struct Row {
    const char* url;
    const char* why;
  };
  const Row rows[] = {{"rtu://ttyUSB0", "expected the path"},
                      {"rtu:///dev/ttyUSB0?baud=9601", "expected a baud of"},
                      {"rtu:///dev/ttyUSB0?parity=N", "parity is none, even or odd"},
                      {"rtu:///dev/ttyUSB0?bauds=9600", "unknown option 'bauds'"},
                      {"rtu:///dev/ttyUSB0?stop=3", "stop is 1 or 2"},
                      {"rtu:///dev/ttyUSB0?rs485=on", "rs485 is off, high or low"},
                      {"rtu:///dev/ttyUSB0?delay_after=2", "delay_after is a time of 0..1 s"},
                      {"rtu:///dev/ttyUSB0?", "unknown option ''"},
                      {"rtu+tcp://10.0.0.9", "needs a port"}};
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const auto endpoint = parse_url(row.url);
    REQUIRE_FALSE(endpoint);
    CHECK_MESSAGE(endpoint.error().what.find(row.why) != std::string::npos, endpoint.error().what);
  }
}

TEST_CASE("requests are found behind noise, whatever their function, and not before they are whole") {
  using namespace std::string_literals;
  for (const std::string& pdu : {"\x01\0\x04\0\x02"s, "\x03\0\x04\0\x02"s, "\x06\0\x04\x12\x34"s,
                                 "\x0f\0\x04\0\x03\x01\x05"s, "\x10\0\x04\0\x02\x04\x01\x02\x03\x04"s,
                                 "\x16\0\x04\0\x0f\0\x01"s, "\x17\0\x04\0\x01\0\x06\0\x01\x02\x01\x02"s}) {
    std::string line = "\x55\x03\x03"s;
    encode_rtu(line, 9, pdu);
    for (std::size_t size = 0; size < line.size(); ++size) CHECK_FALSE(first_rtu_request(line.substr(0, size)));
    const auto frame = first_rtu_request(line);
    REQUIRE(frame);
    CHECK(frame->unit == 9);
    CHECK(frame->pdu == pdu);
    CHECK(frame->skipped == 3);
    CHECK(frame->size == line.size());
    line[line.size() - 3] = static_cast<char>(line[line.size() - 3] ^ 1);
    CHECK_FALSE(first_rtu_request(line));
  }
}

}  // namespace
}  // namespace railhead::modbus
