#include "gateway/flow/ingest.h"

#include <algorithm>
#include <functional>

namespace railhead::flow {
namespace {

using ports::SpoolId;
using ports::Verdict;

constexpr Duration kRetry = std::chrono::seconds{1};

// Tells the batch that was refused from another one.
std::uint64_t fingerprint_of(std::span<const Reading> batch) {
  std::uint64_t mixed = batch.size();
  const auto mix = [&](std::uint64_t more) { mixed = (mixed ^ more) * 0x9e3779b97f4a7c15ULL; };
  for (const Reading& reading : batch) {
    mix(static_cast<std::uint64_t>(reading.time.time_since_epoch().count()));
    mix(std::hash<std::string>{}(reading.device));
    if (reading.token) mix(reading.token->content_hash + reading.token->packet_id);
  }
  return mixed | 1;  // 0 is none
}

bool opens_identifier(const Reading& reading) { return reading.token && reading.token->qos == 2; }

}  // namespace

Ingest::Ingest(std::string source, Shared shared, std::unique_ptr<ports::RuleState> rules)
    : source_(std::move(source)),
      shared_(shared),
      rules_(std::move(rules)),
      journal_(shared.stores, shared.open_state) {
  shared_.stores.subscribe(&durable_rose_);
  group_bytes_least_ = shared_.stores.of(SpoolId::telemetry).group_bytes_max();
  for (const SpoolId id : {SpoolId::alarms, SpoolId::dead}) {
    group_bytes_least_ = std::min(group_bytes_least_, shared_.stores.of(id).group_bytes_max());
  }
  recall();
}

Ingest::~Ingest() { shared_.stores.unsubscribe(&durable_rose_); }

void Ingest::set_router(std::shared_ptr<const ports::Router> router) {
  {
    const base::MutexLock lock(mutex_);
    next_router_ = std::move(router);
  }
  durable_rose_.signal();  // the source looks at next_due()
}

void Ingest::Work::clear() {
  batch.clear();
  tally = {};
  repeats = {};
  taken.clear();
  done_again.clear();
  restates = false;
  fingerprint = 0;
  waiting = false;
}

spool::LaneId Ingest::lane_of(std::string_view sink, SpoolId spool) {
  KnownLanes& known = lanes_[static_cast<std::size_t>(spool)];
  if (known.last != nullptr && known.last->first == sink) return known.last->second;
  auto found = known.all.find(sink);
  if (found == known.all.end()) {
    found = known.all.emplace(std::string(sink), shared_.stores.of(spool).lane(sink)).first;
  }
  known.last = &*found;
  return found->second;
}

ports::Now Ingest::now() const {
  return {shared_.clock.boot_now(),
          shared_.clock.trusted() ? std::optional<Time>(shared_.clock.now()) : std::optional<Time>{}};
}

std::optional<DeliveryTable::Entry> Ingest::taken_before(const FieldToken& token) const {
  std::optional<DeliveryTable::Entry> entry = shared_.deliveries.recognise(token);
  if (!entry && token.qos == 2) entry = shared_.deliveries.open(token);  // with or without DUP
  return entry;
}

void Ingest::route(const Reading& reading, const ports::Now& moment, Work& work) {
  ++work.tally.in;
  std::uint8_t held = 0;
  bool mark_repeat = false;
  if (reading.token) {
    const FieldToken& token = *reading.token;
    if (const std::optional<DeliveryTable::Entry> entry = taken_before(token)) {
      work.repeats.raise(entry->ticket);
      if ((entry->wanted & ~entry->held) == 0) {
        ++work.tally.redelivered;
        return;
      }
      held = entry->held;  // a kill struck between two spools: only the missing part is appended
    } else {
      mark_repeat = token.dup;
    }
  }
  if (mark_repeat) {
    Reading marked = reading;
    marked.maybe_repeat = true;
    rules_->route(marked, moment, routed_);
  } else {
    rules_->route(reading, moment, routed_);
  }
  add_groups(routed_.before, work);
  add_records(reading, held, work);
  if (!routed_.set_aside.empty() && (held & bit_of(SpoolId::dead)) == 0) add_set_aside(reading, work);
  if (work.batch.group_bytes() > group_bytes_least_) replace_oversized_group(reading, work);
  work.batch.end_group();
  add_groups(routed_.after, work);
  switch (routed_.verdict) {
    case Verdict::routed: ++work.tally.routed; break;
    case Verdict::absorbed: ++work.tally.absorbed; break;
    case Verdict::set_aside: ++work.tally.set_aside; break;
    case Verdict::dropped: ++work.tally.dropped; break;
    case Verdict::filtered: ++work.tally.filtered; break;
    case Verdict::unrouted: ++work.tally.unrouted; break;
  }
}

void Ingest::add_records(const Reading& reading, std::uint8_t held, Work& work) {
  std::uint8_t wanted = 0;
  const EncodedRecords& records = routed_.records;
  for (std::size_t i = 0; i < records.size(); ++i) {
    wanted = static_cast<std::uint8_t>(wanted | bit_of(spool_of(records.priority(i))));
  }
  if (!routed_.state.empty()) wanted = static_cast<std::uint8_t>(wanted | bit_of(SpoolId::telemetry));
  // QoS 2: the identifier is open until its PUBREL, also when nothing became of it or all of that is delivered.
  if (const FieldToken* token = reading.kept_token(); token != nullptr && token->qos == 2) {
    wanted = static_cast<std::uint8_t>(wanted | bit_of(SpoolId::telemetry));
  }
  if (!routed_.set_aside.empty()) wanted = static_cast<std::uint8_t>(wanted | bit_of(SpoolId::dead));
  std::optional<FieldToken> token;
  if (const FieldToken* kept = reading.kept_token()) {
    token = *kept;
    token->spools = wanted;
    token->dup = false;
  }
  const bool opens = token && token->qos == 2 && (held & bit_of(SpoolId::telemetry)) == 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const SpoolId spool = spool_of(records.priority(i));
    if ((held & bit_of(spool)) != 0) continue;
    work.batch.add(spool, lane_of(records.sink(i), spool), klass_of(records.priority(i)), false,
                   [&](std::string& out) { records.append_to(out, i, token); });
  }
  if (!routed_.state.empty() && (held & bit_of(SpoolId::telemetry)) == 0) {
    add_entry(SpoolId::telemetry,
              {.kind = StateEntry::Kind::rules, .token = token, .source = source_, .rules = routed_.state},
              token ? kTokenStateTag : kStateTag, work);
  }
  if (!token) return;
  if (opens) add_open(*token, work);
  work.taken.push_back({*token, wanted, held, opens});
}

