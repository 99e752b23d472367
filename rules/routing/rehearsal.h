// Rehearsal: runs rules on given readings without a gateway, for `railhead try` and the tests beside the rules. Time
// passes as the readings say; at the end all windows close as if nothing more came.
// Threads: one owner.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/ports/router.h"

namespace railhead::routing {

class Rehearsal {
 public:
  struct Came {
    std::vector<Record> records;
    std::vector<ports::SetAside> set_aside;
  };
  explicit Rehearsal(std::unique_ptr<ports::RuleState> state) : state_(std::move(state)) {}

  // Replaces what is in `came`.
  void feed(const Reading& reading, Came& came);
  void finish(Came& came);

 private:
  void add(std::vector<ports::Group>& groups, Came& came);
  void close_due(BootTime now, Came& came);

  std::unique_ptr<ports::RuleState> state_;
  std::optional<Time> first_;
  BootTime now_{};
  ports::Routed routed_;
  std::vector<ports::Group> groups_;
};

}  // namespace railhead::routing
