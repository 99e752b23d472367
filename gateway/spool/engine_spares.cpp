// The engine's files that are used again (S5). A trimmed segment's file gets a name recovery removes, then, when that
// is durable, a blank's beginning; when that is durable it may become a segment. At every moment in between its old
// records are settled for good, and its new ones not yet acknowledged. The committer's thread alone.
#include "gateway/spool/engine.h"

namespace railhead::spool {
namespace {

constexpr std::size_t kSparesMax = 2;
// A blank's beginning is followed by zeros, so that a header that was just written ends in them.
constexpr std::size_t kBlankedBytes = 4096;

}  // namespace

Result<bool> Spool::Engine::keep_as_spare(const std::string& file, std::uint64_t bytes) {
  if (spares_.size() + renamed_spares_.size() >= kSparesMax || bytes < segment_bytes_ / 4 * 3 || bytes > segment_bytes_)
    return false;
  const std::string name = spare_name(*segment_number(file));
  if (!disk_.exists(path(file)) || disk_.exists(path(name))) return false;
  if (const Result<void> renamed = disk_.rename(path(file), path(name)); !renamed) return fail(renamed.error());
  renamed_spares_.push_back({name, bytes});
  spare_bytes_.fetch_add(bytes, std::memory_order_acq_rel);
  return true;
}

// Once their new names are durable.
Result<void> Spool::Engine::blank_spares() {
  while (!renamed_spares_.empty()) {
    const Spare spare = renamed_spares_.back();
    renamed_spares_.pop_back();
    std::string beginning = encode_blank(*segment_number(spare.file.substr(0, 16) + ".seg"));
    beginning.resize(kBlankedBytes, '\0');
    counts_.bytes_written += beginning.size();
    ++counts_.syncs;
    const auto file = disk_.open(path(spare.file), system::OpenMode::read_write);
    Result<void> blank = file ? Result<void>() : fail(file.error());
    if (blank) blank = (*file)->write_at(0, beginning);  // durable: the old header is gone
    if (blank) blank = (*file)->sync();                  // durable: nothing old is read from it again
    if (!blank) {
      spare_bytes_.fetch_sub(spare.bytes, std::memory_order_acq_rel);
      static_cast<void>(disk_.remove(path(spare.file)));
      return blank;
    }
    spares_.push_back(spare);
  }
  return {};
}

Result<void> Spool::Engine::remove_spares(std::size_t but) {
  while (spares_.size() > but) {
    removals_unsynced_ = true;
    if (Result<void> removed = disk_.remove(path(spares_.back().file)); !removed) return removed;
    spare_bytes_.fetch_sub(spares_.back().bytes, std::memory_order_acq_rel);
    spares_.pop_back();
  }
  return {};
}

// An empty name when there is none.
Spool::Engine::Spare Spool::Engine::take_spare() {
  if (spares_.empty()) return {};
  Spare spare = std::move(spares_.back());
  spares_.pop_back();
  spare_bytes_.fetch_sub(spare.bytes, std::memory_order_acq_rel);
  return spare;
}

}  // namespace railhead::spool
