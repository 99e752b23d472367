#include "gateway/flow/append_batch.h"

#include <string_view>

namespace railhead::flow {

void AppendBatch::end_group() {
  for (std::vector<Part>& parts : parts_) {
    if (!parts.empty()) parts.back().ends_group = true;
  }
}

Result<ports::Ticket> AppendBatch::append(const Stores& stores) {
  for (const ports::SpoolId id : {ports::SpoolId::alarms, ports::SpoolId::telemetry, ports::SpoolId::dead}) {
    std::vector<Part>& parts = parts_[static_cast<std::size_t>(id)];
    if (parts.empty()) continue;
    entries_.clear();
    for (const Part& part : parts) {
      entries_.push_back({part.lane, part.klass, part.internal, part.ends_group,
                          std::string_view(bytes_).substr(part.from, part.size)});
    }
    const Result<Sequence> last = stores.of(id).append(entries_);
    if (!last) return fail(last.error());
    ticket_.through[static_cast<std::size_t>(id)] = *last;
    parts.clear();
  }
  return ticket_;
}

void AppendBatch::clear() {
  bytes_.clear();
  for (std::vector<Part>& parts : parts_) parts.clear();
  ticket_ = {};
}

}  // namespace railhead::flow
