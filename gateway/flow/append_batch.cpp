#include "gateway/flow/append_batch.h"

#include <string_view>

namespace railhead::flow {

ports::SpoolId spool_of(Priority priority) {
  return priority == Priority::alarm ? ports::SpoolId::alarms : ports::SpoolId::telemetry;
}

std::uint8_t klass_of(Priority priority) {
  return priority == Priority::low ? 0 : priority == Priority::normal ? 1 : 2;
}

void AppendBatch::end_group() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].empty()) parts_[i].back().ends_group = true;
    group_from_[i] = parts_[i].size();
  }
  group_bytes_from_ = bytes_.size();
  group_letters_from_ = letters_.size();
}

std::size_t AppendBatch::group_bytes(ports::SpoolId spool) const {
  const std::vector<Part>& parts = parts_[static_cast<std::size_t>(spool)];
  std::size_t bytes = 0;
  for (std::size_t i = group_from_[static_cast<std::size_t>(spool)]; i < parts.size(); ++i) {
    bytes += parts[i].size + spool::kFrameOverheadMax;
  }
  return bytes;
}

void AppendBatch::drop_group() {
  for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].resize(group_from_[i]);
  bytes_.resize(group_bytes_from_);
  letters_.resize(group_letters_from_);
}

std::size_t AppendBatch::chunk_end(const std::vector<Part>& parts, std::size_t from) {
  std::size_t bytes = 0;
  std::size_t end = from;
  for (std::size_t i = from; i < parts.size(); ++i) {
    bytes += parts[i].size + spool::kFrameOverheadMax;
    if (bytes > kAppendBytes && end > from) break;
    if (parts[i].ends_group) end = i + 1;
  }
  return end;
}

Result<ports::Ticket> AppendBatch::append(const Stores& stores) {
  for (const ports::SpoolId id : {ports::SpoolId::alarms, ports::SpoolId::dead, ports::SpoolId::telemetry}) {
    std::vector<Part>& parts = parts_[static_cast<std::size_t>(id)];
    std::size_t done = 0;
    while (done < parts.size()) {
      const std::size_t end = chunk_end(parts, done);
      entries_.clear();
      for (std::size_t i = done; i < end; ++i) {
        entries_.push_back({parts[i].lane, parts[i].klass, parts[i].internal, parts[i].ends_group,
                            std::string_view(bytes_).substr(parts[i].from, parts[i].size)});
      }
      const Result<Sequence> last = stores.of(id).append(entries_);
      if (!last) {
        parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(done));
        return fail(last.error());
      }
      ticket_.through[static_cast<std::size_t>(id)] = *last;
      for (std::size_t i = done; i < end; ++i) {
        if (parts[i].tag == 0) continue;
        placed_.push_back({id, Sequence(last->value() - (end - 1 - i)), parts[i].size, parts[i].tag});
      }
      done = end;
    }
    parts.clear();
    // Why wait: the entry that says the work is done must not be durable before its alarms are (S11).
    if (id == ports::SpoolId::alarms && alarms_first_) {
      if (Result<void> flushed = stores.of(id).flush(kAlarmsFirst); !flushed) return fail(flushed.error());
      alarms_first_ = false;
    }
  }
  return ticket_;
}

void AppendBatch::clear() {
  bytes_.clear();
  for (std::vector<Part>& parts : parts_) parts.clear();
  group_from_ = {};
  group_bytes_from_ = 0;
  letters_.clear();
  group_letters_from_ = 0;
  ticket_ = {};
  placed_.clear();
  alarms_first_ = false;
}

}  // namespace railhead::flow
