#include "adapters/panel/led.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"

namespace railhead::panel {
namespace {

using status::HealthState;
using std::chrono::milliseconds;
using std::chrono::seconds;

BootTime at(Duration since) { return BootTime{seconds{1000} + since}; }

// A folder that looks like the kernel's LED class.
struct Board {
  test::TemporaryDirectory root;
  test::CapturingReporter reporter;

  void led(const std::string& name, const std::string& triggers, bool with_pattern_files) const {
    root.write(name + "/brightness", "77\n");
    root.write(name + "/max_brightness", "255\n");
    root.write(name + "/trigger", triggers);
    if (!with_pattern_files) return;
    root.write(name + "/pattern", "");
    root.write(name + "/repeat", "-1\n");
  }
  std::string read(const std::string& file) const { return test::read_file(root.path() + "/" + file); }
  void forget(const std::string& file) const { root.write(file, "untouched"); }
  LedOptions options(std::string green, std::string red) const {
    return {.root = root.path(), .green = std::move(green), .red = std::move(red), .record = root.path() + "/record"};
  }
};

// The lit slots of one period as text: G, R, or - .
std::string pattern_of(HealthState state, bool two_colours) {
  std::string text;
  for (Duration time{}; time < kLedPeriod; time += kLedTick) {
    const Lamps lit = lamps(state, at(time), two_colours);
    CHECK_FALSE((lit.green && lit.red));
    text += lit.green ? 'G' : lit.red ? 'R' : '-';
  }
  return text;
}

TEST_CASE("the four states as patterns of two LEDs and of one") {
  CHECK(pattern_of(HealthState::good, true) == "GGGGGGGG");
  CHECK(pattern_of(HealthState::maintenance, true) == "GGGG----");
  CHECK(pattern_of(HealthState::out_of_specification, true) == "RRRR----");
  CHECK(pattern_of(HealthState::failure, true) == "RRRRRRRR");
  CHECK(pattern_of(HealthState::good, false) == "GGGGGGGG");
  CHECK(pattern_of(HealthState::maintenance, false) == "GGGG----");
  CHECK(pattern_of(HealthState::out_of_specification, false) == "G-G-G-G-");
  CHECK(pattern_of(HealthState::failure, false) == "G-------");
}

TEST_CASE("with the pattern trigger a lit LED is lit for a span only and wound up again") {
  Board board;
  board.led("green", "[none] timer heartbeat pattern\n", true);
  StatusLeds leds(board.options("green", ""), board.reporter);
  leds.show(HealthState::good, at({}));
  CHECK(board.read("green/trigger") == "pattern");
  // Lit for 3 s, then a step to dark for good: repeat 1.
  CHECK(board.read("green/pattern") == "255 3000 255 0 0 1 0 0");
  CHECK(board.read("green/repeat") == "1");

  board.forget("green/pattern");
  board.forget("green/repeat");
  leds.show(HealthState::good, at(kDeadManRefresh - kLedTick));
  CHECK(board.read("green/repeat") == "untouched");
  leds.show(HealthState::good, at(kDeadManRefresh));
  CHECK(board.read("green/repeat") == "1");
  CHECK(board.read("green/pattern") == "untouched");

  leds.show(HealthState::maintenance, at(kDeadManRefresh + kLedTick));  // second half of the period: dark
  CHECK(board.read("green/pattern") == "0 1 0 1");
  static_assert(kDeadManRefresh * 2 < kDeadManSpan, "one late refresh must not be seen");
  CHECK(board.reporter.lines().empty());
}

TEST_CASE("without the pattern trigger plain brightness is used and the LEDs are recorded") {
  Board board;
  board.led("green", "[none] timer heartbeat\n", false);
  board.led("red", "none timer [heartbeat]\n", false);
  StatusLeds leds(board.options("green", "red"), board.reporter);
  leds.show(HealthState::failure, at({}));
  CHECK(board.read("red/trigger") == "none");
  CHECK(board.read("red/brightness") == "255");
  CHECK(board.read("green/brightness") == "0");
  CHECK(board.read("record") == board.root.path() + "/green\n" + board.root.path() + "/red\n");
  leds.show(HealthState::good, at(seconds{1}));
  CHECK(board.read("red/brightness") == "0");
  CHECK(board.read("green/brightness") == "255");
  CHECK(board.reporter.lines().empty());
}

TEST_CASE("when the trigger's files stay refused plain brightness takes over without a word") {
  Board board;
  board.led("green", "[none] pattern\n", false);  // the trigger is taken, its files never come
  StatusLeds leds(board.options("green", ""), board.reporter);
  for (Duration time{}; time < seconds{2}; time += kLedTick) leds.show(HealthState::good, at(time));
  CHECK(board.read("green/trigger") == "pattern");
  leds.show(HealthState::good, at(seconds{2}));
  CHECK(board.read("green/trigger") == "none");
  CHECK(board.read("green/brightness") == "255");
  CHECK(board.reporter.lines().empty());
  CHECK_FALSE(leds.failed());
}

TEST_CASE("a trigger that somebody took away is taken back") {
  Board board;
  board.led("green", "[none] pattern\n", true);
  StatusLeds leds(board.options("green", ""), board.reporter);
  leds.show(HealthState::good, at({}));
  std::filesystem::remove(board.root.path() + "/green/repeat");
  leds.show(HealthState::good, at(seconds{1}));
  CHECK(board.reporter.count(status::Event::led_failed) == 1);
  board.led("green", "[none] pattern\n", true);
  leds.show(HealthState::good, at(seconds{2}));
  CHECK(board.read("green/trigger") == "pattern");
  CHECK(board.read("green/pattern") == "255 3000 255 0 0 1 0 0");
  CHECK_FALSE(leds.failed());
}

TEST_CASE("dark at the end") {
  Board board;
  board.led("green", "[none] pattern\n", true);
  board.led("red", "[none]\n", false);
  {
    StatusLeds leds(board.options("green", "red"), board.reporter);
    leds.show(HealthState::failure, at({}));
    CHECK(board.read("red/brightness") == "255");
  }
  CHECK(board.read("red/brightness") == "0");
  CHECK(board.read("green/brightness") == "0");
}

// Error paths

TEST_CASE("an LED that is not there is one event, not one a tick, and no crash") {
  Board board;
  StatusLeds leds(board.options("nowhere", ""), board.reporter);
  for (int i = 0; i < 100; ++i) leds.show(HealthState::good, at(i * kLedTick));
  CHECK(board.reporter.count(status::Event::led_failed) == 1);
  CHECK(leds.failed());
  board.led("nowhere", "[none]\n", false);  // plugged in later
  leds.show(HealthState::good, at(seconds{60}));
  CHECK_FALSE(leds.failed());
  CHECK(board.read("nowhere/brightness") == "255");
}

TEST_CASE("a name that leaves the LED class is refused") {
  Board board;
  board.root.write("elsewhere/brightness", "5");
  LedOptions options = board.options("../elsewhere", "");
  std::filesystem::create_directory(board.root.path() + "/leds");
  options.root = board.root.path() + "/leds";
  StatusLeds leds(options, board.reporter);
  leds.show(HealthState::good, at({}));
  CHECK(board.reporter.count(status::Event::led_failed) == 1);
  CHECK(board.read("elsewhere/brightness") == "5");
}

}  // namespace
}  // namespace railhead::panel
