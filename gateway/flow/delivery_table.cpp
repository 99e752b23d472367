#include "gateway/flow/delivery_table.h"

#include <algorithm>

namespace railhead::flow {

const DeliveryTable::Entry* DeliveryTable::Session::find(std::uint16_t packet_id) const {
  const Page* page = pages_[packet_id / kPageEntries].get();
  const std::size_t index = packet_id % kPageEntries;
  return page != nullptr && page->used[index] ? &page->entries[index] : nullptr;
}

DeliveryTable::Entry& DeliveryTable::Session::at(std::uint16_t packet_id, std::unique_ptr<Page>& spare) {
  std::unique_ptr<Page>& page = pages_[packet_id / kPageEntries];
  if (page == nullptr) page = spare != nullptr ? std::move(spare) : std::make_unique<Page>();
  const std::size_t index = packet_id % kPageEntries;
  if (!page->used[index]) {
    page->used[index] = true;
    ++page->count;
    page->entries[index] = Entry{};
  }
  return page->entries[index];
}

bool DeliveryTable::Session::erase(std::uint16_t packet_id, std::unique_ptr<Page>& spare) {
  std::unique_ptr<Page>& page = pages_[packet_id / kPageEntries];
  const std::size_t index = packet_id % kPageEntries;
  if (page == nullptr || !page->used[index]) return false;
  page->used[index] = false;
  if (--page->count == 0) spare = std::move(page);  // none of it is used
  return true;
}

void DeliveryTable::Session::erase_if(const std::function<bool(const Entry&)>& goes, std::unique_ptr<Page>& spare) {
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    for (std::size_t i = 0; i < kPageEntries && pages_[page] != nullptr; ++i) {
      if (pages_[page]->used[i] && goes(pages_[page]->entries[i])) {
        erase(static_cast<std::uint16_t>(page * kPageEntries + i), spare);
      }
    }
  }
}

void DeliveryTable::Session::doubt() {
  for (const std::unique_ptr<Page>& page : pages_) {
    for (std::size_t i = 0; page != nullptr && i < kPageEntries; ++i) page->entries[i].doubted = page->used[i];
  }
}

bool DeliveryTable::Session::empty() const {
  return std::all_of(pages_.begin(), pages_.end(), [](const auto& page) { return page == nullptr; });
}

std::size_t DeliveryTable::Session::unacknowledged() const {
  std::size_t count = 0;
  for (const std::unique_ptr<Page>& page : pages_) {
    for (std::size_t i = 0; page != nullptr && i < kPageEntries; ++i) {
      if (page->used[i] && page->entries[i].ticket != ports::Ticket{}) ++count;
    }
  }
  return count;
}

const DeliveryTable::Entry* DeliveryTable::find(const FieldToken& token) const {
  const auto session = sessions_.find(token.session);
  if (session == sessions_.end()) return nullptr;
  const Entry* entry = session->second.find(token.packet_id);
  return entry != nullptr && entry->content_hash == token.content_hash ? entry : nullptr;
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
  if (entry == nullptr || entry->qos != 2 || (entry->doubted && !token.dup)) return std::nullopt;
  return *entry;
}

bool DeliveryTable::holds(std::uint64_t session, std::uint16_t packet_id) const {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.find(packet_id) != nullptr;
}

void DeliveryTable::taken(std::span<const Taken> many) {
  const base::MutexLock lock(mutex_);
  Session* session = nullptr;
  std::uint64_t known = 0;
  for (const Taken& one : many) {
    if (session == nullptr || known != one.token.session) {
      known = one.token.session;
      session = &sessions_[known];
    }
    session->at(one.token.packet_id, spare_) = one.entry;
  }
}

void DeliveryTable::recovered(const FieldToken& token, ports::SpoolId spool, bool begins_group) {
  const base::MutexLock lock(mutex_);
  const auto bit = static_cast<std::uint8_t>(1u << static_cast<unsigned>(spool));
  Entry& entry = sessions_[token.session].at(token.packet_id, spare_);
  if (entry.content_hash != token.content_hash || (begins_group && (entry.held & bit) != 0)) entry = Entry{};
  entry.content_hash = token.content_hash;
  entry.qos = token.qos;
  entry.wanted = token.spools;
  entry.held = static_cast<std::uint8_t>(entry.held | bit);
}

void DeliveryTable::recovered_whole(const FieldToken& token) {
  const base::MutexLock lock(mutex_);
  if (find(token) != nullptr) {
    Entry& entry = sessions_[token.session].at(token.packet_id, spare_);
    entry.held = entry.wanted;
  }
}

void DeliveryTable::forget_uncertain(const std::function<bool(std::uint64_t session)>& is_certain) {
  const base::MutexLock lock(mutex_);
  for (auto& [id, session] : sessions_) {
    if (is_certain(id)) continue;
    // What lacks a part was not acknowledged: its repeat brings the rest.
    session.erase_if([](const Entry& entry) { return entry.qos == 1 && (entry.wanted & ~entry.held) == 0; }, spare_);
  }
}

bool DeliveryTable::forget(std::uint64_t session, std::uint16_t packet_id) {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.erase(packet_id, spare_);
}

void DeliveryTable::forget(std::uint64_t session, std::span<const std::uint16_t> packet_ids) {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  for (const std::uint16_t packet_id : packet_ids) found->second.erase(packet_id, spare_);
}

bool DeliveryTable::forget_session(std::uint64_t session) {
  const base::MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  const bool any = !found->second.empty();
  sessions_.erase(found);
  return any;
}

void DeliveryTable::doubt(std::uint64_t session) {
  const base::MutexLock lock(mutex_);
  if (const auto found = sessions_.find(session); found != sessions_.end()) found->second.doubt();
}

std::size_t DeliveryTable::unacknowledged() const {
  const base::MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) count += session.unacknowledged();
  return count;
}

}  // namespace railhead::flow
