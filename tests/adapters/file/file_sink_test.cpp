#include "adapters/file/sink.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/file/file.h"
#include "adapters/file/line.h"
#include "adapters/file/line_file.h"
#include "gateway/config/document.h"
#include "gateway/message/json.h"
#include "tests/support/places.h"
#include "tests/support/sink_bench.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using status::Event;
using status::LinkStatus;

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::istringstream in(read_file(path));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

ports::Outgoing outgoing(Record record) {
  ports::Outgoing made;
  made.place = {ports::SpoolId::telemetry, Sequence(5)};
  made.identity = "gw/0/5";
  made.record = std::move(record);
  return made;
}

std::string line_of(Record record) {
  std::string line;
  file::LineWriter("gw").write(outgoing(std::move(record)), line);
  return line;
}

TEST_CASE("a record is one line with sink, topic, key, headers and body") {
  Record record = SinkBench::numbered(7, "t");
  record.body = R"({"n":7})";
  CHECK(line_of(record) ==
        R"({"sink":"plant","topic":"t","key":"d7","headers":{"ce_specversion":"1.0","ce_id":"gw/0/5",)"
        R"("ce_source":"/railhead/gw/sensors","ce_type":"railhead.reading","ce_subject":"d7",)"
        R"("ce_time":"2026-05-28T20:26:40.007Z","content-type":"application/json"},"body":{"n":7}})"
        "\n");
  record.key.reset();
  record.topic.clear();
  record.routing_key = "a.b";
  CHECK(line_of(record).starts_with(R"({"sink":"plant","topic":"","routing_key":"a.b","key":null,)"));
}

TEST_CASE("a body is embedded when it is JSON, else a text, else base64") {
  struct Row {
    std::string content_type;
    std::string body;
    std::string ends;
  };
  const std::vector<Row> rows{
      {"application/json", "{\n  \"a\": \"x\\ny\"\r\n}", "\"body\":{   \"a\": \"x\\ny\"  }}\n"},
      {"application/json; charset=utf-8", "[1]", "\"body\":[1]}\n"},
      {"application/senml+json", "[]", "\"body\":[]}\n"},
      {"application/json", "{broken", "\"body\":\"{broken\"}\n"},
      {"application/json", "", "\"body\":\"\"}\n"},
      {"application/json", "{} {}", "\"body\":\"{} {}\"}\n"},
      {"text/plain", "21.5", "\"body\":\"21.5\"}\n"},
      {"text/plain", "a\n\"b\"", "\"body\":\"a\\n\\\"b\\\"\"}\n"},
      {"application/octet-stream", std::string("\xff\x00", 2), "\"body_base64\":\"/wA=\"}\n"},
  };
  JsonParser parser;
  for (const Row& row : rows) {
    CAPTURE(row.body);
    Record record = SinkBench::numbered(1, "t");
    record.content_type = row.content_type;
    record.body = row.body;
    const std::string line = line_of(record);
    CHECK(line.ends_with(row.ends));
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(parser.parse(std::string_view(line).substr(0, line.size() - 1)).has_value());
  }
}

TEST_CASE("records are in the file when they are settled, in order") {
  const TemporaryDirectory directory;
  SinkBench bench;
  bench.append(1, 3'000, "t");
  bench.start(std::make_unique<file::FileSink>(file::FileOptions{.path = directory.path() + "/records.jsonl"},
                                               bench.context()));
  REQUIRE(bench.done(15s));
  const std::vector<std::string> lines = lines_of(directory.path() + "/records.jsonl");
  REQUIRE(lines.size() == 3'000);
  JsonParser parser;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Result<Value> document = parser.parse(lines[i]);
    REQUIRE(document.has_value());
    REQUIRE(document->find("body")->as_integer() == static_cast<std::int64_t>(i + 1));
  }
  CHECK(bench.link.state() == LinkStatus::State::up);
  CHECK(bench.reporter.count(Event::sink_connected) == 1);
}

TEST_CASE("a sink with nothing to do sleeps until there is something, and says until when") {
  const TemporaryDirectory directory;
  SinkBench bench;
  bench.start(std::make_unique<file::FileSink>(file::FileOptions{.path = directory.path() + "/records.jsonl"},
                                               bench.context()));
  REQUIRE(eventually(15s, [&] { return bench.link.last_progress() > bench.clock.boot_now() + 30s; }));
  bench.append(1, 1, "t");
  REQUIRE(bench.done(15s));
  CHECK(lines_of(directory.path() + "/records.jsonl").size() == 1);
}

TEST_CASE("rotation keeps so many files, the youngest is .1") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/r";
  file::LineFile file({.path = path, .rotate = 10, .keep = 2});
  for (const std::string line : {"aaaaaaa\n", "bbbbbbb\n", "ccccccc\n", "ddddddd\n"}) REQUIRE(file.append(line));
  CHECK(read_file(path) == "ddddddd\n");
  CHECK(read_file(path + ".1") == "ccccccc\n");
  CHECK(read_file(path + ".2") == "bbbbbbb\n");
  CHECK_FALSE(std::filesystem::exists(path + ".3"));
  REQUIRE(file.append("larger than ten bytes\n"));
  CHECK(read_file(path) == "larger than ten bytes\n");
}