void Ingest::add_entry(SpoolId spool, const StateEntry& entry, std::uint8_t tag, Work& work) {
  constexpr std::uint8_t kClass = 2;  // what rules remember is dropped last
  work.batch.add(
      spool, shared_.open_state.lane(spool), kClass, true, [&](std::string& out) { encode(entry, out); }, tag);
}

void Ingest::add_open(const FieldToken& token, Work& work) {
  add_entry(SpoolId::telemetry, {.kind = StateEntry::Kind::open, .token = token}, kOpenTag, work);
}

Result<ports::Ticket> Ingest::append(Work& work) {
  Result<ports::Ticket> ticket = work.batch.append(shared_.stores);
  if (!ticket) {
    work.waiting = true;
    retry_at_ = shared_.clock.boot_now() + kRetry;
    return ticket;
  }
  auto open = work.taken.begin();  // their entries were placed in the same order
  if (!work.taken.empty()) {
    taken_.clear();
    for (const Taken& taken : work.taken) {
      taken_.push_back({taken.token,
                        {.content_hash = taken.token.content_hash,
                         .qos = taken.token.qos,
                         .wanted = taken.wanted,
                         .held = taken.wanted,
                         .ticket = *ticket}});
      taken_.back().entry.ticket.raise(taken.also);
    }
    shared_.deliveries.taken(taken_);
    for (const std::uint64_t session : lost_sessions_) static_cast<void>(shared_.deliveries.forget_session(session));
  }
  std::vector<AppendBatch::Placed> restated;
  for (const AppendBatch::Placed& placed : work.batch.placed()) {
    if (placed.tag == kOpenTag) {
      while (!open->opens) ++open;
      shared_.open_state.opened(open->token, placed.sequence);
      ++open;
    } else if (placed.tag == kDoneTag) {
      shared_.open_state.remember(placed.spool, {placed.sequence});
    } else if (work.restates) {
      restated.push_back(placed);
    } else {
      journal_.appended(placed.sequence, placed.bytes, placed.tag == kTokenStateTag);
    }
  }
  if (work.restates) journal_.restated(restated, ticket->through[static_cast<std::size_t>(SpoolId::telemetry)]);
  for (const std::uint64_t identity : work.done_again) shared_.open_state.forget_done(identity);
  shared_.counts.add(source_, work.tally, shared_.clock.boot_now());
  shared_.dead_letters.report(work.batch);
  ticket->raise(work.repeats);
  work.clear();
  return ticket;
}

