// SpoolDesk: what the control channel changes in the spools of the running gateway: replay, drop of an orphan lane,
// dead letters. Requests (beside "command"; numbers of records as text, so that they are exact):
//   spool_replay  {"lane","to"?,"alarms"?:true,"from"?,"through"?,"since"?,"until"?}  begins it; one at a time
//   replay_state  ->  {"running","appended","percent","error"}
//   spool_drop    {"lane"}                                     ->  {"dropped"}
//   dead_requeue  {"letters":["12",...]} or {"all":true}       ->  {"done","records","errors":[...]}
//   dead_drop     the same                                     ->  {"done","errors":[...]}
// Threads: answer() on the control socket's; a replay on its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/flow/pipeline.h"
#include "gateway/flow/replay.h"
#include "gateway/flow/requeue.h"
#include "gateway/message/value.h"

namespace railhead::app {

class SpoolDesk {
 public:
  using Today = std::function<flow::Requeue::Today()>;
  SpoolDesk(flow::Pipeline& pipeline, const system::Clock& clock, Today today);
  ~SpoolDesk();  // ends a replay
  SpoolDesk(const SpoolDesk&) = delete;
  SpoolDesk& operator=(const SpoolDesk&) = delete;

  // nullopt: another command.
  [[nodiscard]] std::optional<Result<std::string>> answer(std::string_view command, std::string_view line)
      RAILHEAD_EXCLUDES(mutex_);
  // What is under way ends soon with what it did so far: the thread that asked is waited for.
  void close() { closing_ = true; }

 private:
  struct State {
    bool running = false;
    std::uint64_t appended = 0;
    unsigned percent = 0;
    std::string error;
  };
  [[nodiscard]] Result<std::string> begin_replay(const Value& request) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::string replay_state() const RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<std::string> drop(const Value& request);
  [[nodiscard]] Result<std::string> letters(const Value& request, bool requeue);

  flow::Pipeline& pipeline_;
  const system::Clock& clock_;
  const Today today_;
  mutable base::Mutex mutex_;
  std::atomic<bool> closing_{false};
  State state_ RAILHEAD_GUARDED_BY(mutex_);
  std::jthread replay_;
};

// The options of a request; also what the command line asks with.
[[nodiscard]] Result<flow::ReplayOptions> replay_options(const Value& request);

}  // namespace railhead::app
