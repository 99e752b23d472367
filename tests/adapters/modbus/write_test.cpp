#include "adapters/modbus/write.h"

#include <doctest/doctest.h>

#include <cmath>

#include "adapters/modbus/link_commands.h"
#include "tests/support/manual_clock.h"

namespace railhead::modbus {
namespace {

using namespace std::chrono_literals;
using Ending = ports::CommandOutcome::Result;

Point writable(std::string name, Table table, std::uint16_t address, Type type, WriteLimits limits = {}) {
  Point point;
  point.name = std::move(name);
  point.table = table;
  point.address = address;
  point.type = type;
  point.write = std::move(limits);
  return point;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> 4]);
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

// The PDUs, a line.
std::string planned(const std::vector<Assignment>& assignments, bool verify = false) {
  const auto steps = plan_writes(assignments, verify);
  if (!steps) return "! " + steps.error().what;
  std::string text;
  for (const WriteStep& step : *steps) text += (text.empty() ? "" : " ") + hex(step.pdu);
  return text;
}

}  // namespace

TEST_CASE("each kind of point is written by its function: 5, 6, 15, 16, 22, 23") {
  const Point coil = writable("c", Table::coil, 4, Type::boolean);
  const Point next_coil = writable("d", Table::coil, 5, Type::boolean);
  const Point one = writable("r", Table::holding, 50, Type::uint16);
  const Point two = writable("f", Table::holding, 51, Type::float32);
  const Point multiple = writable("m", Table::holding, 50, Type::uint16, {.function = WriteFunction::multiple});
  const Point many_coils = writable("mc", Table::coil, 9, Type::boolean, {.function = WriteFunction::multiple});
  const Point both = writable("b", Table::holding, 60, Type::uint16, {.function = WriteFunction::read_write});
  Point bits = writable("x", Table::holding, 70, Type::uint16);
  bits.bits = BitField{4, 4};
  CHECK(planned({{&coil, Value::boolean(true)}}) == "050004ff00");
  CHECK(planned({{&coil, Value::boolean(false)}}) == "0500040000");
  CHECK(planned({{&next_coil, Value::boolean(true)}, {&coil, Value::boolean(false)}}) == "0f000400020102");
  CHECK(planned({{&many_coils, Value::boolean(true)}}) == "0f000900010101");
  CHECK(planned({{&one, Value::integer(215)}}) == "06003200d7");
  CHECK(planned({{&two, Value::real(1.0)}}) ==
        "100033000204"
        "3f800000");
  CHECK(planned({{&two, Value::real(1.0)}, {&one, Value::integer(215)}}) ==
        "100032000306"
        "00d73f800000");
  CHECK(planned({{&multiple, Value::integer(215)}}) ==
        "100032000102"
        "00d7");
  CHECK(planned({{&bits, Value::integer(9)}}) == "160046ff0f0090");
  CHECK(planned({{&both, Value::integer(7)}}, true) == "17003c0001003c0001020007");
  CHECK(planned({{&both, Value::integer(7)}}) == "10003c0001020007");
  CHECK(planned({{&one, Value::integer(215)}}, true) == "06003200d7 0300320001");
  CHECK(planned({{&next_coil, Value::boolean(true)}}, true) == "050005ff00 0100050001");
}

TEST_CASE("a value beyond its limits refuses the whole command before anything is made") {
  const Point free = writable("free", Table::holding, 1, Type::int16);
  const Point limited = writable("t", Table::holding, 2, Type::int16, {.min = 10, .max = 90, .step = 0.5});
  Point scaled = writable("s", Table::holding, 3, Type::int16, {.min = 10, .max = 90, .step = 0.5});
  scaled.scale = config::parse_decimal("0.1");
  const Point chosen =
      writable("v", Table::holding, 4, Type::uint16, {.values = {Value::integer(1), Value::integer(4)}});
  CHECK(planned({{&limited, Value::integer(9)}, {&free, Value::integer(1)}}) ==
        "! point 't': 9 is below the limit of 10.0");
  CHECK(planned({{&limited, Value::integer(91)}}) == "! point 't': 91 is above the limit of 90.0");
  CHECK(planned({{&limited, Value::real(std::nan(""))}}).starts_with("! point 't'"));
  CHECK(planned({{&limited, Value::text("20")}}) == "! point 't': expected a number, not \"20\"");
  CHECK(planned({{&scaled, Value::real(21.3)}}) == "! point 's': 21.3 is not on a step of 0.5");
  CHECK(planned({{&scaled, Value::real(21.5)}}) == "06000300d7");
  CHECK(planned({{&limited, Value::real(21.5)}}).find("lies between") != std::string::npos);
  CHECK(planned({{&chosen, Value::integer(4)}}) == "0600040004");
  CHECK(planned({{&chosen, Value::integer(2)}}) == "! point 'v': 2 is none of 1, 4");
  CHECK(planned({{&free, Value::integer(40000)}}).find("out of range") != std::string::npos);
}

TEST_CASE("what cannot be written says why") {
  CHECK(write_obstacle(writable("p", Table::input, 1, Type::int16))->find("only holding registers and coils") !=
        std::string::npos);
  CHECK(write_obstacle(writable("p", Table::discrete, 1, Type::boolean)));
  Point list = writable("p", Table::holding, 1, Type::int16);
  list.count = 3;
  CHECK(write_obstacle(list));
  Point wide = writable("p", Table::holding, 1, Type::uint32);
  CHECK(!write_obstacle(wide));
  wide.bits = BitField{15, 2};
  CHECK(write_obstacle(wide));
  CHECK(write_obstacle(writable("p", Table::holding, 1, Type::cp56)));
}

