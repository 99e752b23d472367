#include "adapters/mqtt/suspects.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <random>
#include <vector>

#include "gateway/status/link.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scripted_outlet.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using ports::Outgoing;

// The sink's loop and a broker, without either and without waiting.
class Rig {
 public:
  // True: it closes the connection upon this one.
  using Broker = std::function<bool(const Outgoing&)>;
  explicit Rig(Broker broker) : broker_(std::move(broker)) {}

  void append(const std::string& topic, std::size_t bytes = 1) {
    Record record;
    record.topic = topic;
    record.body.assign(bytes, 'x');
    outlet.append(std::move(record));
  }
  // Connections until all is done or `most` of them were made. More is appended by `feed`, called once a round.
  void run(
      std::size_t most, const std::function<void()>& feed = [] {}) {
    for (std::size_t n = 0; n < most && !outlet.done(); ++n) connection(feed);
  }
  [[nodiscard]] std::size_t out_of_order() const { return out_of_order_; }
  [[nodiscard]] Duration passed() const { return clock.boot_now() - begun_; }

  static constexpr std::size_t kWindow = 50;
  test::ManualClock clock;
  test::CapturingReporter reporter;
  status::LinkStatus link;
  test::ScriptedOutlet outlet;
  ports::Context context{"bus", "plant-7", clock, reporter, link};
  Suspects suspects{{}, context, outlet};
  bool acks_get_lost = false;  // with the connection: those of what came before the last record
  std::size_t connections = 0;

 private:
  void connection(const std::function<void()>& feed) {
    ++connections;
    clock.advance(1s);
    outlet.rewind();
    for (int quiet = 0; quiet < 300 && !outlet.done();) {
      feed();
      clock.advance(1ms);
      const BootTime now = clock.boot_now();
      const bool alone = suspects.one_at_a_time(now);
      if (alone) suspects.idle(now);
      ports::Limits limits;
      limits.records = alone ? 1 : kWindow;
      limits.wait = Duration::zero();
      std::vector<Outgoing> sent;
      const auto batch = outlet.next(limits, {});
      if (batch.empty()) {
        if (alone) suspects.none_given(now);
        clock.advance(500ms);
        ++quiet;
        continue;
      }
      for (const Outgoing& outgoing : batch) {
        const Suspects::Pass pass = suspects.pass(outgoing);
        if (pass == Suspects::Pass::skip) continue;
        sent.push_back(outgoing);
        sent.back().late = pass == Suspects::Pass::send_late;
      }
      if (!answers(sent)) return;
    }
  }

  bool answers(const std::vector<Outgoing>& sent) {
    std::size_t taken = 0;
    while (taken < sent.size() && !broker_(sent[taken])) ++taken;
    const bool closed = taken < sent.size();
    const std::size_t confirmed = closed && acks_get_lost ? 0 : taken;
    const bool watched = suspects.watches();
    for (std::size_t i = 0; i < confirmed; ++i) {
      const Outgoing& one = sent[i];
      auto& last = last_[one.record.topic];
      if (one.place < last && !one.late) ++out_of_order_;
      last = std::max(last, one.place);
      outlet.settle(one.place);
      if (watched) suspects.served(one.place, one.record.topic, clock.boot_now());
    }
    if (!closed) return true;
    Suspects::Loss loss;
    loss.why = "closed";
    loss.on_the_way = sent.size() - confirmed;
    loss.oldest = sent[confirmed].place;
    if (loss.on_the_way == 1) loss.alone = sent[confirmed];
    suspects.lost(loss, clock.boot_now());
    return false;
  }

  const Broker broker_;
  const BootTime begun_ = clock.boot_now();
  std::map<std::string, ports::Place> last_;
  std::size_t out_of_order_ = 0;
};

bool too_long(const Outgoing& outgoing) { return outgoing.record.body.size() > 100; }

