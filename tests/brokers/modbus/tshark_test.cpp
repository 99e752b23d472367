// What we send, judged by Wireshark's dissectors: every kind of request, on TCP and as RTU frames over TCP, and what
// the simulator answers.
#include <doctest/doctest.h>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/rtu.h"
#include "adapters/modbus/simulated_unit.h"
#include "adapters/modbus/write.h"
#include "gateway/base/text.h"
#include "tests/support/process.h"
#include "tests/support/tcp_capture.h"

namespace railhead::modbus {
namespace {

// PDUs of every function: 1 to 4 at both ends of what may be asked, and all that writing makes.
std::vector<std::string> requests() {
  std::vector<std::string> pdus;
  for (const Table table : {Table::coil, Table::discrete, Table::holding, Table::input}) {
    for (const auto& [address, count] :
         {std::pair{0, 1},
          std::pair{holds_bits(table) ? 63536 : 65411, int{holds_bits(table) ? kBitsMax : kRegistersMax}}}) {
      std::string frame;
      encode_read(frame, 1,
                  {.unit = 1,
                   .table = table,
                   .address = static_cast<std::uint16_t>(address),
                   .count = static_cast<std::uint16_t>(count)});
      pdus.push_back(frame.substr(kHeaderSize));
    }
  }
  const auto point = [](Table table, std::uint16_t address, Type type, WriteFunction function) {
    Point made;
    made.name = "p";
    made.table = table;
    made.address = address;
    made.type = type;
    made.write = WriteLimits{.function = function};
    return made;
  };
  using Function = WriteFunction;
  std::vector<Point> points{point(Table::coil, 3, Type::boolean, Function::automatic),
                            point(Table::coil, 3, Type::boolean, Function::multiple),
                            point(Table::holding, 9, Type::uint16, Function::automatic),
                            point(Table::holding, 9, Type::uint16, Function::multiple),
                            point(Table::holding, 9, Type::float64, Function::automatic),
                            point(Table::holding, 9, Type::uint32, Function::read_write),
                            point(Table::holding, 9, Type::uint16, Function::automatic)};
  points.back().bits = BitField{.lowest = 4, .count = 3};
  for (const Point& one : points) {
    const Value value = one.type == Type::boolean   ? Value::boolean(true)
                        : one.type == Type::float64 ? Value::real(1.5)
                                                    : Value::integer(5);
    const Assignment assignment{.point = &one, .value = value};
    const auto steps = plan_writes(std::span(&assignment, 1), true);
    REQUIRE_MESSAGE(steps, steps.error().what);
    for (const WriteStep& step : *steps) pdus.push_back(step.pdu);
  }
  return pdus;
}

std::string shown_by_tshark(const std::string& file, const std::string& port, const std::string& as) {
  const test::Ran ran = test::run(
      {"tshark", "-n", "-r", file, "-d", "tcp.port==" + port + "," + as, "-o", "mbrtu.crc_verification:TRUE", "-T",
       "fields", "-e", "modbus.func_code", "-e", "_ws.malformed", "-e", "_ws.expert.message", "-e", "_ws.col.Info"},
      std::chrono::seconds{60});
  REQUIRE(ran.status == 0);
  return ran.output;
}

TEST_CASE("tshark accepts every request we send, on TCP and as RTU over TCP") {
  const std::vector<std::string> pdus = requests();
  const test::TemporaryDirectory directory;
  for (const bool rtu : {false, true}) {
    CAPTURE(rtu);
    test::TcpCapture capture(40'001, rtu ? 4001 : 502);
    std::uint16_t transaction = 0xfffe;
    for (const std::string& pdu : pdus) {
      std::string frame;
      if (rtu) {
        encode_rtu(frame, 17, pdu);
      } else {
        encode_frame(frame, ++transaction, 17, pdu);
      }
      capture.add(frame);
    }
    const std::string port = rtu ? "4001" : "502";
    const std::string as = rtu ? "mbrtu" : "mbtcp";
    const std::string output = shown_by_tshark(directory.write(as + ".pcap", capture.bytes()), port, as);
    std::size_t at = 0;
    for (const std::string_view line : base::split(output, '\n')) {
      if (line.empty() || line.find("Running as user") != std::string_view::npos) continue;
      CAPTURE(std::string(line));
      REQUIRE(at < pdus.size());
      CHECK(line.substr(0, line.find('\t')) == std::to_string(static_cast<unsigned char>(pdus[at++][0])));
      CHECK(line.find("alformed") == std::string_view::npos);
      CHECK(line.find("ncorrect") == std::string_view::npos);
      // Of a lone RTU frame of a few functions it cannot tell the direction.
      if (!rtu) CHECK(line.find("Query") != std::string_view::npos);
    }
    CHECK(at == pdus.size());
    // The dissector does see what is wrong.
    std::string broken;
    if (rtu) {
      encode_rtu(broken, 17, pdus[0]);
      broken.back() = static_cast<char>(broken.back() ^ 1);
    } else {
      encode_frame(broken, 9, 17, pdus[0].substr(0, 3));
    }
    test::TcpCapture wrong(40'002, rtu ? 4001 : 502);
    wrong.add(broken);
    const std::string seen = shown_by_tshark(directory.write("wrong.pcap", wrong.bytes()), port, as);
    CHECK_MESSAGE((seen.find("alformed") != std::string::npos || seen.find("ncorrect") != std::string::npos), seen);
  }
}

TEST_CASE("tshark accepts every answer of the simulator, and knows its exceptions") {
  SimulatedUnit unit(1);
  std::vector<Point> ends;
  for (const Table table : {Table::coil, Table::discrete, Table::holding, Table::input}) {
    for (const std::uint16_t address : {std::uint16_t{0}, std::uint16_t{65535}}) {
      ends.push_back({});
      ends.back().table = table;
      ends.back().address = address;
      ends.back().type = holds_bits(table) ? Type::boolean : Type::uint16;
      ends.back().name = std::to_string(ends.size());
    }
  }
  unit.add("d", ends);
  std::vector<std::string> pdus = requests();
  const std::size_t good = pdus.size();
  pdus.emplace_back("\x03\x00\x00\x00\x00", 5);  // none: exception 3
  pdus.emplace_back("\x2b\x0e\x01\x00", 4);      // a function it has not: exception 1
  const test::TemporaryDirectory directory;
  test::TcpCapture capture(40'003, 502);
  std::vector<std::string> answers;
  for (std::size_t i = 0; i < pdus.size(); ++i) {
    answers.push_back(unit.answer(pdus[i], 1));
    REQUIRE(!answers.back().empty());
    CHECK(((answers.back()[0] & 0x80) == 0) == (i < good));
    std::string frame;
    encode_frame(frame, static_cast<std::uint16_t>(i + 1), 17, pdus[i]);
    capture.add(frame);
    frame.clear();
    encode_frame(frame, static_cast<std::uint16_t>(i + 1), 17, answers.back());
    capture.add_answer(frame);
  }
  const std::string output = shown_by_tshark(directory.write("answers.pcap", capture.bytes()), "502", "mbtcp");
  std::size_t seen = 0;
  for (const std::string_view line : base::split(output, '\n')) {
    if (line.find("Response") == std::string_view::npos) continue;
    CAPTURE(std::string(line));
    REQUIRE(seen < answers.size());
    CHECK(line.substr(0, line.find('\t')) == std::to_string(answers[seen][0] & 0x7f));
    CHECK(line.find("alformed") == std::string_view::npos);
    CHECK((line.find("xception") != std::string_view::npos) == (seen >= good));
    ++seen;
  }
  CHECK(seen == answers.size());
}

}  // namespace
}  // namespace railhead::modbus
