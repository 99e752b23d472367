#include "gateway/flow/identifier_use.h"

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
  ++session.messages;
}

void IdentifierUse::next_spool() {
  for (auto& [id, session] : sessions_) session.last.clear();
}

bool IdentifierUse::counts_through(std::uint64_t session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && !found->second.reuses && found->second.messages >= kEnough;
}

}  // namespace railhead::flow
