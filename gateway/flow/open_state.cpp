#include "gateway/flow/open_state.h"

#include <algorithm>
#include <utility>

#include "gateway/flow/delivery_history.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr Duration kDoneKept = std::chrono::hours{24};  // then nobody does that work again

// Marks what a restatement replaced, and a restatement that does not end.
void mark_replaced(std::vector<OpenState::Recalled>& entries) {
  const std::size_t none = entries.size();
  std::size_t begin = none;  // of the restatement at hand
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].part == StateEntry::Part::begins) {
      for (std::size_t j = begin; j < i; ++j) entries[j].replaced = true;  // the one before did not end
      begin = i;
    } else if (entries[i].part == StateEntry::Part::ends && begin != none) {
      for (std::size_t j = 0; j < begin; ++j) entries[j].replaced = true;
      begin = none;
    }
    if (entries[i].part != StateEntry::Part::entry) entries[i].entry.clear();
  }
  for (std::size_t j = begin; j < entries.size(); ++j) entries[j].replaced = true;
}

}  // namespace

OpenState::OpenState(Stores& stores, const system::Clock& clock)
    : stores_(stores),
      clock_(clock),
      lane_(stores.of(SpoolId::telemetry).lane(kStateLane)),
      alarms_lane_(stores.of(SpoolId::alarms).lane(kStateLane)) {}

Result<void> OpenState::recover_state(SpoolId id, DeliveryHistory& history) {
  const spool::Spool& spool = stores_.of(id);
  Sequence from = spool.next();
  for (const spool::LaneInfo& lane : spool.lanes()) {
    if (lane.name == kStateLane) from = lane.first_unsettled;
  }
  if (from >= spool.next()) return {};
  const BootTime boot_now = clock_.boot_now();
  const auto age_of = [boot_now, now = clock_.now()](const spool::Frame& frame) {
    return std::max(Duration::zero(), frame.appended_boot ? boot_now - *frame.appended_boot : now - frame.appended);
  };
  return spool.for_each(from, [&](const spool::Frame& frame) {
    if (!frame.internal || frame.settled) return;
    const base::MutexLock lock(mutex_);
    const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
    if (entry && entry->kind == StateEntry::Kind::rules) {
      const Duration age = age_of(frame);
      recalled_[std::string(entry->source)].push_back(
          {frame.sequence, entry->part, false, age, entry->token.has_value(), std::string(entry->rules)});
      return;
    }
    if (entry && entry->kind == StateEntry::Kind::started) return;  // started.h settles it
    if (entry && entry->kind == StateEntry::Kind::note) return;     // and source_notes.h this
    if (entry && entry->token && id == SpoolId::telemetry) {
      history.add(frame, *entry);
      if (entry->kind == StateEntry::Kind::open) {
        note_opened(*entry->token, frame.sequence, boot_now);
      } else {
        note_closed(entry->token->session, entry->token->packet_id, frame.sequence, boot_now);
      }
      return;
    }
    if (entry && entry->kind == StateEntry::Kind::done) {
      const Duration age = age_of(frame);
      done_.emplace(entry->identity, frame.sequence);
      if (age < kDoneKept) return;
    }
    kept_.push_back({id, {frame.sequence}, boot_now});
  });
}

Result<void> OpenState::recover(DeliveryTable& table) {
  DeliveryHistory history;
  for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms}) {
    if (Result<void> state = recover_state(id, history); !state) return state;
  }
  for (const SpoolId id : ports::kAllSpools) {
    if (Result<void> read = history.read(id, stores_.of(id)); !read) return read;
  }
  history.replay(table);
  return {};
}

std::vector<OpenState::Recalled> OpenState::take_recalled(const std::string& source) {
  const base::MutexLock lock(mutex_);
  const auto found = recalled_.find(source);
  if (found == recalled_.end()) return {};
  std::vector<Recalled> taken = std::move(found->second);
  recalled_.erase(found);
  mark_replaced(taken);
  return taken;
}

std::size_t OpenState::drop_unclaimed() {
  std::vector<Sequence> over;
  std::size_t dropped = 0;
  {
    const base::MutexLock lock(mutex_);
    for (auto& [source, entries] : recalled_) {
      mark_replaced(entries);
      for (const Recalled& entry : entries) {
        over.push_back(entry.sequence);
        if (!entry.replaced && entry.part == StateEntry::Part::entry) ++dropped;
      }
    }
    recalled_.clear();
  }
  if (!over.empty()) stores_.of(SpoolId::telemetry).settle(lane_, over, spool::Outcome::dropped);
  return dropped;
}

