// SourceNotes: the note of each source (ports::Deliveries): an entry of the lane @state, replaced by the next one. It
// stays when the source goes: its session at a broker may, and a source of that name may come back.
//
// Threads: any.
#pragma once

#include <map>
#include <string>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/flow/open_state.h"
#include "gateway/flow/stores.h"

namespace railhead::flow {

class SourceNotes {
 public:
  SourceNotes(Stores& stores, OpenState& open_state);
  // Reads what an earlier life left. Once, before any source runs.
  [[nodiscard]] Result<void> recover() RAILHEAD_EXCLUDES(mutex_);

  [[nodiscard]] std::string of(const std::string& source) const RAILHEAD_EXCLUDES(mutex_);
  // The same again costs nothing. Errors: as Spool::append; then the one before stays.
  [[nodiscard]] Result<void> keep(const std::string& source, std::string note) RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Note {
    Sequence sequence;
    std::string text;
  };

  Stores& stores_;
  OpenState& open_state_;
  mutable base::Mutex mutex_;
  std::map<std::string, Note> notes_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
