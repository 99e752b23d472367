// kill -9 of a process that writes to a real disk: what it was told to be durable is there, each time again.
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"

namespace railhead::spool {
namespace {

// Appends numbered records for ever and tells each durable watermark through the pipe; settles every other record.
[[noreturn]] void write_until_killed(SpoolHarness& h, int pipe_end) {
  h.open();
  const LaneId lane = h.spool->lane("sink");
  Sequence told;
  Sequence at(1);
  std::vector<Frame> frames;
  for (;;) {
    const std::string payload = "record " + std::to_string(h.spool->next().value());
    const Entry group[2] = {{lane, 1, false, false, payload}, {lane, 1, false, true, payload}};
    static_cast<void>(h.spool->append(group));
    ::usleep(50);  // a field is slower than a loop; the limit must not be reached
    if (told < h.spool->durable()) {
      told = h.spool->durable();
      const std::uint64_t value = told.value();
      if (::write(pipe_end, &value, sizeof value) != sizeof value) ::_exit(3);
    }
    frames.clear();
    if (const Result<Sequence> next = h.spool->read(lane, at, 100, 10000, frames)) at = *next;
    for (const Frame& frame : frames) {
      if (frame.sequence.value() % 2 == 0) h.spool->settle(lane, frame.sequence, Outcome::delivered);
    }
  }
}

TEST_CASE("after kill -9 all that was durable is there, in whole groups, and the ledger adds up") {
  SpoolHarness h(64 << 20, SpoolOptions::WhenFull::block);
  h.options.state_interval = std::chrono::milliseconds{10};
  std::random_device device;
  const unsigned seed = device();
  std::printf("kill seed %u\n", seed);
  std::mt19937 random(seed);
  std::uint64_t accepted = 0;
  for (int round = 0; round < 6; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) write_until_killed(h, ends[1]);
    ::close(ends[1]);
    std::uint64_t durable = 0;
    const int reports = 20 + static_cast<int>(random() % 200);
    for (int i = 0; i < reports; ++i) REQUIRE(::read(ends[0], &durable, sizeof durable) == sizeof durable);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    std::uint64_t last_told = 0;
    while (::read(ends[0], &last_told, sizeof last_told) == sizeof last_told) durable = last_told;
    ::close(ends[0]);

    h.open();
    INFO("round ", round, " durable ", durable);
    CHECK(h.spool->durable().value() >= durable);
    CHECK(h.spool->durable().value() % 2 == 0);  // groups of two
    const status::LaneLedger ledger = h.ledger("sink");
    CHECK(ledger.adds_up());
    CHECK(ledger.accepted == h.spool->durable().value());
    CHECK(ledger.accepted > accepted);
    accepted = ledger.accepted;
    CHECK(ledger.damaged == 0);
    const std::vector<Frame> owed = h.get("sink");
    CHECK(owed.size() == ledger.spooled);
    std::size_t odd = 0;
    for (const Frame& frame : owed) odd += static_cast<std::size_t>(frame.sequence.value() % 2);
    CHECK(odd == ledger.accepted / 2);  // these were never settled
    h.spool.reset();
  }
}

}  // namespace
}  // namespace railhead::spool
