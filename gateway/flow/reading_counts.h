// ReadingCounts: the first equation of S14, per source, carried across restarts in the spool's note.
//
// Note, version 1 (little-endian): u8 version | varint sources | each: text name, then 9 varints in the order of
// ReadingLedger's members. An unknown version starts the counts afresh. Threads: any.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/mutex.h"
#include "gateway/base/time.h"
#include "gateway/status/ledger.h"

namespace railhead::flow {

class ReadingCounts {
 public:
  void restore(std::string_view note) RAILHEAD_EXCLUDES(mutex_);
  void add(const std::string& source, const status::ReadingLedger& more, BootTime now) RAILHEAD_EXCLUDES(mutex_);
  // Of the latest reading since the start of the process.
  [[nodiscard]] std::optional<BootTime> latest(const std::string& source) const RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::map<std::string, status::ReadingLedger> all() const RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::string note() const RAILHEAD_EXCLUDES(mutex_);

 private:
  mutable base::Mutex mutex_;
  std::map<std::string, status::ReadingLedger> sources_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<std::string, BootTime> latest_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
