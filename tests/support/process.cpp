#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::test {
namespace {

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

std::string temporary_name() {
  std::string name = (std::filesystem::temp_directory_path() / "railhead-test-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  RAILHEAD_ASSERT(fd >= 0);
  ::close(fd);
  return name;
}

}  // namespace

namespace {
// RAILHEAD_TEST_PATIENCE=20: every bound is twenty times as long, for emulators and loaded machines.
int patience() {
  const char* times = std::getenv("RAILHEAD_TEST_PATIENCE");
  return times == nullptr ? 1 : std::max(1, std::atoi(times));
}
}  // namespace

bool eventually(milliseconds at_most, const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + at_most * patience();
  // What happens at once is seen at once; what takes long is not asked for all the time.
  for (std::chrono::microseconds pause{50};; pause = std::min<std::chrono::microseconds>(pause * 2, milliseconds{5})) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() >= until) return condition();
    std::this_thread::sleep_for(pause);
  }
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  RAILHEAD_ASSERT(fd >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  RAILHEAD_ASSERT(::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  RAILHEAD_ASSERT(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "railhead-test-XXXXXX").string();
  RAILHEAD_ASSERT(::mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

std::string read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Process::Process(std::vector<std::string> argv, Options options)
    : own_group_(options.own_group), output_path_(options.output), remove_output_(options.output.empty()) {
  if (remove_output_) output_path_ = temporary_name();
  int pipe_fds[2] = {-1, -1};
  if (options.with_input) RAILHEAD_ASSERT(::pipe2(pipe_fds, O_CLOEXEC) == 0);

  std::vector<char*> arguments;
  for (std::string& argument : argv) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  pid_ = ::fork();
  RAILHEAD_ASSERT(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (own_group_) ::setsid();
    const int out = ::open(output_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int in = options.with_input ? pipe_fds[0] : ::open("/dev/null", O_RDONLY);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    ::execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "cannot start %s\n", arguments[0]);
    ::_exit(127);
  }
  if (options.with_input) {
    ::close(pipe_fds[0]);
    input_ = pipe_fds[1];
  }
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      own_group_(other.own_group_),
      status_(other.status_),
      output_path_(std::move(other.output_path_)),
      remove_output_(std::exchange(other.remove_output_, false)) {}

Process::~Process() {
  if (pid_ > 0) kill9();
  close_input();
  if (remove_output_) ::unlink(output_path_.c_str());
}

bool Process::running() {
  if (status_ || pid_ <= 0) return false;
  int raw = 0;
  if (::waitpid(pid_, &raw, WNOHANG) == pid_) status_ = status_of(raw);
  return !status_;
}

void Process::signal(int number) const {
  if (!status_ && pid_ > 0) ::kill(own_group_ ? -pid_ : pid_, number);
}

void Process::kill9() {
  // A wrapper may have ended while its group lives on.
  if (own_group_ && pid_ > 0) ::kill(-pid_, SIGKILL);
  if (!running()) return;
  signal(SIGKILL);
  int raw = 0;
  if (::waitpid(pid_, &raw, 0) == pid_) status_ = status_of(raw);
}

std::optional<int> Process::terminate(milliseconds at_most) {
  signal(SIGTERM);
  const std::optional<int> status = wait(at_most);
  if (!status) kill9();
  return status;
}

std::optional<int> Process::wait(milliseconds at_most) {
  eventually(at_most, [&] { return !running(); });
  return status_;
}

void Process::write_line(const std::string& line) const {
  const std::string bytes = line + "\n";
  RAILHEAD_ASSERT(::write(input_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

void Process::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

std::string Process::output() const { return read_file(output_path_); }

bool Process::wait_for(const std::string& text, milliseconds at_most) {
  eventually(at_most, [&] { return output().find(text) != std::string::npos || !running(); });
  return output().find(text) != std::string::npos;
}

Ran run(std::vector<std::string> argv, milliseconds at_most, Process::Options options) {
  Process process(std::move(argv), std::move(options));
  const std::optional<int> status = process.wait(at_most);
  if (!status) process.kill9();
  return {status.value_or(-1), process.output()};
}

}  // namespace railhead::test