TEST_CASE("a torn last line is cut off, as its record follows whole; what is not ours is ended and stays") {
  const std::string ours = line_of(SinkBench::numbered(1, "t"));
  const std::string large = R"({"sink":"plant","topic":")" + std::string(200'000, 't');
  struct Row {
    std::string before;
    std::string after;
  };
  const std::vector<Row> rows{
      {"", ""},
      {ours, ours},
      {ours + ours.substr(0, ours.size() - 1), ours},
      {ours + ours.substr(0, 20), ours},
      {ours + "{", ours},
      {ours.substr(0, 20), ""},
      {"{\"si", ""},
      {ours + large, ours},
      {large, ""},
      {"whole\nhal", "whole\nhal\n"},
      {"hal", "hal\n"},
      {ours + "{\"sinks\":1}", ours + "{\"sinks\":1}\n"},
      {std::string(100'000, 'x'), std::string(100'000, 'x') + "\n"},
      {ours + std::string(100'000, 'x') + "\n" + ours, ours + std::string(100'000, 'x') + "\n" + ours},
  };
  for (const Row& row : rows) {
    CAPTURE(row.before.substr(0, 300));
    const TemporaryDirectory directory;
    const std::string path = directory.write("r", row.before);
    file::LineFile file({.path = path, .rotate = 0, .keep = 0});
    REQUIRE(file.append("next\n"));
    CHECK(read_file(path) == row.after + "next\n");
  }
}

TEST_CASE("a file that was moved away is begun anew") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/r";
  file::LineFile file({.path = path, .rotate = 0, .keep = 0});
  REQUIRE(file.append("one\n"));
  std::filesystem::rename(path, path + ".old");
  REQUIRE(file.append("two\n"));
  CHECK(read_file(path) == "two\n");
  CHECK(read_file(path + ".old") == "one\n");
}

TEST_CASE("the sample is right") {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(
      read_file(test::source_directory() + "/adapters/file/sample.yaml"), "sample.yaml", diagnostics);
  const auto plan = file::sink_kind().read(document.root().find("audit").find("file"), diagnostics);
  CHECK(diagnostics.render() == "");
  CHECK(plan != nullptr);
  const config::Document without_path = config::Document::parse("keep: 3\n", "test.yaml", diagnostics);
  CHECK(file::sink_kind().read(without_path.root(), diagnostics) == nullptr);
  CHECK(diagnostics.error_count() == 1);
}

// Error paths

TEST_CASE("a path that cannot be opened is said, and used once it can") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/missing/r";
  SinkBench bench;
  bench.append(1, 10, "t");
  bench.start(std::make_unique<file::FileSink>(file::FileOptions{.path = path}, bench.context()));
  REQUIRE(bench.is_down(5s));
  CHECK(bench.link.why().find("No such file") != std::string::npos);
  CHECK(bench.outlet.settled() == 0);
  std::filesystem::create_directory(directory.path() + "/missing");
  REQUIRE(bench.done(10s));
  CHECK(lines_of(path).size() == 10);
  CHECK(bench.is_up(1s));
  CHECK(bench.reporter.count(Event::sink_lost) == 1);
}

TEST_CASE("a device is no file") {
  SinkBench bench;
  bench.append(1, 10, "t");
  bench.start(std::make_unique<file::FileSink>(file::FileOptions{.path = "/dev/full"}, bench.context()));
  REQUIRE(bench.is_down(5s));
  CHECK(bench.link.why() == "/dev/full is not a file");
  CHECK(bench.outlet.settled() == 0);
}

// Writes fail beyond this size while it lives, as on a full disk: the write that reaches the limit is cut short.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("what could not be written whole is cut off again") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/r";
  file::LineFile file({.path = path, .rotate = 0, .keep = 0});
  REQUIRE(file.append("first\n"));
  {
    const SizeLimit limit(100);
    CHECK_FALSE(file.append(std::string(200, 'x') + "\n").has_value());
    CHECK(read_file(path) == "first\n");
  }
  REQUIRE(file.append("second\n"));
  CHECK(read_file(path) == "first\nsecond\n");
}

}  // namespace
}  // namespace railhead::test
