#include <cstdio>
#include <sstream>
#include <thread>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/source.h"
#include "gateway/base/assert.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "tests/bench/modbus/field.h"
#include "tests/bench/modbus/plant.h"
#include "tests/bench/modbus/pollers.h"
#include "tests/bench/support/measure.h"
#include "tests/support/process.h"

namespace railhead::bench {
namespace {

// Counts and compares; the clock of the measurement is the first and the last offer behind the warm-up.
class CountingIntake final : public ports::Intake, private ports::Deliveries {
 public:
  explicit CountingIntake(const Poll& poll) : poll_(poll), begin_(wall_seconds()) {
    for (const modbus::Point& point : plant_points(poll)) expected_.push_back(value_at(point.address));
  }
  Result<ports::Ticket> offer(std::span<const Reading> batch) override {
    const double now = wall_seconds();
    if (now - begin_ < poll_.warm_up) return ports::Ticket{};
    if (first_ == 0) {
      first_ = now;
      cpu_ = thread_cpu_seconds();
      return ports::Ticket{};
    }
    for (const Reading& reading : batch) {
      if (!reading.value.is(Kind::map)) continue;
      ++counted_.polls;
      std::size_t at = 0;
      for (const auto& [name, value] : reading.value.as_map()) {
        if (at >= expected_.size() || value.as_real() != static_cast<double>(expected_[at])) ++counted_.wrong;
        ++at;
      }
      if (at != expected_.size()) ++counted_.wrong;
      counted_.points += at;
    }
    polled.wrong = counted_.wrong;
    // Its processor time is a system call, which the others make once: not for each offer here either.
    if (now - taken_ < 0.02) return ports::Ticket{};
    taken_ = now;
    polled = counted_;
    polled.seconds = now - first_;
    polled.cpu = thread_cpu_seconds() - cpu_;
    return ports::Ticket{};
  }
  Result<ports::Ticket> refuse(const ports::RawInput&, const Error&) override { return ports::Ticket{}; }
  void ignored(std::uint64_t) override {}
  void repeated(std::uint64_t) override {}
  ports::Ticket durable() const override { return {}; }
  int durable_fd() const override { return -1; }
  std::optional<BootTime> next_due() const override { return {}; }
  ports::Deliveries& deliveries() override { return *this; }
  bool is_open(const FieldToken&) const override { return false; }
  ports::Ticket open_ticket(const FieldToken&) const override { return {}; }
  Result<ports::Ticket> close(std::uint64_t, std::uint16_t) override { return ports::Ticket{}; }
  void acknowledged(std::uint64_t, std::span<const std::uint16_t>) override {}
  void session_lost(std::uint64_t) override {}

  Polled polled;  // as it was taken last

 private:
  const Poll poll_;
  const double begin_;
  Polled counted_;
  double first_ = 0;
  double taken_ = 0;
  double cpu_ = 0;
  std::vector<float> expected_;
};

class Silent final : public status::Reporter {
 public:
  void report(status::Event, status::Fields) override {}
};

void print(const Polled& polled) {
  std::printf("%.6f %.6f %llu %llu %llu %llu\n", polled.seconds, polled.cpu,
              static_cast<unsigned long long>(polled.polls), static_cast<unsigned long long>(polled.points),
              static_cast<unsigned long long>(polled.checksum), static_cast<unsigned long long>(polled.wrong));
  std::fflush(stdout);
}

}  // namespace

int run_ours(const Poll& poll) {
  const system::SystemClock clock;
  Silent reporter;
  status::LinkStatus link;
  CountingIntake intake(poll);
  modbus::ModbusSource source(
      std::make_shared<const modbus::SourceOptions>(plant_source(poll)),
      {.name = "field", .gateway = "bench", .clock = clock, .reporter = reporter, .link = link});
  std::jthread thread([&](const std::stop_token& stop) { source.run(intake, stop); });
  std::this_thread::sleep_for(std::chrono::duration<double>(poll.warm_up + poll.seconds));
  thread = {};
  intake.polled.polls *= plant_blocks(poll).size();
  print(intake.polled);
  return 0;
}

std::string Poll::text() const {
  std::ostringstream text;
  text << port << ' ' << devices << ' ' << points << ' ' << scattered << ' ' << every_us << ' ' << seconds << ' '
       << warm_up;
  return text.str();
}

Poll Poll::parse(const std::string& text) {
  Poll poll;
  std::istringstream words(text);
  words >> poll.port >> poll.devices >> poll.points >> poll.scattered >> poll.every_us >> poll.seconds >> poll.warm_up;
  RAILHEAD_ASSERT(!words.fail());
  return poll;
}

std::optional<Polled> run_poller(const std::string& self, const std::string& kind, const Poll& poll, int core) {
  pin_to({core});
  test::Process process({self, kind, poll.text()});
  const auto status = process.wait(std::chrono::seconds{static_cast<int>(poll.seconds + poll.warm_up) + 30});
  if (status != 0) return std::nullopt;
  Polled polled;
  std::istringstream words(process.output());
  words >> polled.seconds >> polled.cpu >> polled.polls >> polled.points >> polled.checksum >> polled.wrong;
  if (words.fail() || polled.seconds <= 0) return std::nullopt;
  return polled;
}

}  // namespace railhead::bench
