#include "gateway/flow/source_notes.h"

#include <utility>
#include <vector>

#include "gateway/flow/each_owed.h"
#include "gateway/flow/state_entry.h"

namespace railhead::flow {

using ports::SpoolId;

SourceNotes::SourceNotes(Stores& stores, OpenState& open_state) : stores_(stores), open_state_(open_state) {}

Result<void> SourceNotes::recover() {
  std::vector<Sequence> replaced;
  const Result<void> read =
      each_owed(stores_.of(SpoolId::telemetry), open_state_.lane(SpoolId::telemetry), [&](const spool::Frame& frame) {
        const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
        if (!entry || entry->kind != StateEntry::Kind::note) return;
        const base::MutexLock lock(mutex_);
        Note& note = notes_[std::string(entry->source)];
        if (note.sequence != Sequence{}) replaced.push_back(note.sequence);
        note = {frame.sequence, std::string(entry->note)};
      });
  if (!read) return read;
  open_state_.remember(SpoolId::telemetry, std::move(replaced));
  return {};
}

std::string SourceNotes::of(const std::string& source) const {
  const base::MutexLock lock(mutex_);
  const auto found = notes_.find(source);
  return found == notes_.end() ? std::string() : found->second.text;
}

Result<void> SourceNotes::keep(const std::string& source, std::string text) {
  const base::MutexLock lock(mutex_);
  Note& note = notes_[source];
  if (note.text == text) return {};
  std::string payload;
  encode({.kind = StateEntry::Kind::note, .source = source, .note = text}, payload);
  const Result<Sequence> sequence = open_state_.append(payload);
  if (!sequence) return fail(sequence.error());
  // Settled later than at once: the new one must be durable then.
  if (note.sequence != Sequence{}) open_state_.remember(SpoolId::telemetry, {note.sequence});
  note = {*sequence, std::move(text)};
  return {};
}

}  // namespace railhead::flow
