// FileSink: appends the records of its outlet to a file, a batch at a time, and settles a batch after its fdatasync.
// Failure: the batch is cut off the file, the sink waits (exponentially), opens the file anew and rewinds.
// Stop:    at once; what was not settled is written at the next start.
// Threads: run() is the only one.
#pragma once

#include "adapters/file/config.h"
#include "gateway/ports/adapter.h"

namespace railhead::file {

class FileSink final : public ports::Sink {
 public:
  FileSink(FileOptions options, ports::Context context);
  void run(ports::Outlet& outlet, std::stop_token stop) override;

 private:
  FileOptions options_;
  ports::Context context_;
};

}  // namespace railhead::file
