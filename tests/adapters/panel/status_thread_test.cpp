#include "adapters/panel/status_thread.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "gateway/system/descriptor.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/process.h"

namespace railhead::panel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct FakeServiceManager final : ServiceManager {
  void status(const std::string& line) override { lines.push_back(line); }
  void feed_watchdog() override { ++fed; }
  std::vector<std::string> lines;
  std::atomic<int> fed = 0;
};

struct Harness {
  test::ManualClock clock;
  test::CapturingReporter reporter;
  FakeServiceManager manager;
  status::Snapshot snapshot;
  int snapshots = 0;
  StatusThread thread{{.clock = clock,
                       .reporter = reporter,
                       .service_manager = manager,
                       .leds = nullptr,
                       .take_snapshot =
                           [this] {
                             ++snapshots;
                             return snapshot;
                           },
                       .every_second = {}}};
  void second() {
    clock.advance(seconds{1});
    thread.tick();
  }
};

TEST_CASE("a change of health is one event and one status line") {
  Harness harness;
  harness.second();
  harness.second();
  CHECK(harness.manager.lines == std::vector<std::string>{"good"});
  harness.snapshot.dead_letters.count = 1;
  harness.second();
  harness.second();
  CHECK(harness.reporter.lines() ==
        std::vector<std::string>{"health_changed from=good to=maintenance why=1 dead letter waits"});
  CHECK(harness.manager.lines.size() == 2);
  CHECK(harness.thread.health().state == status::HealthState::maintenance);
  harness.snapshot.dead_letters.count = 0;
  harness.second();
  CHECK(harness.reporter.count(status::Event::health_changed) == 2);
}

TEST_CASE("the watchdog starves when a part stalls and is fed again when it turns") {
  Harness harness;
  harness.snapshot.parts.push_back({.name = "spool", .since = seconds{1}});
  harness.second();
  CHECK(harness.manager.fed == 1);
  harness.snapshot.parts[0].since = status::kStallLimit + seconds{1};
  harness.second();
  CHECK(harness.manager.fed == 1);
  CHECK(harness.thread.health().state == status::HealthState::failure);
  harness.snapshot.parts[0].since = seconds{0};
  harness.second();
  CHECK(harness.manager.fed == 2);
}

TEST_CASE("ticks of the LED do not take snapshots") {
  Harness harness;
  harness.thread.tick();
  for (int i = 0; i < 8; ++i) {
    harness.clock.advance(kLedTick);
    harness.thread.tick();
  }
  CHECK(harness.snapshots == 3);
}

TEST_CASE("the LED shows the health and its failure is a reason") {
  const test::TemporaryDirectory root;
  root.write("green/brightness", "0");
  Harness harness;
  StatusLeds leds({.root = root.path(), .green = "green", .red = "red", .record = {}}, harness.reporter);
  StatusThread thread({.clock = harness.clock,
                       .reporter = harness.reporter,
                       .service_manager = harness.manager,
                       .leds = &leds,
                       .take_snapshot = [&] { return harness.snapshot; },
                       .every_second = {}});
  thread.tick();
  CHECK(test::read_file(root.path() + "/green/brightness") == "1");
  CHECK(harness.reporter.count(status::Event::led_failed) == 1);  // there is no red one
}

TEST_CASE("the thread ticks by itself and stops at once") {
  Harness harness;
  const system::SystemClock real;
  std::atomic<int> seconds_seen{0};
  StatusThread thread({.clock = real,
                       .reporter = harness.reporter,
                       .service_manager = harness.manager,
                       .leds = nullptr,
                       .take_snapshot = [] { return status::Snapshot{}; },
                       .every_second = [&] { ++seconds_seen; }});
  thread.start();
  CHECK(test::eventually(seconds{10}, [&] { return harness.manager.fed >= 2; }));
  thread.stop();
  CHECK(seconds_seen >= 2);
}

// A service manager that listens as systemd does.
struct NotifySocket {
  test::TemporaryDirectory folder;
  std::string path = folder.path() + "/notify";
  system::Descriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  NotifySocket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }
  std::string message() const {
    char text[4096];
    const ssize_t size = ::recv(socket.get(), text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string("nothing") : std::string(text, static_cast<std::size_t>(size));
  }
};

TEST_CASE("systemd hears readiness, status, watchdog, reload and the end") {
  const NotifySocket listener;
  ServiceManager manager;
  manager.ready();
  CHECK(listener.message() == "READY=1");
  manager.status("one\ntwo");
  CHECK(listener.message() == "STATUS=one two");
  manager.feed_watchdog();
  CHECK(listener.message() == "WATCHDOG=1");
  manager.reloading();
  const std::string reloading = listener.message();
  CHECK(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
  CHECK(std::stoll(reloading.substr(reloading.rfind('=') + 1)) > 0);
  manager.stopping();
  CHECK(listener.message() == "STOPPING=1");
}

TEST_CASE("without a service manager nothing happens") {
  ::unsetenv("NOTIFY_SOCKET");
  ServiceManager().ready();
  ::unsetenv("WATCHDOG_USEC");
  CHECK_FALSE(ServiceManager::watchdog_interval());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::unsetenv("WATCHDOG_PID");
  CHECK(ServiceManager::watchdog_interval() == seconds{30});
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace railhead::panel