TEST_CASE("a record upon which the broker closes is set aside; nothing overtakes it on its topic, others do not wait") {
  Rig rig(too_long);
  SUBCASE("") {}
  SUBCASE("and confirms are lost with the connection") { rig.acks_get_lost = true; }
  rig.append("a");
  rig.append("b", 1000);
  for (int n = 0; n < 40; ++n) rig.append(n % 2 == 0 ? "b" : "c");
  int more = 0;
  rig.run(100, [&] {
    if (more < 400 && rig.outlet.settled() + 25 > rig.outlet.appended() && ++more % 2 == 0) rig.append("c");
  });
  CHECK(rig.outlet.done());
  REQUIRE(rig.outlet.aside().size() == 1);
  CHECK(rig.outlet.aside().begin()->first == 2);
  CHECK(rig.outlet.aside().begin()->second.find("the broker closes the connection upon this record: 5 times in ") == 0);
  CHECK(rig.out_of_order() == 0);
  CHECK(rig.passed() < 2min);
  CHECK(rig.suspects.says().empty());
}

TEST_CASE("with one topic alone the records behind show that the broker serves") {
  Rig rig(too_long);
  for (int n = 1; n <= 60; ++n) rig.append("out", n == 3 || n == 4 ? 1000 : 1);
  rig.run(300);
  CHECK(rig.outlet.done());
  CHECK(rig.outlet.aside().size() == 2);
  CHECK(rig.out_of_order() == 0);
  CHECK(rig.passed() < 10min);
}

TEST_CASE("many topics with such records are all found") {
  Rig rig(too_long);
  for (int n = 0; n < 300; ++n) rig.append("out/" + std::to_string(n % 12), n % 25 == 7 ? 1000 : 1);
  int more = 0;
  rig.run(2000, [&] {
    if (++more % 50 == 0 && more < 100'000) rig.append("out/12");
  });
  CHECK(rig.outlet.aside().size() == 12);
  CHECK(rig.out_of_order() == 0);
}

TEST_CASE("the only record there is waits: without another one nobody can tell it from an outage") {
  Rig rig(too_long);
  rig.append("out", 1000);
  rig.run(50);
  CHECK_FALSE(rig.outlet.done());
  CHECK(rig.outlet.aside().empty());
  CHECK(rig.suspects.says().find("upon a record to 'out'") != std::string::npos);
  for (int n = 0; n < 60; ++n) rig.append("out");
  rig.run(50);
  CHECK(rig.outlet.done());
  CHECK(rig.outlet.aside().size() == 1);
}

// Error paths

TEST_CASE("an outage costs no record its place, whatever it closes upon and however long it lasts") {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const double chance = std::array{1.0, 0.9, 0.5, 0.2, 0.1}[seed % 5];
    const std::size_t topics = seed % 3 == 0 ? 1 : 1 + seed % 7;
    std::size_t closes = 100 + seed * 7 % 200;
    Rig rig([&](const Outgoing&) {
      if (closes == 0 || std::generate_canonical<double, 32>(random) >= chance) return false;
      --closes;
      return true;
    });
    for (int n = 0; n < 50; ++n) rig.append("out/" + std::to_string(random() % topics));
    rig.run(2000, [&] {
      if (closes > 0 && rig.outlet.appended() < 2'000 && random() % 4 == 0) {
        rig.append("out/" + std::to_string(random() % topics));
      }
      if (random() % 500 == 0) rig.suspects.outage(rig.clock.boot_now());
    });
    CHECK(rig.outlet.aside().empty());
    CHECK(rig.outlet.done());
    CHECK(rig.out_of_order() == 0);
    CHECK(rig.suspects.says().empty());
  }
}

TEST_CASE("a broker's word about itself, or an end with nothing on the way, undoes the suspicion") {
  Rig rig(too_long);
  rig.append("a", 1000);
  std::size_t rounds = 0;
  rig.run(400, [&] {
    if (++rounds % 3 == 0) rig.append("b");
    if (rounds % 40 == 0)
      rig.suspects.lost({.end = Suspects::End::other, .why = "shutting down"}, rig.clock.boot_now());
  });
  CHECK(rig.outlet.aside().empty());
}

}  // namespace
}  // namespace railhead::mqtt
