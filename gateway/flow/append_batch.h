// AppendBatch: what a batch of readings became, gathered group by group and appended to the spools it names, alarms
// first (S6, S11). An append that fails half-way can be tried again: a spool that took its part is not asked twice.
// Threads: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/flow/stores.h"
#include "gateway/ports/ticket.h"

namespace railhead::flow {

class AppendBatch {
 public:
  // Adds an entry to the group at hand; `encode` writes its payload to the given string.
  template <class Encode>
  void add(ports::SpoolId spool, spool::LaneId lane, std::uint8_t klass, bool internal, Encode encode) {
    const std::size_t from = bytes_.size();
    encode(bytes_);
    parts_[static_cast<std::size_t>(spool)].push_back({lane, klass, internal, false, from, bytes_.size() - from});
  }
  // What was added since the last call is one group in each spool.
  void end_group();

  // All parts, or the first error; then append again later.
  [[nodiscard]] Result<ports::Ticket> append(const Stores& stores);
  void clear();

 private:
  struct Part {
    spool::LaneId lane;
    std::uint8_t klass = 1;
    bool internal = false;
    bool ends_group = false;
    std::size_t from = 0;
    std::size_t size = 0;
  };
  std::string bytes_;
  std::array<std::vector<Part>, ports::kSpools> parts_;
  ports::Ticket ticket_;
  std::vector<spool::Entry> entries_;  // scratch
};

}  // namespace railhead::flow