Result<ports::Ticket> Ingest::offer(std::span<const Reading> batch) {
  const std::uint64_t fingerprint = fingerprint_of(batch);
  if (work_.waiting) {
    const bool same = work_.fingerprint == fingerprint;
    Result<ports::Ticket> ticket = append(work_);
    if (!ticket || same) return ticket;
  }
  if (const Result<void> closed = close_lost_sessions(); !closed && std::ranges::any_of(batch, opens_identifier)) {
    return fail(closed.error());  // or the session's end would close these too
  }
  journal_.settle_replaced();
  const std::optional<BootTime> due = rules_->next_due();
  const bool something_due = due && *due <= shared_.clock.boot_now();
  if (batch.empty() && !something_due && !has_new_rules()) return ports::Ticket{};
  // Also while the telemetry's spool is full or fails: what the rules make of it may be alarms alone, and what a spool
  // refuses is kept as it was routed.
  work_.fingerprint = fingerprint;
  if (something_due) add_due(work_);
  adopt_new_rules(work_);
  const ports::Now moment = now();
  for (const Reading& reading : batch) route(reading, moment, work_);
  Result<ports::Ticket> ticket = append(work_);
  if (ticket && journal_.wants_restatement()) {
    restate(work_);
    // What the spool does not take now it takes before the next batch; the readings are safe without it.
    [[maybe_unused]] const Result<ports::Ticket> restated = append(work_);
  }
  return ticket;
}

void Ingest::ignored(std::uint64_t count) {
  shared_.counts.add(source_, {.in = count, .refused = count}, shared_.clock.boot_now());
}

void Ingest::repeated(std::uint64_t count) {
  shared_.counts.add(source_, {.in = count, .redelivered = count}, shared_.clock.boot_now());
}

ports::Ticket Ingest::durable() const { return shared_.stores.durable(); }

bool Ingest::is_open(const FieldToken& token) const {
  const std::optional<DeliveryTable::Entry> entry = taken_before(token);
  return entry && (entry->wanted & ~entry->held) == 0;
}

ports::Ticket Ingest::open_ticket(const FieldToken& token) const {
  const std::optional<DeliveryTable::Entry> entry = taken_before(token);
  return entry ? entry->ticket : ports::Ticket{};
}

Result<ports::Ticket> Ingest::close(std::uint64_t session, std::uint16_t packet_id) {
  if (!shared_.deliveries.holds(session, packet_id)) return ports::Ticket{};
  Result<ports::Ticket> ticket = shared_.open_state.close(session, packet_id);
  if (ticket) shared_.deliveries.forget(session, packet_id);
  return ticket;
}

void Ingest::acknowledged(std::uint64_t session, std::span<const std::uint16_t> packet_ids) {
  shared_.deliveries.forget(session, packet_ids);
}

void Ingest::session_lost(std::uint64_t session) {
  const bool waits = std::ranges::any_of(work_.taken, [&](const Taken& one) { return one.token.session == session; });
  if (!shared_.deliveries.forget_session(session) && !waits) return;
  if (std::ranges::find(lost_sessions_, session) == lost_sessions_.end()) lost_sessions_.push_back(session);
  // Its end stands behind what is still to be appended of it. What the spool refuses now goes with the next offer.
  if (!work_.waiting) [[maybe_unused]]
    const Result<void> closed = close_lost_sessions();
}

Result<void> Ingest::close_lost_sessions() {
  while (!lost_sessions_.empty()) {
    Result<void> closed = shared_.open_state.close_session(lost_sessions_.back());
    if (!closed) {
      retry_at_ = shared_.clock.boot_now() + kRetry;
      return closed;
    }
    lost_sessions_.pop_back();
  }
  return {};
}

}  // namespace railhead::flow
