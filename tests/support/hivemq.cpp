#include "tests/support/hivemq.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/support/places.h"
#include "tests/support/upstream_seen.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

const std::string kSources = test::source_directory() + "/tests/brokers/java/hivemq";

// Made once by `argv` + the directory to make.
std::string made_once(const std::string& name, std::vector<std::string> argv, milliseconds at_most) {
  const std::string directory = test_cache() + "/" + name;
  const CacheLock lock(name);
  if (std::filesystem::exists(directory)) return directory;
  const std::string made = directory + "." + std::to_string(::getpid());
  for (std::string& argument : argv) {
    if (const std::size_t at = argument.find("DIRECTORY"); at != std::string::npos) argument.replace(at, 9, made);
  }
  const Ran ran = run(std::move(argv), at_most);
  if (ran.status != 0) {
    std::fprintf(stderr, "HiveMQ for tests: %s\n%s\n", name.c_str(), ran.output.c_str());
    std::abort();
  }
  std::filesystem::rename(made, directory);
  return directory;
}

}  // namespace

HiveMq::HiveMq() : port_(free_port()) {
  directory_.write("config/config.xml", "<hivemq><listeners><tcp-listener><port>" + std::to_string(port_) +
                                            "</port><bind-address>127.0.0.1</bind-address></tcp-listener></listeners>"
                                            "<anonymous-usage-statistics><enabled>false</enabled>"
                                            "</anonymous-usage-statistics></hivemq>");
  for (const char* folder : {"/data", "/extensions"}) std::filesystem::create_directory(directory_.path() + folder);
  start();
}

void HiveMq::start() {
  RAILHEAD_ASSERT(process_ == nullptr);
  const std::string jars = made_once(
      "hivemq-2024.3",
      {"mvn", "-q", "-B", "-f", kSources + "/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=DIRECTORY"},
      300s);
  const std::string version = std::to_string(base::crc32c(read_file(kSources + "/HiveMq.java")));
  const std::string classes = made_once(
      "hivemq-main-" + version, {"javac", "-cp", jars + "/*", "-d", "DIRECTORY", kSources + "/HiveMq.java"}, 60s);
  process_ = std::make_unique<Process>(std::vector<std::string>{"java", "-Xmx192m", "-XX:+UseSerialGC",
                                                                "-XX:TieredStopAtLevel=1", "-cp",
                                                                jars + "/*:" + classes, "HiveMq", directory_.path()});
  RAILHEAD_ASSERT(process_->wait_for("ready", 60s));
}

void HiveMq::stop() {
  process_->terminate(20s);
  process_.reset();
}

}  // namespace railhead::test
