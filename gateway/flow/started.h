// StartedRecords: which records a sink has begun to do, once (S33): entries of the lane @state in the spool of the
// record, so that one save of the lane states covers both. An entry is settled after its record; one whose record is
// gone when the gateway starts is settled then.
//
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <string>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/flow/stores.h"
#include "gateway/ports/sink.h"

namespace railhead::flow {

class StartedRecords {
 public:
  explicit StartedRecords(Stores& stores);
  // Reads what an earlier life left. Once, before any lane runs.
  [[nodiscard]] Result<void> recover() RAILHEAD_EXCLUDES(mutex_);

  // Appends the entry, or finds the one there is; it counts when it is durable. Errors: as Spool::append.
  [[nodiscard]] Result<Sequence> start(const std::string& sink, ports::Place place) RAILHEAD_EXCLUDES(mutex_);
  // Was it started in an earlier life?
  [[nodiscard]] bool before(const std::string& sink, ports::Place place) const RAILHEAD_EXCLUDES(mutex_);
  // The record is settled.
  void settled(const std::string& sink, ports::Place place) RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Entry {
    Sequence sequence;
    bool before = false;
  };
  using Key = std::pair<std::string, ports::Place>;

  Stores& stores_;
  std::array<spool::LaneId, 2> lanes_;  // by SpoolId: telemetry, alarms
  std::atomic<std::size_t> count_{0};
  mutable base::Mutex mutex_;
  std::map<Key, Entry> entries_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
