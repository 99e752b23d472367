// A batch that is taken in parts: what happens between them.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <utility>

#include "adapters/mqtt/batch.h"
#include "adapters/mqtt/source.h"
#include "adapters/mqtt/unwrap.h"
#include "gateway/base/mutex.h"
#include "tests/adapters/mqtt/scripted_broker.h"
#include "tests/adapters/mqtt/source_runner.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using test::eventually;

Publish message(std::uint16_t id, std::string_view payload, bool dup = false) {
  Publish made;
  made.qos = 1;
  made.packet_id = id;
  made.topic = "plant/pump/x";
  made.payload = payload;
  made.dup = dup;
  return made;
}

// Messages that come in one read and unpack to a part of a batch each; the test's own code runs as each is read.
struct LargeBatch {
  static constexpr std::uint16_t kMessages = 20;
  using OnRead = std::function<void(std::uint16_t id)>;  // on the source's thread, before the message is offered

  explicit LargeBatch(const OnRead& on_read) : settings(SourceRunner::settings(broker.url())) {
    settings.rows[0].payload = PayloadFormat::text;
    settings.rows[0].compression = Compression::zstd;
    settings.rows[0].time = std::make_shared<FixedExpression>([on_read](const Reading& reading) {
      on_read(reading.token->packet_id);
      return Value();
    });
  }
  void send(std::uint16_t from = 1, bool dup = false) {
    std::string packets;
    for (std::uint16_t id = from; id <= kMessages; ++id) {
      const std::string payload = zstd(std::string(Batch::kPartBytes, static_cast<char>(' ' + id)));
      encode(Version::v5, message(id, payload, dup), packets);
    }
    broker.send_raw(packets);
  }
  ScriptedBroker broker;
  SourceSettings settings;
};

// Opened by the test, passed on the source's thread; opens by itself before a failing test would hang.
class Gate {
 public:
  void open() {
    const base::MutexLock lock(mutex_);
    open_ = true;
  }
  void pass() const {
    eventually(20s, [&] { return is_open(); });
  }
  [[nodiscard]] bool is_open() const {
    const base::MutexLock lock(mutex_);
    return open_;
  }

 private:
  mutable base::Mutex mutex_;
  bool open_ RAILHEAD_GUARDED_BY(mutex_) = false;
};

TEST_CASE("what is durable of a batch is acknowledged while the rest of it is still being read") {
  Gate acknowledged;
  LargeBatch large([&](std::uint16_t id) {
    if (id == 3) acknowledged.pass();
  });
  SourceRunner runner(large.settings);
  large.broker.welcome();
  large.send();
  CHECK(large.broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(runner.intake.size() < LargeBatch::kMessages);
  acknowledged.open();
  for (std::uint16_t id = 2; id <= LargeBatch::kMessages; ++id) {
    CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  }
  CHECK(runner.intake.size() == LargeBatch::kMessages);
  CHECK(runner.intake.largest_offer() == 1);
}

TEST_CASE("a batch that takes longer than the keep-alive is pinged through, and nothing of it goes before the disk") {
  Gate pinged;
  LargeBatch large([&](std::uint16_t id) {
    if (id >= 10) return pinged.pass();
    eventually(100ms, [&] { return pinged.is_open(); });
  });
  large.settings.session.keep_alive_seconds = 1;
  SourceRunner runner(large.settings, true);
  large.broker.welcome();
  large.send();
  CHECK(std::holds_alternative<Pingreq>(large.broker.read()));
  CHECK(runner.intake.size() < LargeBatch::kMessages);
  pinged.open();
  REQUIRE(runner.reaches(LargeBatch::kMessages));
  CHECK(runner.intake.acknowledged_ids().empty());
  runner.intake.let_through();
  for (std::uint16_t id = 1; id <= LargeBatch::kMessages; ++id) {
    CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  }
}

TEST_CASE("a batch that the intake refuses in its midst goes on there, what came before is acknowledged") {
  SourceRunner* source = nullptr;
  bool refused = false;
  LargeBatch large([&](std::uint16_t id) {
    if (id == 5 && !std::exchange(refused, true)) source->intake.fail_with(Errc::full);
  });
  SourceRunner runner(large.settings);
  source = &runner;
  large.broker.welcome();
  large.send();
  for (std::uint16_t id = 1; id <= 4; ++id) CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  REQUIRE(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::degraded; }));
  CHECK(large.broker.silent(100));
  CHECK(runner.link.held() == LargeBatch::kMessages - 4);
  runner.intake.fail_with(std::nullopt);
  for (std::uint16_t id = 5; id <= LargeBatch::kMessages; ++id) {
    CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  }
  CHECK(runner.intake.size() == LargeBatch::kMessages);
  CHECK(runner.link.held() == 0);
  CHECK(runner.connected());
}

