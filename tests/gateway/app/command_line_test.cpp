#include "gateway/app/command_line.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "gateway/system/descriptor.h"
#include "tests/support/process.h"

using namespace railhead;

namespace {

// What a command line prints on standard error.
std::string complaint_of(std::vector<std::string> words) {
  const test::TemporaryDirectory directory;
  const std::string file = directory.path() + "/stderr";
  words.insert(words.begin(), "railhead");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  std::fflush(stderr);
  const system::Descriptor before(::dup(STDERR_FILENO));
  {
    const system::Descriptor into(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::dup2(into.get(), STDERR_FILENO) >= 0);
  }
  const int exit_code = app::run_command_line(static_cast<int>(argv.size()), argv.data());
  std::fflush(stderr);
  REQUIRE(::dup2(before.get(), STDERR_FILENO) >= 0);
  CHECK(exit_code == 1);
  return test::read_file(file);
}

}  // namespace

TEST_CASE("a command that is not there is named, with the nearest that is") {
  CHECK(complaint_of({"frobnicate"}) == "railhead: no command 'frobnicate'\n'railhead --help' lists them\n");
  CHECK(complaint_of({"chek", "-c", "x"}) ==
        "railhead: no command 'chek'; did you mean 'check'?\n'railhead --help' lists them\n");
  CHECK(complaint_of({"probe", "modbsu"}) ==
        "railhead: no command 'probe modbsu'; did you mean 'probe modbus'?\n'railhead probe --help' lists them\n");
}
