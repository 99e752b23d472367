#include "gateway/flow/open_state.h"

#include <algorithm>
#include <utility>

#include "gateway/flow/identifier_use.h"
#include "gateway/message/dead_letter.h"
#include "gateway/message/record.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr std::uint64_t kFirstLook = 4096;              // records at the end of a spool
constexpr Duration kDoneKept = std::chrono::hours{24};  // then nobody does that work again
constexpr std::size_t kRecentFramesMax = 200'000;       // of these the newer half is kept

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

struct Moment {
  Time appended;
  std::optional<Duration> age;  // absent when that was before the last reboot
  Moment() = default;
  explicit Moment(const spool::Frame& frame) : appended(frame.appended), age(frame.age) {}
};

// Appended no longer than kLookBack before `newest`; by boot time where both are of this boot.
bool is_recent(const Moment& moment, const Moment& newest) {
  if (moment.age && newest.age) return *moment.age - *newest.age <= kLookBack;
  return newest.appended - moment.appended <= kLookBack;
}

void recall(const StateEntry& entry, DeliveryTable& table) {
  const FieldToken& token = *entry.token;
  if (entry.kind != StateEntry::Kind::close) {
    table.recovered(token, SpoolId::telemetry);
  } else if (token.packet_id == 0) {
    static_cast<void>(table.forget_session(token.session));
  } else {
    table.forget(token.session, token.packet_id);
  }
}

}  // namespace

OpenState::OpenState(Stores& stores, const system::Clock& clock)
    : stores_(stores),
      clock_(clock),
      lane_(stores.of(SpoolId::telemetry).lane(kStateLane)),
      alarms_lane_(stores.of(SpoolId::alarms).lane(kStateLane)) {}

Result<OpenState::RecentFrames> OpenState::recent_frames(SpoolId id) const {
  const spool::Spool& spool = stores_.of(id);
  const std::uint64_t first = spool.usage().first.value();
  const std::uint64_t next = spool.next().value();
  // How far back kLookBack reaches is not known: ever larger steps, so that a start does not read the whole backlog.
  for (std::uint64_t look = kFirstLook;; look *= 4) {
    const std::uint64_t from = next > first + look ? next - look : first;
    std::optional<Moment> newest;
    std::optional<Moment> oldest;  // tells whether the look reached far enough
    RecentFrames found;
    std::vector<spool::Frame>& frames = found.frames;
    const auto visit = [&](const spool::Frame& frame) {
      newest = Moment(frame);
      if (!oldest) oldest = newest;
      frames.push_back(frame);
      if (frames.size() > kRecentFramesMax) frames.erase(frames.begin(), frames.begin() + kRecentFramesMax / 2);
    };
    if (Result<void> read = spool.for_each(Sequence(from), visit); !read) return fail(read.error());
    if (!newest) return found;
    const bool reached = from == first || !is_recent(*oldest, *newest);
    if (!reached && frames.size() < kRecentFramesMax / 2) continue;
    const auto recent = std::stable_partition(
        frames.begin(), frames.end(), [&](const spool::Frame& frame) { return !is_recent(Moment(frame), *newest); });
    found.recent_from = static_cast<std::size_t>(recent - frames.begin());
    return found;
  }
}

Result<void> OpenState::recover_state(SpoolId id, DeliveryTable& table) {
  const spool::Spool& spool = stores_.of(id);
  Sequence from = spool.next();
  for (const spool::LaneInfo& lane : spool.lanes()) {
    if (lane.name == kStateLane) from = lane.first_unsettled;
  }
  if (from >= spool.next()) return {};
  const BootTime boot_now = clock_.boot_now();
  const Time now = clock_.now();
  Moment newest;
  std::vector<std::pair<FieldToken, Moment>> opened;
  const Result<void> read = spool.for_each(from, [&](const spool::Frame& frame) {
    newest = Moment(frame);
    if (!frame.internal || frame.settled) return;
    const base::MutexLock lock(mutex_);
    const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
    if (entry && entry->kind == StateEntry::Kind::rules) {
      const Duration age = frame.age.value_or(std::max(Duration::zero(), now - frame.appended));
      recalled_[std::string(entry->source)].push_back(
          {frame.sequence, entry->part, false, age, entry->token.has_value(), std::string(entry->rules)});
      return;
    }
    if (entry && entry->kind == StateEntry::Kind::started) return;  // started.h settles it
    if (entry && entry->token && id == SpoolId::telemetry) {
      recall(*entry, table);
      if (entry->kind == StateEntry::Kind::open) {
        note_opened(*entry->token, frame.sequence, boot_now);
        opened.emplace_back(*entry->token, newest);
      } else {
        note_closed(entry->token->session, entry->token->packet_id, frame.sequence, boot_now);
      }
      return;
    }
    if (entry && entry->kind == StateEntry::Kind::done) {
      const Duration age = frame.age.value_or(std::max(Duration::zero(), now - frame.appended));
      done_.emplace(entry->identity, frame.sequence);
      if (age < kDoneKept) return;
    }
    kept_.push_back({id, {frame.sequence}, boot_now});
  });
  // What other spools hold of the newer ones their own frames tell.
  for (const auto& [token, moment] : opened) {
    if (!is_recent(moment, newest)) table.recovered_whole(token);
  }
  return read;
}

Result<void> OpenState::recover(DeliveryTable& table) {
  IdentifierUse use;
  // Alarms and dead letters first: the closes, which outrank them, stand in the telemetry spool.
  for (const SpoolId id : {SpoolId::alarms, SpoolId::dead, SpoolId::telemetry}) {
    if (id != SpoolId::dead) {
      if (Result<void> state = recover_state(id, table); !state) return state;
    }
    const Result<RecentFrames> found = recent_frames(id);
    if (!found) return fail(found.error());
    use.next_spool();
    for (std::size_t i = 0; i < found->frames.size(); ++i) {
      const spool::Frame& frame = found->frames[i];
      const bool recent = i >= found->recent_from;
      std::optional<FieldToken> token;
      bool marked = false;
      if (frame.internal) {
        const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
        if (recent && entry && entry->token) recall(*entry, table);
        continue;
      }
      if (id == SpoolId::dead) {
        const Result<DeadLetter> letter = decode_dead_letter(frame.payload);
        if (letter) token = letter->token;
      } else {
        const Result<Record> record = decode_record(frame.payload);
        if (record) token = record->token;
        marked = record && (record->flags & kMaybeRepeat) != 0;
      }
      if (!token) continue;
      if (!marked) use.saw(*token, frame.appended);
      if (recent) table.recovered(*token, id);
    }
  }
  table.forget_uncertain([&use](std::uint64_t session) { return use.counts_through(session); });
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

Result<Sequence> OpenState::append_close(std::uint64_t session, std::uint16_t packet_id) {
  std::string payload;
  encode({.kind = StateEntry::Kind::close, .token = FieldToken{.session = session, .packet_id = packet_id}}, payload);
  const spool::Entry entry{.lane = lane_, .klass = 2, .internal = true, .ends_group = true, .payload = payload};
  const Result<Sequence> last = stores_.of(SpoolId::telemetry).append({&entry, 1});
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
