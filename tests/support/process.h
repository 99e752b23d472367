// Children of a test: started with their output in a file, stopped by their own process id, always within a bound.
// Threads: one test's thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace railhead::test {

using std::chrono::milliseconds;

// Polls `condition` every few milliseconds until it holds or `at_most` passed. Says whether it held.
bool eventually(milliseconds at_most, const std::function<bool()>& condition);

// A loopback TCP port that was free a moment ago.
std::uint16_t free_port();

// Removed with all it holds at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  // Writes a file (directories are made) and gives its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);

class Process {
 public:
  struct Options {
    std::map<std::string, std::string> environment;  // added to our own
    std::string directory;                           // working directory, ours if empty
    std::string output;                              // file for stdout and stderr (appended); a temporary one if empty
    bool with_input = false;                         // stdin is a pipe for write_line(); else /dev/null
    bool own_group = false;                          // new session: signals go to the whole group (wrapper scripts)
  };

  // Aborts the test if the program cannot be started.
  Process(std::vector<std::string> argv, Options options);
  explicit Process(std::vector<std::string> argv) : Process(std::move(argv), Options{}) {}
  ~Process();  // kill -9 and wait if it still runs
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  // kill -9, then waits for its end.
  void kill9();
  // SIGTERM, waits at most that long, then kill -9. Gives the exit status, or nullopt if it had to be killed.
  std::optional<int> terminate(milliseconds at_most);
  // Waits for its own end; exit status, 128 + signal, or nullopt in time-out.
  std::optional<int> wait(milliseconds at_most);
  void write_line(const std::string& line) const;
  void close_input();
  std::string output() const;
  // Waits until `text` is in the output; false on time-out or if the process ended without it.
  bool wait_for(const std::string& text, milliseconds at_most);

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  bool own_group_ = false;
  std::optional<int> status_;
  std::string output_path_;
  bool remove_output_ = false;
};

// Runs to its end and gives status and output (stdout and stderr together).
struct Ran {
  int status = -1;
  std::string output;
};
Ran run(std::vector<std::string> argv, milliseconds at_most = std::chrono::seconds{60}, Process::Options options = {});

}  // namespace railhead::test
