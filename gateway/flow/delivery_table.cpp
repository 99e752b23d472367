#include "gateway/flow/delivery_table.h"

namespace railhead::flow {

const DeliveryTable::Entry* DeliveryTable::find(const FieldToken& token) const {
  const auto session = sessions_.find(token.session);
  if (session == sessions_.end()) return nullptr;
  const auto entry = session->second.find(token.packet_id);
  if (entry == session->second.end() || entry->second.content_hash != token.content_hash) return nullptr;
  return &entry->second;
}

std::optional<DeliveryTable::Entry> DeliveryTable::recognise(const FieldToken& token) const {
  if (!token.dup) return std::nullopt;
  const base::MutexLock lock(mutex_);
  const Entry* entry = find(token);
  return entry == nullptr ? std::nullopt : std::optional<Entry>(*entry);
}

std::optional<DeliveryTable::Entry> DeliveryTable::open(const FieldToken& token) const {
  const base::MutexLock lock(mutex_);
  const Entry* entry = find(token);
  return entry == nullptr || entry->qos != 2 ? std::nullopt : std::optional<Entry>(*entry);
}

void DeliveryTable::taken(const FieldToken& token, const Entry& entry) {
  const base::MutexLock lock(mutex_);
  sessions_[token.session][token.packet_id] = entry;
}

void DeliveryTable::recovered(const FieldToken& token, ports::SpoolId spool) {
  const base::MutexLock lock(mutex_);
  const auto bit = static_cast<std::uint8_t>(1u << static_cast<unsigned>(spool));
  Entry& entry = sessions_[token.session][token.packet_id];
  if (entry.content_hash != token.content_hash) entry = Entry{};
  entry.content_hash = token.content_hash;
  entry.qos = token.qos;
  entry.wanted = token.spools;
  entry.held = static_cast<std::uint8_t>(entry.held | bit);
}

void DeliveryTable::recovered_whole(const FieldToken& token) {
  const base::MutexLock lock(mutex_);
  if (find(token) != nullptr) {
    Entry& entry = sessions_[token.session][token.packet_id];
    entry.held = entry.wanted;
  }
}

bool DeliveryTable::forget(std::uint64_t session, std::uint16_t packet_id) {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.erase(packet_id) != 0;
}

bool DeliveryTable::forget_session(std::uint64_t session) {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  const bool any = !found->second.empty();
  sessions_.erase(found);
  return any;
}

std::size_t DeliveryTable::unacknowledged() const {
  const base::MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) {
    for (const auto& [packet_id, entry] : session) {
      if (entry.ticket != ports::Ticket{}) ++count;
    }
  }
  return count;
}

}  // namespace railhead::flow
