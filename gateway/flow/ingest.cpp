#include "gateway/flow/ingest.h"

#include <algorithm>
#include <functional>

namespace railhead::flow {
namespace {

using ports::SpoolId;
using ports::Verdict;

// Tags of entries whose place is told.
constexpr std::uint8_t kOpenTag = 1;   // of a QoS 2 delivery
constexpr std::uint8_t kStateTag = 2;  // settled when restated
constexpr std::uint8_t kTokenStateTag = 3;
constexpr std::uint8_t kDoneTag = 4;

constexpr std::uint8_t kStateClass = 2;  // what rules remember is dropped last
constexpr Duration kRetry = std::chrono::seconds{1};
constexpr Duration kEndFlush = std::chrono::seconds{5};

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

bool Ingest::has_new_rules() const {
  const base::MutexLock lock(mutex_);
  return next_router_ != nullptr;
}

void Ingest::adopt_new_rules(Work& work) {
  std::shared_ptr<const ports::Router> router;
  {
    const base::MutexLock lock(mutex_);
    router = std::move(next_router_);
    next_router_ = nullptr;
  }
  if (!router) return;
  std::unique_ptr<ports::RuleState> fresh = router->open();
  groups_.clear();
  fresh->take_over(*rules_, now(), groups_);
  add_groups(groups_, work);
  journal_.want_restatement();
  rules_ = std::move(fresh);
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

void Ingest::recall() {
  std::size_t unknown = 0;
  for (const OpenState::Recalled& entry : shared_.open_state.take_recalled(source_)) {
    journal_.recalled(entry);
    if (entry.replaced || entry.part != StateEntry::Part::entry) continue;
    if (!rules_->recall(source_, entry.entry, entry.age, now())) ++unknown;
  }
  if (unknown == 0) return;
  journal_.want_restatement();
  shared_.reporter.report(status::Event::rule_state_dropped,
                          {{"source", source_}, {"entries", std::to_string(unknown)}});
}

std::optional<BootTime> Ingest::next_due() const {
  if (work_.waiting) return retry_at_;
  if (has_new_rules()) return shared_.clock.boot_now();
  return rules_->next_due();
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
  const auto add_state = [&](const StateEntry& entry, std::uint8_t tag) {
    work.batch.add(
        SpoolId::telemetry, shared_.open_state.lane(SpoolId::telemetry), kStateClass, true,
        [&](std::string& out) { encode(entry, out); }, tag);
  };
  if (!routed_.state.empty() && (held & bit_of(SpoolId::telemetry)) == 0) {
    add_state({.kind = StateEntry::Kind::rules, .token = token, .source = source_, .rules = routed_.state},
              token ? kTokenStateTag : kStateTag);
  }
  if (!token) return;
  if (opens) add_open(*token, work);
  work.taken.push_back({*token, wanted, held, opens});
}

void Ingest::add_open(const FieldToken& token, Work& work) {
  const StateEntry entry{.kind = StateEntry::Kind::open, .token = token};
  work.batch.add(
      SpoolId::telemetry, shared_.open_state.lane(SpoolId::telemetry), kStateClass, true,
      [&](std::string& out) { encode(entry, out); }, kOpenTag);
}

void Ingest::add_group(ports::Group& group, Work& work) {
  const EncodedRecords& records = group.records;
  bool has_alarms = false;
  for (std::size_t i = 0; i < records.size(); ++i) has_alarms = has_alarms || records.priority(i) == Priority::alarm;
  const bool done = has_alarms && shared_.open_state.is_done(group.identity);
  if (done) work.done_again.push_back(group.identity);
  const auto add_state = [&] {
    const StateEntry entry{.kind = StateEntry::Kind::rules, .source = source_, .rules = group.state};
    work.batch.add(
        SpoolId::telemetry, shared_.open_state.lane(SpoolId::telemetry), kStateClass, true,
        [&](std::string& out) { encode(entry, out); }, kStateTag);
  };
  for (std::size_t i = 0; i < records.size(); ++i) {
    const SpoolId spool = spool_of(records.priority(i));
    if (done && spool == SpoolId::alarms) continue;
    work.batch.add(spool, lane_of(records.sink(i), spool), klass_of(records.priority(i)), false,
                   [&](std::string& out) { records.append_to(out, i); });
  }
  if (has_alarms && !done) {
    work.batch.alarms_first();
    const StateEntry entry{.kind = StateEntry::Kind::done, .identity = group.identity};
    work.batch.add(
        SpoolId::alarms, shared_.open_state.lane(SpoolId::alarms), kStateClass, true,
        [&](std::string& out) { encode(entry, out); }, kDoneTag);
  }
  if (!group.state.empty()) add_state();
  for (const ports::SetAside& failed : group.set_aside) add_failures(group, failed.rule, failed.reason, work);
  for (const SpoolId id : ports::kAllSpools) {
    if (work.batch.group_bytes(id) <= shared_.stores.of(id).group_bytes_max()) continue;
    work.batch.drop_group();
    if (!group.state.empty()) add_state();
    group.about.resize(std::min(group.about.size(), kOversizedKept));
    add_failures(group, {}, "what it became does not fit the spool: raise spool.limit", work);
    break;
  }
  work.batch.end_group();
}

void Ingest::add_some_groups(std::vector<ports::Group>& groups, Work& work) {
  for (ports::Group& group : groups) add_group(group, work);
  groups.clear();
}

void Ingest::add_due(Work& work) {
  const ports::Now moment = now();
  const std::optional<BootTime> due = rules_->next_due();
  if (!due || *due > moment.boot) return;
  rules_->close_due(moment, groups_);
  add_groups(groups_, work);
}

void Ingest::restate(Work& work, bool ends) {
  const auto add = [&](StateEntry::Part part, std::string_view bytes) {
    const StateEntry entry{.kind = StateEntry::Kind::rules, .part = part, .source = source_, .rules = bytes};
    work.batch.add(
        SpoolId::telemetry, shared_.open_state.lane(SpoolId::telemetry), kStateClass, true,
        [&](std::string& out) { encode(entry, out); }, kStateTag);
    work.batch.end_group();
  };
  work.restates = true;
  add(StateEntry::Part::begins, {});
  if (!ends) rules_->restate(source_, now(), [&](const std::string& entry) { add(StateEntry::Part::entry, entry); });
  add(StateEntry::Part::ends, {});
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

Result<void> Ingest::end() {
  if (work_.waiting) {
    if (const Result<ports::Ticket> earlier = append(work_); !earlier) return fail(earlier.error());
  }
  spool::Spool& spool = shared_.stores.of(SpoolId::telemetry);
  if (Result<void> flushed = spool.flush(kEndFlush); !flushed) return flushed;
  journal_.settle_replaced();  // of an earlier restatement
  // In one batch: a kill behind what leaves must not find that it is still owed.
  rules_->end(now(), groups_);
  add_groups(groups_, work_);
  restate(work_, true);
  if (const Result<ports::Ticket> ticket = append(work_); !ticket) return fail(ticket.error());
  if (Result<void> flushed = spool.flush(kEndFlush); !flushed) return flushed;
  journal_.end();
  return {};
}

Result<ports::Ticket> Ingest::refuse(const ports::RawInput& raw, const Error& why) {
  if (work_.waiting) {
    if (Result<ports::Ticket> earlier = append(work_); !earlier) return earlier;
  }
  const bool opens = raw.token && raw.token->qos == 2;
  const auto wanted = static_cast<std::uint8_t>(bit_of(SpoolId::dead) | (opens ? bit_of(SpoolId::telemetry) : 0));
  std::uint8_t held = 0;
  ports::Ticket ticket;
  if (raw.token) {
    if (const std::optional<DeliveryTable::Entry> entry = taken_before(*raw.token)) {
      ticket = entry->ticket;
      held = entry->held;  // a kill may have struck between two spools: only the missing part is appended
      if ((entry->wanted & ~held) == 0 || (wanted & ~held) == 0) {
        shared_.counts.add(source_, {.in = 1, .redelivered = 1}, shared_.clock.boot_now());
        return ticket;
      }
    }
  }
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::raw;
  letter.time = shared_.clock.now();
  letter.source = source_;
  letter.device = raw.device;
  letter.topic = raw.topic;
  letter.reason = why.what;
  letter.payload = raw.payload;
  letter.token = raw.token;
  if (letter.token) {
    letter.token->spools = wanted;
    letter.token->dup = false;
    letter.token->leads = false;
  }
  if ((held & bit_of(SpoolId::dead)) == 0) {
    const Result<ports::Ticket> appended = shared_.dead_letters.append(letter);
    if (!appended) return appended;
    ticket.raise(*appended);
  }
  if (opens && (held & bit_of(SpoolId::telemetry)) == 0) {
    // Appended after its letter. Should it not be taken now, it is with the next batch.
    add_open(*letter.token, work_);
    work_.batch.end_group();
    work_.taken.push_back({*letter.token, wanted, held, true, ticket});
    const Result<ports::Ticket> opened = append(work_);
    if (opened) ticket.raise(*opened);
  } else if (letter.token) {
    shared_.deliveries.taken(*letter.token, {.content_hash = letter.token->content_hash,
                                             .qos = letter.token->qos,
                                             .wanted = wanted,
                                             .held = wanted,
                                             .ticket = ticket});
  }
  shared_.counts.add(source_, {.in = 1, .refused = 1}, shared_.clock.boot_now());
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
  if (!shared_.deliveries.forget(session, packet_id)) return ports::Ticket{};
  return shared_.open_state.close(session, packet_id);
}

void Ingest::acknowledged(std::uint64_t session, std::span<const std::uint16_t> packet_ids) {
  shared_.deliveries.forget(session, packet_ids);
}

void Ingest::session_lost(std::uint64_t session) {
  if (!shared_.deliveries.forget_session(session)) return;
  // Should the spool take nothing now: nothing new of the session comes in either, and the next start asks again.
  [[maybe_unused]] const Result<void> closed = shared_.open_state.close_session(session);
}

}  // namespace railhead::flow
