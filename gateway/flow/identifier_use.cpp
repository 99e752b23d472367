#include "gateway/flow/identifier_use.h"

#include <algorithm>

namespace railhead::flow {

void IdentifierUse::saw(const FieldToken& token, Time appended) {
  Session& session = sessions_[token.session];
  const auto [known, fresh] = session.last.try_emplace(token.packet_id, Last{session.messages, appended});
  if (!fresh) {
    // The frames of one message are appended at once, and no other can have its identifier before they are on disk.
    if (known->second.appended == appended) return;
    if (session.messages - known->second.message < kSoon) session.reuses = true;
    known->second = {session.messages, appended};
  }
  session.highest = std::max(session.highest, token.packet_id);
  if (!session.lowest || token.packet_id <= session.lowest->first) {
    session.lowest = {token.packet_id, appended};
  } else if (appended - session.lowest->second >= kSurelyFree) {
    session.passes_over_free = true;
  }
  ++session.messages;
}

void IdentifierUse::next_spool() {
  for (auto& [id, session] : sessions_) {
    session.last.clear();
    session.lowest.reset();
  }
}

bool IdentifierUse::counts_through(std::uint64_t session) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.reuses) return false;
  return found->second.passes_over_free || found->second.highest > kUnderWayMost;
}

}  // namespace railhead::flow
