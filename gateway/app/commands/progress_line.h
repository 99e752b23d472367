// One line on a terminal that changes while something takes long; nothing in a pipe. Gone when the command says
// something else. Threads: one caller.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace railhead::app {

class ProgressLine {
 public:
  ProgressLine() = default;
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& what) {
    if (!terminal_) return;
    std::fprintf(stderr, "\r\033[K%s", what.c_str());
    shown_ = true;
  }
  void show_share(const std::string& what, std::uint64_t done, std::uint64_t all) {
    if (terminal_) show(what + ": " + std::to_string(all == 0 ? 100 : done * 100 / all) + " %");
  }
  void clear() {
    if (shown_) std::fputs("\r\033[K", stderr);
    shown_ = false;
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

}  // namespace railhead::app
