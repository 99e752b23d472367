#include "gateway/flow/delivery_history.h"

#include <algorithm>
#include <utility>

#include "gateway/message/dead_letter.h"
#include "gateway/message/record.h"

namespace railhead::flow {

using ports::SpoolId;

// Appended no longer than kLookBack before `newest`; by boot time where both are of this boot.
bool DeliveryHistory::is_recent(const Moment& moment, const Moment& newest) {
  if (moment.booted && newest.booted) return *newest.booted - *moment.booted <= kLookBack;
  return newest.appended - moment.appended <= kLookBack;
}

bool DeliveryHistory::is_earlier(const Moment& one, const Moment& other) {
  if (one.booted && other.booted) return *one.booted < *other.booted;
  if (one.booted.has_value() != other.booted.has_value()) return other.booted.has_value();
  return one.appended < other.appended;
}

void DeliveryHistory::add(const spool::Frame& frame, const StateEntry& entry) {
  owed_.push_back({frame.sequence, moment_of(frame), *entry.token, entry.kind, false, false});
}

std::optional<DeliveryHistory::Heard> DeliveryHistory::hear(SpoolId id, const spool::Frame& frame) {
  Heard heard{frame.sequence, moment_of(frame), {}, {}, false, false};
  std::optional<FieldToken> token;
  if (frame.internal) {
    const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
    if (!entry) return std::nullopt;
    token = entry->token;
    heard.kind = entry->kind;
  } else if (id == SpoolId::dead) {
    const Result<DeadLetter> letter = decode_dead_letter(frame.payload);
    if (letter) token = letter->token;
  } else {
    const Result<Record> record = decode_record(frame.payload);
    if (record) token = record->token;
    heard.marked = record && (record->flags & kMaybeRepeat) != 0;
  }
  if (!token) return std::nullopt;
  heard.token = *token;
  return heard;
}

Result<void> DeliveryHistory::read(SpoolId id, const spool::Spool& spool) {
  constexpr std::uint64_t kFirstLook = 4096;  // records
  const std::uint64_t first = spool.usage().first.value();
  const std::uint64_t next = spool.next().value();
  // How far back kLookBack reaches is not known: ever larger steps, so that a start does not read the whole backlog.
  for (std::uint64_t look = kFirstLook;; look *= 4) {
    const std::uint64_t from = next > first + look ? next - look : first;
    std::optional<Moment> newest;
    std::optional<Moment> oldest;  // tells whether the look reached far enough
    std::size_t looked = 0;
    std::vector<Heard> heard;
    const auto visit = [&](const spool::Frame& frame) {
      newest = moment_of(frame);
      if (!oldest) oldest = newest;
      ++looked;
      const std::optional<Heard> one = hear(id, frame);
      if (!one) return;
      heard.push_back(*one);
      if (heard.size() > kHeardMax) heard.erase(heard.begin(), heard.begin() + kHeardMax / 2);
    };
    if (Result<void> read = spool.for_each(Sequence(from), visit); !read) return read;
    if (!newest) return {};
    const bool reached = from == first || !is_recent(*oldest, *newest);
    if (!reached && looked < kHeardMax / 2) continue;
    use_.next_spool();
    for (Heard& one : heard) {
      one.recent = is_recent(one.moment, *newest);
      if (!one.kind && !one.marked) use_.saw(one.token, one.moment.appended);
    }
    std::erase_if(heard, [](const Heard& one) { return !one.recent; });
    of(id) = std::move(heard);
    return {};
  }
}

void DeliveryHistory::play(const Heard& heard, SpoolId id, bool begins_group, DeliveryTable& table) {
  if (heard.kind != StateEntry::Kind::close) {
    table.recovered(heard.token, id, begins_group);
    // What other spools hold of it their frames would tell, but those of its time are not looked at.
    if (!heard.recent) table.recovered_whole(heard.token);
  } else if (heard.token.packet_id == 0) {
    static_cast<void>(table.forget_session(heard.token.session));
  } else {
    table.forget(heard.token.session, heard.token.packet_id);
  }
}

void DeliveryHistory::replay(DeliveryTable& table) {
  const auto is_before = [](const Heard& one, const Heard& other) { return one.sequence < other.sequence; };
  std::vector<Heard>& telemetry = of(SpoolId::telemetry);
  std::erase_if(owed_, [&](const Heard& one) {  // what is owed and recent was heard too
    return std::binary_search(telemetry.begin(), telemetry.end(), one, is_before);
  });
  telemetry.insert(telemetry.end(), owed_.begin(), owed_.end());
  std::sort(telemetry.begin(), telemetry.end(), is_before);

  // Each spool in its own order; between them the earlier one first.
  std::array<std::size_t, ports::kSpools> at{};
  for (;;) {
    std::optional<SpoolId> earliest;
    for (const SpoolId id : ports::kAllSpools) {
      const std::size_t place = at[static_cast<std::size_t>(id)];
      if (place == of(id).size()) continue;
      if (!earliest ||
          is_earlier(of(id)[place].moment, of(*earliest)[at[static_cast<std::size_t>(*earliest)]].moment)) {
        earliest = id;
      }
    }
    if (!earliest) break;
    const std::vector<Heard>& heard = of(*earliest);
    const std::size_t place = at[static_cast<std::size_t>(*earliest)]++;
    // The frames of one message stand together in a spool and were appended at once.
    const bool goes_on = place > 0 && heard[place - 1].moment.appended == heard[place].moment.appended &&
                         heard[place - 1].token.session == heard[place].token.session &&
                         heard[place - 1].token.packet_id == heard[place].token.packet_id;
    play(heard[place], *earliest, !goes_on, table);
  }
  table.forget_uncertain([this](std::uint64_t session) { return use_.counts_through(session); });
}

}  // namespace railhead::flow