// One device with a setpoint; what came of each command, in order.
struct OneLink {
  OneLink() : commands(clock) {
    boiler.name = "boiler";
    boiler.unit = 3;
    boiler.points = {writable("setpoint", Table::holding, 50, Type::uint16, {.max = 100}),
                     writable("mode", Table::holding, 60, Type::uint16)};
    Point only_read = writable("temperature", Table::holding, 10, Type::int16);
    only_read.write.reset();
    boiler.points.push_back(only_read);
    commands.add(boiler);
  }
  void give(std::vector<std::pair<std::string, Value>> values, Duration ttl = 10s, bool verify = false,
            std::string device = "boiler") {
    commands.take({.device = std::move(device),
                   .values = std::move(values),
                   .expires = clock.boot_now() + ttl,
                   .verify = verify,
                   .done = [this](ports::CommandOutcome outcome) { outcomes.push_back(std::move(outcome)); }});
  }
  test::ManualClock clock;
  DeviceOptions boiler;  // outlives the commands
  std::vector<ports::CommandOutcome> outcomes;
  LinkCommands commands;
};

TEST_CASE("commands go in order, each once; the device's word decides") {
  OneLink link;
  link.give({{"setpoint", Value::integer(21)}});
  link.give({{"mode", Value::integer(2)}});
  const auto first = link.commands.next();
  REQUIRE(first);
  CHECK(first->unit == 3);
  CHECK(hex(first->pdu) == "0600320015");
  link.commands.answered(first->pdu);
  REQUIRE(link.outcomes.size() == 1);
  CHECK(link.outcomes[0].result == Ending::done);
  const auto second = link.commands.next();
  CHECK(hex(second->pdu) == "06003c0002");
  link.commands.answered(std::string_view("\x86\x06", 2));
  REQUIRE(link.outcomes.size() == 2);
  CHECK(link.outcomes[1].result == Ending::failed);
  CHECK(link.outcomes[1].why == "holding 60: device busy");
  CHECK(!link.commands.next());
}

TEST_CASE("no answer is unknown and is not sent again; a wrong confirmation is a failure") {
  OneLink link;
  link.give({{"setpoint", Value::integer(21)}});
  link.give({{"setpoint", Value::integer(22)}});
  REQUIRE(link.commands.next());
  link.commands.failed("no answer within 500 ms");
  REQUIRE(link.outcomes.size() == 1);
  CHECK(link.outcomes[0].result == Ending::unknown);
  const auto next = link.commands.next();
  CHECK(hex(next->pdu) == "0600320016");
  link.commands.answered(std::string_view("\x06\x00\x32\x00\x17", 5));
  CHECK(link.outcomes[1].result == Ending::failed);
  // "Still working on it", and a gateway's word that it passed the write on and heard nothing: it may be carried out.
  for (const char* exception : {"\x86\x05", "\x86\x0b"}) {
    link.give({{"setpoint", Value::integer(21)}});
    REQUIRE(link.commands.next());
    link.commands.answered(exception);
    CHECK(link.outcomes.back().result == Ending::unknown);
    CHECK(!link.commands.next());
  }
}

TEST_CASE("what has not begun in time is never sent; what is out is waited for") {
  OneLink link;
  link.give({{"setpoint", Value::integer(21)}}, 1s);
  link.give({{"mode", Value::integer(1)}}, 1s);
  REQUIRE(link.commands.next());
  link.clock.advance(2s);
  link.commands.expire();
  REQUIRE(link.outcomes.size() == 1);
  CHECK(link.outcomes[0].result == Ending::expired);
  link.commands.answered(std::string_view("\x06\x00\x32\x00\x15", 5));
  REQUIRE(link.outcomes.size() == 2);
  CHECK(link.outcomes[1].result == Ending::done);
  CHECK(!link.commands.next());
}

TEST_CASE("verify reads back, and says what it read") {
  OneLink link;
  link.give({{"setpoint", Value::integer(21)}}, 10s, true);
  const auto write = link.commands.next();
  link.commands.answered(write->pdu);
  CHECK(link.outcomes.empty());
  const auto read = link.commands.next();
  CHECK(hex(read->pdu) == "0300320001");
  link.commands.answered(std::string_view("\x03\x02\x00\x14", 4));
  REQUIRE(link.outcomes.size() == 1);
  CHECK(link.outcomes[0].result == Ending::failed);
  CHECK(link.outcomes[0].why == "holding 50: reads back differently");
  CHECK(*link.outcomes[0].read_back.find("setpoint") == Value::integer(20));
}

TEST_CASE("who asks for what may not be written is refused before anything is sent") {
  OneLink link;
  link.give({{"temperature", Value::integer(21)}});
  link.give({{"setpiont", Value::integer(21)}});
  link.give({{"mode", Value::integer(1)}, {"setpoint", Value::integer(101)}});
  link.give({});
  link.give({{"mode", Value::integer(1)}}, 10s, false, "pump");
  REQUIRE(link.outcomes.size() == 5);
  for (const auto& outcome : link.outcomes) CHECK(outcome.result == Ending::refused);
  CHECK(link.outcomes[0].why == "point 'temperature' may not be written: it has no `write`");
  CHECK(link.outcomes[1].why.find("did you mean 'setpoint'?") != std::string::npos);
  CHECK(!link.commands.waiting());
}

}  // namespace railhead::modbus
