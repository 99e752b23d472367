// Keeps what was reported. Threads: any.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/status/reporter.h"

namespace railhead::test {

class CapturingReporter final : public status::Reporter {
 public:
  void report(status::Event event, status::Fields fields) override {
    std::string line(status::row_of(event).name);
    for (const status::FieldValue& field : fields) line += " " + std::string(field.name) + "=" + field.value;
    const base::MutexLock lock(mutex_);
    events_.push_back(event);
    lines_.push_back(std::move(line));
  }
  [[nodiscard]] std::size_t count(status::Event event) const {
    const base::MutexLock lock(mutex_);
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
  }
  // "event name=value ...", one a report.
  [[nodiscard]] std::vector<std::string> lines() const {
    const base::MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable base::Mutex mutex_;
  std::vector<status::Event> events_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<std::string> lines_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::test
