#include "gateway/flow/open_state.h"

#include <algorithm>

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

bool is_recent(const spool::Frame& frame, Time newest) {
  return frame.age ? *frame.age <= kLookBack : newest - frame.appended <= kLookBack;
}

}  // namespace

OpenState::OpenState(Stores& stores, const system::Clock& clock)
    : stores_(stores),
      clock_(clock),
      lane_(stores.of(SpoolId::telemetry).lane(kStateLane)),
      alarms_lane_(stores.of(SpoolId::alarms).lane(kStateLane)) {}

Result<std::vector<spool::Frame>> OpenState::recent_frames(SpoolId id) const {
  const spool::Spool& spool = stores_.of(id);
  const std::uint64_t first = spool.usage().first.value();
  const std::uint64_t next = spool.next().value();
  // How far back kLookBack reaches is not known: ever larger steps, so that a start does not read the whole backlog.
  for (std::uint64_t look = kFirstLook;; look *= 4) {
    const std::uint64_t from = next > first + look ? next - look : first;
    Time newest = Time::min();
    std::optional<spool::Frame> oldest;  // tells whether the look reached far enough
    std::vector<spool::Frame> frames;
    const auto visit = [&](const spool::Frame& frame) {
      newest = std::max(newest, frame.appended);
      if (!oldest) oldest = frame;
      if (is_recent(frame, newest)) frames.push_back(frame);
      if (frames.size() > kRecentFramesMax) frames.erase(frames.begin(), frames.begin() + kRecentFramesMax / 2);
    };
    if (Result<void> read = spool.for_each(Sequence(from), visit); !read) return fail(read.error());
    const bool reached = from == first || !oldest || !is_recent(*oldest, newest);
    if (!reached && frames.size() < kRecentFramesMax / 2) continue;
    std::erase_if(frames, [&](const spool::Frame& frame) { return !is_recent(frame, newest); });
    return frames;
  }
}

Result<void> OpenState::recover_state(SpoolId id) {
  const spool::Spool& spool = stores_.of(id);
  Sequence from = spool.next();
  for (const spool::LaneInfo& lane : spool.lanes()) {
    if (lane.name == kStateLane) from = lane.first_unsettled;
  }
  if (from >= spool.next()) return {};
  const BootTime boot_now = clock_.boot_now();
  const Time now = clock_.now();
  return spool.for_each(from, [&](const spool::Frame& frame) {
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
    if (entry && entry->kind == StateEntry::Kind::done) {
      const Duration age = frame.age.value_or(std::max(Duration::zero(), now - frame.appended));
      done_.emplace(entry->identity, frame.sequence);
      if (age < kDoneKept) return;
    }
    kept_.push_back({id, {frame.sequence}, boot_now});
  });
}

Result<void> OpenState::recover(DeliveryTable& table) {
  // Alarms and dead letters first: the closes, which outrank them, stand in the telemetry spool.
  for (const SpoolId id : {SpoolId::alarms, SpoolId::dead, SpoolId::telemetry}) {
    if (id != SpoolId::dead) {
      if (Result<void> state = recover_state(id); !state) return state;
    }
    const Result<std::vector<spool::Frame>> frames = recent_frames(id);
    if (!frames) return fail(frames.error());
    for (const spool::Frame& frame : *frames) {
      if (frame.internal) {
        const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
        if (!entry || !entry->token) continue;
        if (entry->kind == StateEntry::Kind::close) {
          table.forget(entry->token->session, entry->token->packet_id);
        } else {
          table.recovered(*entry->token, id);
        }
      } else if (id == SpoolId::dead) {
        const Result<DeadLetter> letter = decode_dead_letter(frame.payload);
        if (letter && letter->token) table.recovered(*letter->token, id);
      } else {
        const Result<Record> record = decode_record(frame.payload);
        if (record && record->token) table.recovered(*record->token, id);
      }
    }
  }
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
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [source, entries] : recalled_) {
      for (const Recalled& entry : entries) over.push_back(entry.sequence);
    }
    recalled_.clear();
  }
  if (!over.empty()) stores_.of(SpoolId::telemetry).settle(lane_, over, spool::Outcome::dropped);
  return over.size();
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

Result<ports::Ticket> OpenState::close(std::uint64_t session, std::uint16_t packet_id) {
  std::string payload;
  encode({.kind = StateEntry::Kind::close, .token = FieldToken{.session = session, .packet_id = packet_id}}, payload);
  const spool::Entry entry{.lane = lane_, .klass = 2, .internal = true, .ends_group = true, .payload = payload};
  const Result<Sequence> last = stores_.of(SpoolId::telemetry).append({&entry, 1});
  if (!last) return fail(last.error());
  remember(SpoolId::telemetry, {*last});
  ports::Ticket ticket;
  ticket.through[static_cast<std::size_t>(SpoolId::telemetry)] = *last;
  return ticket;
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
      over.push_back(std::move(kept_.front()));
      kept_.pop_front();
    }
  }
  for (const Kept& kept : over) {
    stores_.of(kept.spool).settle(lane(kept.spool), kept.entries, spool::Outcome::delivered);
  }
}

}  // namespace railhead::flow
