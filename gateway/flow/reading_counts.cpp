#include "gateway/flow/reading_counts.h"

#include <array>

#include "gateway/base/bytes.h"

namespace railhead::flow {
namespace {

using status::ReadingLedger;
constexpr std::uint8_t kVersion = 1;
constexpr std::array<std::uint64_t ReadingLedger::*, 9> kTerms{
    &ReadingLedger::in,      &ReadingLedger::redelivered, &ReadingLedger::refused,
    &ReadingLedger::routed,  &ReadingLedger::absorbed,    &ReadingLedger::set_aside,
    &ReadingLedger::dropped, &ReadingLedger::filtered,    &ReadingLedger::unrouted};

}  // namespace

void ReadingCounts::restore(std::string_view note) {
  base::ByteReader reader(note);
  if (reader.u8() != kVersion) return;
  std::map<std::string, ReadingLedger> sources;
  for (std::uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) {
    ReadingLedger& ledger = sources[std::string(reader.text())];
    for (const auto term : kTerms) ledger.*term = reader.varint();
  }
  if (!reader.ok()) return;
  const base::MutexLock lock(mutex_);
  sources_ = std::move(sources);
}

void ReadingCounts::add(const std::string& source, const ReadingLedger& more, BootTime now) {
  const base::MutexLock lock(mutex_);
  sources_[source] += more;
  if (more.in > 0) latest_[source] = now;
}

std::optional<BootTime> ReadingCounts::latest(const std::string& source) const {
  const base::MutexLock lock(mutex_);
  const auto found = latest_.find(source);
  return found == latest_.end() ? std::nullopt : std::optional<BootTime>(found->second);
}

std::map<std::string, ReadingLedger> ReadingCounts::all() const {
  const base::MutexLock lock(mutex_);
  return sources_;
}

std::string ReadingCounts::note() const {
  const base::MutexLock lock(mutex_);
  std::string note;
  base::ByteWriter writer(note);
  writer.u8(kVersion);
  writer.varint(sources_.size());
  for (const auto& [name, ledger] : sources_) {
    writer.text(name);
    for (const auto term : kTerms) writer.varint(ledger.*term);
  }
  return note;
}

}  // namespace railhead::flow
