#include "adapters/amqp/confirms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace railhead::test {
namespace {

using amqp::Answer;
using amqp::Confirms;

ports::Outgoing outgoing(std::uint64_t n) {
  ports::Outgoing one;
  one.place = {ports::SpoolId::telemetry, Sequence(n)};
  one.identity = "gw/0/" + std::to_string(n);
  one.record.body = "0123456789";
  return one;
}

// Says what came back: "3+" acked, "3-" nacked, "3r" acked after a return.
class Harness {
 public:
  explicit Harness(std::uint64_t count) {
    for (std::uint64_t n = 1; n <= count; ++n) CHECK(confirms.published(outgoing(n)) == n);
  }
  std::string ack(std::uint64_t tag, bool multiple = false) { return answer(tag, multiple, Answer::ack); }
  std::string nack(std::uint64_t tag, bool multiple = false) { return answer(tag, multiple, Answer::nack); }
  Confirms confirms;

 private:
  std::string answer(std::uint64_t tag, bool multiple, Answer answer) {
    std::string said;
    const bool known = confirms.answered(
        tag, multiple, answer, [&](const ports::Outgoing& one, Answer given, const std::string& returned) {
          said += (said.empty() ? "" : " ") + std::to_string(one.place.sequence.value()) +
                  (given == Answer::nack ? "-"
                   : returned.empty()    ? "+"
                                         : "r");
        });
    return known ? said : "unknown";
  }
};

TEST_CASE("single answers in order and out of order close each record once") {
  Harness harness(5);
  CHECK(harness.ack(1) == "1+");
  CHECK(harness.ack(4) == "4+");
  CHECK(harness.nack(3) == "3-");
  CHECK(harness.confirms.size() == 2);
  CHECK(harness.ack(4).empty());  // again: nothing
  CHECK(harness.ack(1).empty());
  CHECK(harness.ack(2) == "2+");
  CHECK(harness.ack(5) == "5+");
  CHECK(harness.confirms.size() == 0);
  CHECK(harness.confirms.bytes() == 0);
}

TEST_CASE("multiple covers every open tag up to its own, those answered before are left out") {
  Harness harness(6);
  CHECK(harness.ack(2) == "2+");
  CHECK(harness.ack(4, true) == "1+ 3+ 4+");
  CHECK(harness.nack(6, true) == "5- 6-");
  CHECK(harness.ack(6, true).empty());
}

TEST_CASE("multiple with tag 0 covers all that were published") {
  Harness harness(3);
  CHECK(harness.ack(0, true) == "1+ 2+ 3+");
  CHECK(harness.ack(0, true).empty());
}

TEST_CASE("a returned record says so when its ack comes") {
  Harness harness(3);
  CHECK(harness.confirms.returned("gw/0/2", "312 NO_ROUTE"));
  CHECK(harness.ack(3, true) == "1+ 2r 3+");
}

TEST_CASE("of two with the same identity each return marks one") {
  Confirms confirms;
  confirms.published(outgoing(1));
  confirms.published(outgoing(1));  // sent again before its answer
  CHECK(confirms.returned("gw/0/1", "no route"));
  CHECK(confirms.returned("gw/0/1", "no route"));
  CHECK_FALSE(confirms.returned("gw/0/1", "no route"));
  CHECK_FALSE(confirms.returned("gw/0/9", "no route"));
}

TEST_CASE("a tag that was never given is a fault of the peer") {
  Harness harness(2);
  CHECK(harness.ack(3) == "unknown");
  CHECK(harness.ack(3, true) == "unknown");
  CHECK(harness.ack(0) == "unknown");
  CHECK(harness.confirms.size() == 2);
}

TEST_CASE("random answers close every record exactly once") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  Confirms confirms;
  std::vector<int> closed(5'001, 0);
  std::uint64_t published = 0;
  std::size_t open_most = 0;
  const auto on_answer = [&](const ports::Outgoing& one, Answer, const std::string&) {
    ++closed[static_cast<std::size_t>(one.place.sequence.value())];
  };
  while (published < 5'000 || confirms.size() > 0) {
    if (published < 5'000 && random() % 3 != 0) {
      CHECK(confirms.published(outgoing(published + 1)) == published + 1);
      ++published;
    } else if (published > 0) {
      const std::uint64_t back = random() % 50;
      const std::uint64_t tag = published > back ? published - back : published;
      CHECK(confirms.answered(tag, random() % 2 == 0, random() % 5 == 0 ? Answer::nack : Answer::ack, on_answer));
    }
    open_most = std::max(open_most, confirms.size());
    CHECK(confirms.bytes() == confirms.size() * 10);
  }
  CHECK(open_most > 1);
  CHECK(std::all_of(closed.begin() + 1, closed.end(), [](int times) { return times == 1; }));
}

}  // namespace
}  // namespace railhead::test
