// The real program as a child of a test: started on a configuration, watched through its control socket, killed.
// Threads: one test's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/message/value.h"
#include "tests/support/number_at.h"
#include "tests/support/process.h"

namespace railhead::test {

class GatewayProcess {
 public:
  // The configuration is written to railhead.yaml in `directory`; the spool must be configured as `spool` in it.
  GatewayProcess(const TemporaryDirectory& directory, const std::string& configuration);

  // Starts and waits until it answers on its control socket.
  void start();
  void kill9() { process_->kill9(); }
  std::optional<int> terminate(milliseconds at_most) { return process_->terminate(at_most); }
  Process& process() { return *process_; }
  const Process& process() const { return *process_; }
  static std::string program();
  std::string log() const { return read_file(log_path_); }

  // The status document, or nullopt when it does not answer.
  std::optional<Value> status() const;
  // Another command of the program, with this gateway's socket.
  Ran command(std::vector<std::string> arguments) const;

  std::string spool() const { return directory_.path() + "/spool"; }
  std::string config_path() const { return config_path_; }

 private:
  const TemporaryDirectory& directory_;
  std::string config_path_;
  std::string socket_path_;
  std::string log_path_;
  std::unique_ptr<Process> process_;
};

}  // namespace railhead::test
