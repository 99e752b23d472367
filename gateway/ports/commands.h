// Commands: values on their way from a sink to the source whose connection can write them (S33), so that one arbiter
// decides what goes over a link and when.
// CommandDesk: where a sink finds its source by name. One for a gateway; made and owned by gateway/app.
// Threads: submit() any; open() and close() the source's. A command's `done` is called on the source's thread, or
// within
//          submit(); never after close() returned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/value.h"

namespace railhead::ports {

struct CommandOutcome {
  enum class Result : std::uint8_t {
    done,     // the device confirmed it; with verify, what is read back is what was asked for
    refused,  // by us, before anything was sent: no such point, not writable, out of its limits
    failed,   // the device said no, or reads back something else
    expired,  // its time was over before anything was sent
    unknown,  // sent, and no answer came: it may have been carried out
  };
  Result result = Result::done;
  std::string why;
  Value read_back;  // map of points, with verify; otherwise null
};
[[nodiscard]] constexpr std::string_view name_of(CommandOutcome::Result result) {
  switch (result) {
    case CommandOutcome::Result::done: return "done";
    case CommandOutcome::Result::refused: return "refused";
    case CommandOutcome::Result::failed: return "failed";
    case CommandOutcome::Result::expired: return "expired";
    case CommandOutcome::Result::unknown: break;
  }
  return "unknown";
}

struct Command {
  std::string device;
  std::vector<std::pair<std::string, Value>> values;  // point -> value
  BootTime expires{};
  bool verify = false;
  std::function<void(CommandOutcome)> done;  // once
};

class CommandTaker {
 public:
  virtual ~CommandTaker() = default;
  // False when too many wait: nothing was taken.
  virtual bool take(Command& command) = 0;
};

class CommandDesk {
 public:
  void open(const std::string& source, CommandTaker& taker) {
    const base::MutexLock lock(mutex_);
    takers_[source] = &taker;
  }
  void close(const std::string& source) {
    const base::MutexLock lock(mutex_);
    takers_.erase(source);
  }
  // Errors: unavailable (the source does not run now), full.
  [[nodiscard]] Result<void> submit(const std::string& source, Command command) {
    const base::MutexLock lock(mutex_);
    const auto taker = takers_.find(source);
    if (taker == takers_.end()) return fail(Errc::unavailable, "source '" + source + "' does not run");
    if (!taker->second->take(command)) return fail(Errc::full, "too many commands wait at source '" + source + "'");
    return {};
  }

 private:
  base::Mutex mutex_;
  std::map<std::string, CommandTaker*> takers_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::ports
