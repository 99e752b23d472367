#include "adapters/mqtt/subscription_memory.h"

#include <algorithm>
#include <utility>

#include "adapters/mqtt/source.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

SubscriptionMemory::SubscriptionMemory(std::string_view note) {
  base::ByteReader reader(note);
  if (reader.u8() != kVersion) return;
  std::vector<Known> sessions;
  for (std::uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) {
    Known& known = sessions.emplace_back();
    known.session = reader.u64();
    known.from_its_beginning = reader.u8() == 1;
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

bool SubscriptionMemory::has_always_had(const std::vector<std::string>& filters, std::uint64_t session) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const Known& known) {
    return known.session == session && known.from_its_beginning && known.filters == filters;
  });
}

void SubscriptionMemory::set(std::uint64_t session, std::vector<std::string> filters, bool from_its_beginning) {
  std::erase_if(sessions_, [&](const Known& known) { return known.session == session; });
  if (sessions_.size() == kSessionsMost) sessions_.erase(sessions_.begin());
  sessions_.push_back({session, from_its_beginning, std::move(filters)});
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
    writer.u8(known.from_its_beginning ? 1 : 0);
    writer.varint(known.filters.size());
    for (const std::string& filter : known.filters) writer.text(filter);
  }
  return note;
}

}  // namespace railhead::mqtt
