#include "tests/bench/support/measure.h"

#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <sstream>

#include "tests/support/process.h"

namespace railhead::bench {
namespace {

double seconds_of(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

double wall_seconds() { return seconds_of(CLOCK_MONOTONIC); }
double process_cpu_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }
double thread_cpu_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

double named_threads_cpu_seconds(const std::string& prefix) {
  double total = 0;
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return 0;
  while (const dirent* task = readdir(tasks)) {
    const std::string directory = std::string("/proc/self/task/") + task->d_name;
    std::string name;
    std::ifstream(directory + "/comm") >> name;
    if (!name.starts_with(prefix)) continue;
    double nanoseconds = 0;
    std::ifstream(directory + "/schedstat") >> nanoseconds;
    total += nanoseconds / 1e9;
  }
  closedir(tasks);
  return total;
}

std::optional<double> cpu_seconds_of(int pid) {
  double total = 0;
  const std::string directory = "/proc/" + std::to_string(pid) + "/task";
  DIR* const tasks = opendir(directory.c_str());
  if (tasks == nullptr) return std::nullopt;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    double nanoseconds = 0;
    std::ifstream(directory + "/" + task->d_name + "/schedstat") >> nanoseconds;
    total += nanoseconds / 1e9;
  }
  closedir(tasks);
  return total;
}

std::uint64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  return 0;
}

bool pin_to(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

std::optional<double> system_calls_of(const std::vector<std::string>& arguments) {
  if (access("/usr/bin/strace", X_OK) != 0) return std::nullopt;
  const test::TemporaryDirectory directory;
  const std::string table = directory.path() + "/calls";
  std::vector<std::string> command{"/usr/bin/strace", "-f", "-qq", "-c", "-o", table, "/proc/self/exe"};
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return std::nullopt;
  command.back() = std::string(self, static_cast<std::size_t>(length));
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (test::run(command, std::chrono::minutes{3}).status != 0) return std::nullopt;
  // "% time seconds usecs/call calls [errors] syscall"; the line of the sum ends with "total".
  std::ifstream in(table);
  for (std::string line; std::getline(in, line);) {
    if (!line.ends_with("total")) continue;
    std::istringstream words(line);
    double share = 0;
    double seconds = 0;
    double each = 0;
    double calls = 0;
    if (words >> share >> seconds >> each >> calls) return calls;
  }
  return std::nullopt;
}

}  // namespace railhead::bench
