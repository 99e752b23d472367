#include "tests/bench/support/gateway.h"

#include <filesystem>
#include <fstream>

#include "adapters/panel/control_client.h"
#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "gateway/message/json.h"
#include "gateway/message/record.h"
#include "gateway/spool/spool.h"
#include "tests/bench/support/measure.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/number_at.h"
#include "tests/support/places.h"

namespace railhead::bench {

Gateway::Gateway(const std::string& configuration, const std::string& commit, const std::vector<int>& cores) {
  static int next = 0;
  directory_ = test::build_directory() + "/bench-data/gateway-" + std::to_string(next++);
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ + "/railhead.yaml") << "version: 1\ngateway: bench\nspool: { path: " << directory_
                                               << "/spool, limit: 4 GiB, keep_free: 1 MiB, commit: " << commit << " }\n"
                                               << configuration;
  pin_to(cores);
  test::Process::Options options;
  options.output = directory_ + "/log";
  process_ = std::make_unique<test::Process>(
      std::vector<std::string>{test::build_directory() + "/railhead", "run", "-c", directory_ + "/railhead.yaml",
                               "--socket", directory_ + "/control.sock"},
      options);
  const bool up = test::eventually(std::chrono::seconds{20}, [&] {
    return !process_->running() || panel::ask(directory_ + "/control.sock", "status").has_value();
  });
  if (!up || !process_->running()) std::fprintf(stderr, "%s\n", log().c_str());
  RAILHEAD_ASSERT(up && process_->running());
}

Gateway::~Gateway() {
  process_.reset();
  std::filesystem::remove_all(directory_);
}

std::string Gateway::status() const {
  Result<std::string> answer = panel::ask(directory_ + "/control.sock", "status");
  return answer ? std::move(*answer) : std::string();
}

std::int64_t Gateway::number(const std::vector<std::string>& path) const {
  JsonParser parser;
  const Result<Value> document = parser.parse(status());
  return document ? test::number_at(*document, path) : -1;
}

void Gateway::stop() { (void)process_->terminate(std::chrono::seconds{30}); }

Gateway::Stored Gateway::stored() const {
  Stored stored;
  const auto disk = system::posix_disk();
  const system::SystemClock clock;
  test::CapturingReporter reporter;
  spool::SpoolOptions options;
  options.path = directory_ + "/spool/telemetry";
  options.limit = std::uint64_t{4} << 30;
  const auto spool = spool::Spool::open(*disk, clock, options, reporter);
  RAILHEAD_ASSERT(spool.has_value());
  std::uint64_t bytes = 0;
  const auto read = (*spool)->for_each(Sequence(1), [&](const spool::Frame& frame) {
    if (frame.internal) return;
    const Result<Record> record = decode_record(frame.payload);
    RAILHEAD_ASSERT(record.has_value());
    stored.checksum = base::crc32c(record->body, stored.checksum);
    bytes += frame.payload.size() + 44;
    ++stored.records;
  });
  RAILHEAD_ASSERT(read.has_value());
  if (stored.records > 0) stored.bytes_each = static_cast<double>(bytes) / static_cast<double>(stored.records);
  return stored;
}

}  // namespace railhead::bench