bool OpenState::is_done(std::uint64_t identity) const {
  const base::MutexLock lock(mutex_);
  return done_.contains(identity);
}

void OpenState::forget_done(std::uint64_t identity) {
  const base::MutexLock lock(mutex_);
  const auto found = done_.find(identity);
  if (found == done_.end()) return;
  kept_.push_back({SpoolId::alarms, {found->second}, clock_.boot_now()});
  done_.erase(found);
}

void OpenState::note_opened(const FieldToken& token, Sequence entry, BootTime now) {
  const auto [known, fresh] = open_[token.session].try_emplace(token.packet_id, entry);
  // The broker uses the identifier again without having closed it.
  if (!fresh) kept_.push_back({SpoolId::telemetry, {std::exchange(known->second, entry)}, now});
}

void OpenState::note_closed(std::uint64_t session, std::uint16_t packet_id, Sequence close, BootTime now) {
  // Why together: an open entry without its close would be open again after a restart.
  std::vector<Sequence> over;
  if (const auto known = open_.find(session); known != open_.end()) {
    if (packet_id == 0) {
      for (const auto& [id, entry] : known->second) over.push_back(entry);
      open_.erase(known);
    } else if (const auto entry = known->second.find(packet_id); entry != known->second.end()) {
      over.push_back(entry->second);
      known->second.erase(entry);
    }
  }
  over.push_back(close);
  kept_.push_back({SpoolId::telemetry, std::move(over), now});
}

void OpenState::opened(const FieldToken& token, Sequence entry) {
  const BootTime now = clock_.boot_now();
  const base::MutexLock lock(mutex_);
  note_opened(token, entry, now);
}

Result<Sequence> OpenState::append(std::string_view payload) {
  const spool::Entry entry{.lane = lane_, .klass = 2, .internal = true, .ends_group = true, .payload = payload};
  return stores_.of(SpoolId::telemetry).append({&entry, 1});
}

Result<Sequence> OpenState::append_close(std::uint64_t session, std::uint16_t packet_id) {
  std::string payload;
  encode({.kind = StateEntry::Kind::close, .token = FieldToken{.session = session, .packet_id = packet_id}}, payload);
  const Result<Sequence> last = append(payload);
  if (!last) return last;
  const BootTime now = clock_.boot_now();
  const base::MutexLock lock(mutex_);
  note_closed(session, packet_id, *last, now);
  return last;
}

Result<ports::Ticket> OpenState::close(std::uint64_t session, std::uint16_t packet_id) {
  const Result<Sequence> last = append_close(session, packet_id);
  if (!last) return fail(last.error());
  ports::Ticket ticket;
  ticket.through[static_cast<std::size_t>(SpoolId::telemetry)] = *last;
  return ticket;
}

Result<void> OpenState::close_session(std::uint64_t session) {
  const Result<Sequence> last = append_close(session, 0);
  if (!last) return fail(last.error());
  return {};
}

std::vector<std::uint64_t> OpenState::sessions() const {
  const base::MutexLock lock(mutex_);
  std::vector<std::uint64_t> sessions;
  for (const auto& [session, identifiers] : open_) {
    if (!identifiers.empty()) sessions.push_back(session);
  }
  return sessions;
}

void OpenState::remember(SpoolId spool, std::vector<Sequence> entries) {
  if (entries.empty()) return;
  const base::MutexLock lock(mutex_);
  kept_.push_back({spool, std::move(entries), clock_.boot_now()});
}

void OpenState::tick() {
  std::vector<Kept> over;
  {
    const base::MutexLock lock(mutex_);
    const BootTime now = clock_.boot_now();
    while (!kept_.empty() && now - kept_.front().since > 2 * kLookBack) {
      const Kept& oldest = kept_.front();
      if (oldest.entries.back() > stores_.of(oldest.spool).durable()) break;  // the disk fails: later
      over.push_back(std::move(kept_.front()));
      kept_.pop_front();
    }
  }
  for (const Kept& kept : over) {
    stores_.of(kept.spool).settle(lane(kept.spool), kept.entries, spool::Outcome::delivered);
  }
}

}  // namespace railhead::flow
