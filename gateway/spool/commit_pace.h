// When the next commit is due (S13): the first append after an idle interval at once; then at the end of the interval
// or when enough bytes wait. Pure arithmetic on boot time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "gateway/base/time.h"

namespace railhead::spool {

class CommitPace {
 public:
  CommitPace(Duration interval, std::size_t bytes) : interval_(interval), bytes_(bytes) {}

  // How long to wait with `waiting` bytes appended and not committed; 0 when due.
  [[nodiscard]] Duration wait(BootTime now, std::size_t waiting) const {
    if (!last_ || waiting >= bytes_) return Duration{0};
    return std::max(Duration{0}, *last_ + interval_ - now);
  }
  void committed(BootTime began) { last_ = began; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  Duration interval_;
  std::size_t bytes_;
  std::optional<BootTime> last_;
};

}  // namespace railhead::spool