TEST_CASE(
    "a connection that is lost in the midst of a batch loses nothing of it, and what comes again is known or marked") {
  Gate closed;
  LargeBatch large([&](std::uint16_t id) {
    if (id == 3) closed.pass();
  });
  SourceRunner runner(large.settings);
  large.broker.welcome();
  large.send();
  CHECK(large.broker.read_ack(PacketType::puback).packet_id == 1);
  large.broker.close();
  closed.open();
  large.broker.welcome(true, false);
  CHECK(runner.intake.size() == LargeBatch::kMessages);
  large.send(2, true);
  for (std::uint16_t id = 2; id <= LargeBatch::kMessages; ++id) {
    CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  }
  CHECK(runner.intake.size() + runner.intake.redelivered() == 2 * LargeBatch::kMessages - 1);
  // Some whose acknowledgement was written, though it never arrived: nobody can tell that they are the same messages.
  const std::vector<Reading> readings = runner.intake.readings();
  for (std::size_t i = LargeBatch::kMessages; i < readings.size(); ++i) CHECK(readings[i].token->dup);
}

TEST_CASE("stopping in the midst of a batch acknowledges what is on disk, and the rest comes again") {
  Gate stopping;
  LargeBatch large([&](std::uint16_t id) {
    if (id == 3) stopping.pass();
  });
  large.settings.drain = 0ms;
  SourceRunner runner(large.settings);
  large.broker.welcome();
  large.send();
  CHECK(large.broker.read_ack(PacketType::puback).packet_id == 1);
  runner.thread.request_stop();
  stopping.open();
  runner.stop();
  const std::size_t taken = runner.intake.size();
  const std::vector<std::uint16_t> acknowledged = runner.intake.acknowledged_ids();
  CHECK(taken < LargeBatch::kMessages);
  CHECK(acknowledged.size() <= taken);
  runner.start(large.settings);
  large.broker.welcome(true);
  const auto next = static_cast<std::uint16_t>(acknowledged.size() + 1);
  large.send(next, true);
  for (std::uint16_t id = next; id <= LargeBatch::kMessages; ++id) {
    CHECK(large.broker.read_ack(PacketType::puback).packet_id == id);
  }
  CHECK(runner.intake.size() == LargeBatch::kMessages);
}

TEST_CASE("compressed payloads that unpack to too much are set aside a few at a time, too") {
  Gate acknowledged;
  constexpr std::uint16_t kMessages = 4;
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.rows[0].compression = Compression::zstd;
  settings.unpacked_bytes_max = Batch::kPartBytes;
  settings.rows[0].payload = PayloadFormat::text;
  settings.rows[0].time = std::make_shared<FixedExpression>([&](const Reading&) {
    acknowledged.pass();
    return Value();
  });
  SourceRunner runner(std::move(settings));
  broker.welcome();
  std::string packets;
  for (std::uint16_t id = 1; id < kMessages; ++id) {
    encode(Version::v5, message(id, zstd(std::string(Batch::kPartBytes + 1, 'x'))), packets);
  }
  encode(Version::v5, message(kMessages, zstd("the last")), packets);
  broker.send_raw(packets);
  for (std::uint16_t id = 1; id < kMessages; ++id) CHECK(broker.read_ack(PacketType::puback).packet_id == id);
  acknowledged.open();
  CHECK(broker.read_ack(PacketType::puback).packet_id == kMessages);
  CHECK(runner.intake.refused().size() == kMessages - 1);
}

}  // namespace
}  // namespace railhead::mqtt
