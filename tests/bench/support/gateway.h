// The real program as a benchmark's peer: a process of its own on its own core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace railhead::bench {

class Gateway {
 public:
  // `configuration` without `spool:`, which is added: a directory on the build's disk, 4 GiB.
  Gateway(const std::string& configuration, const std::string& commit, const std::vector<int>& cores);
  ~Gateway();

  [[nodiscard]] int pid() const { return process_->pid(); }
  [[nodiscard]] std::string log() const { return test::read_file(directory_ + "/log"); }
  // A number of the status document, -1 when it does not answer.
  [[nodiscard]] std::int64_t number(const std::vector<std::string>& path) const;
  // Records all lanes have taken.
  [[nodiscard]] std::int64_t accepted() const { return number({"lanes", "0", "records", "accepted"}); }
  // fdatasyncs of the telemetry spool since its start.
  [[nodiscard]] std::int64_t syncs() const { return number({"spools", "0", "syncs"}); }
  [[nodiscard]] std::string status() const;  // JSON, empty when it does not answer
  // SIGTERM and wait.
  void stop();
  // After stop(): crc32c over the bodies of the telemetry's records in order, and bytes on disk per record.
  struct Stored {
    std::uint32_t checksum = 0;
    std::uint64_t records = 0;
    double bytes_each = 0;
  };
  [[nodiscard]] Stored stored() const;

 private:
  std::string directory_;
  std::unique_ptr<test::Process> process_;
};

}  // namespace railhead::bench
