#include "adapters/mqtt/subscription_memory.h"

#include <algorithm>
#include <utility>

#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/source.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionWithoutQos = 1;

}  // namespace

std::uint64_t subscriptions_mark(const std::vector<std::string>& filters, const std::vector<std::uint8_t>& qos) {
  std::uint64_t mark = filters.size();
  for (std::size_t i = 0; i < filters.size(); ++i) mark = content_hash(filters[i], mark + qos[i]);
  return mark == 0 ? 1 : mark;
}

SubscriptionMemory::SubscriptionMemory(std::string_view note) {
  base::ByteReader reader(note);
  const std::uint8_t version = reader.u8();
  if (version != kVersion && version != kVersionWithoutQos) return;
  std::vector<Known> sessions;
  for (std::uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) {
    Known& known = sessions.emplace_back();
    known.session = reader.u64();
    if (version == kVersion) {
      known.began_with = reader.u64();
    } else {
      static_cast<void>(reader.u8());
    }
    for (std::uint64_t filters = reader.varint(); filters > 0 && reader.ok(); --filters) {
      known.filters.emplace_back(reader.text());
    }
  }
  if (reader.ok()) sessions_ = std::move(sessions);
}

std::vector<std::string> SubscriptionMemory::beyond(const std::vector<std::string>& wanted,
                                                    std::uint64_t session) const {
  std::vector<std::string> beyond;
  const auto is_in = [](const std::vector<std::string>& list, const std::string& filter) {
    return std::find(list.begin(), list.end(), filter) != list.end();
  };
  const bool is_known = knows(session);
  for (const Known& known : sessions_) {
    if (is_known ? known.session != session : !is_same_client(known.session, session)) continue;
    for (const std::string& filter : known.filters) {
      if (!is_in(wanted, filter) && !is_in(beyond, filter)) beyond.push_back(filter);
    }
  }
  return beyond;
}

bool SubscriptionMemory::knows(std::uint64_t session) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const Known& known) { return known.session == session; });
}

bool SubscriptionMemory::has_always_had(std::uint64_t mark, std::uint64_t session) const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [&](const Known& known) { return known.session == session && known.began_with == mark; });
}

void SubscriptionMemory::set(std::uint64_t session, std::vector<std::string> filters, std::uint64_t began_with) {
  std::erase_if(sessions_, [&](const Known& known) { return known.session == session; });
  if (sessions_.size() == kSessionsMost) sessions_.erase(sessions_.begin());
  sessions_.push_back({session, began_with, std::move(filters)});
}

bool SubscriptionMemory::forget_other_clients(std::uint64_t session) {
  return std::erase_if(sessions_, [&](const Known& known) { return !is_same_client(known.session, session); }) > 0;
}

std::string SubscriptionMemory::note() const {
  std::string note;
  base::ByteWriter writer(note);
  writer.u8(kVersion);
  writer.varint(sessions_.size());
  for (const Known& known : sessions_) {
    writer.u64(known.session);
    writer.u64(known.began_with);
    writer.varint(known.filters.size());
    for (const std::string& filter : known.filters) writer.text(filter);
  }
  return note;
}

}  // namespace railhead::mqtt
