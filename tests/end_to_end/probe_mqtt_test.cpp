// `railhead probe mqtt` as it is typed wrongly; against a broker: tests/brokers/mqtt.
#include <doctest/doctest.h>

#include "tests/support/places.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

TEST_CASE("probe mqtt tells wrong input, exit status 1, from a broker that does not answer, 2") {
  const std::string nowhere = "mqtts://127.0.0.1:" + std::to_string(free_port());
  struct Row {
    std::vector<std::string> arguments;
    int status;
    std::string said;
  };
  const std::vector<Row> rows{
      {{nowhere, "a", "--ca", "/nowhere/ca.pem"}, 1, "/nowhere/ca.pem"},
      {{nowhere, "a", "--cert", "/nowhere/cert.pem", "--key", "/nowhere/key.pem"}, 1, "/nowhere/"},
      {{nowhere, "a", "--user", "u", "--password-file", "/nowhere/password"}, 1, "/nowhere/password"},
      {{nowhere, "pl#ant/x"}, 1, "the topic: 'pl#ant': a wildcard must be a whole level"},
      {{nowhere, "a"}, 2, "127.0.0.1"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> argv{test::build_directory() + "/railhead", "probe", "mqtt", "--for", "1s"};
    argv.insert(argv.end(), row.arguments.begin(), row.arguments.end());
    const Ran ran = run(argv, 30s);
    CAPTURE(ran.output);
    CHECK(ran.status == row.status);
    CHECK(ran.output.find(row.said) != std::string::npos);
  }
}
