#include "adapters/amqp/confirms.h"

#include <utility>

namespace railhead::amqp {

std::uint64_t Confirms::published(ports::Outgoing outgoing) {
  bytes_ += outgoing.record.body.size();
  ++open_;
  entries_.push_back({.outgoing = std::move(outgoing), .returned = {}, .open = true});
  return first_ + entries_.size() - 1;
}

bool Confirms::returned(std::string_view identity, std::string reason) {
  // The broker returns a message just before it answers for it, so it is found near the front.
  for (Entry& entry : entries_) {
    if (entry.open && entry.returned.empty() && entry.outgoing.identity == identity) {
      entry.returned = std::move(reason);
      return true;
    }
  }
  return false;
}

bool Confirms::answered(std::uint64_t tag, bool multiple, Answer answer, const OnAnswer& on_answer) {
  const std::uint64_t next = first_ + entries_.size();
  if (multiple && tag == 0) {  // everything so far
    if (entries_.empty()) return true;
    tag = next - 1;
  }
  if (tag == 0 || tag >= next) return false;
  if (tag < first_) return true;
  const auto last = static_cast<std::size_t>(tag - first_);
  for (std::size_t i = multiple ? 0 : last; i <= last; ++i) close(entries_[i], answer, on_answer);
  while (!entries_.empty() && !entries_.front().open) {
    entries_.pop_front();
    ++first_;
  }
  return true;
}

void Confirms::close(Entry& entry, Answer answer, const OnAnswer& on_answer) {
  if (!entry.open) return;
  entry.open = false;
  --open_;
  bytes_ -= entry.outgoing.record.body.size();
  on_answer(entry.outgoing, answer, entry.returned);
  entry.outgoing = {};
}

}  // namespace railhead::amqp
