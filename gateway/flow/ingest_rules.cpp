// An intake's rules beside its readings: what falls due, what they remember, other rules in their place.
#include <algorithm>

#include "gateway/flow/ingest.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr Duration kEndFlush = std::chrono::seconds{5};

}  // namespace

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
  if (work_.waiting || !lost_sessions_.empty()) return retry_at_;
  if (has_new_rules()) return shared_.clock.boot_now();
  return rules_->next_due();
}

void Ingest::add_group(ports::Group& group, Work& work) {
  const EncodedRecords& records = group.records;
  bool has_alarms = false;
  for (std::size_t i = 0; i < records.size(); ++i) has_alarms = has_alarms || records.priority(i) == Priority::alarm;
  const bool done = has_alarms && shared_.open_state.is_done(group.identity);
  if (done) work.done_again.push_back(group.identity);
  const auto add_state = [&] {
    const StateEntry entry{.kind = StateEntry::Kind::rules, .source = source_, .rules = group.state};
    add_entry(SpoolId::telemetry, entry, kStateTag, work);
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
    add_entry(SpoolId::alarms, entry, kDoneTag, work);
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
    add_entry(SpoolId::telemetry, entry, kStateTag, work);
    work.batch.end_group();
  };
  work.restates = true;
  add(StateEntry::Part::begins, {});
  if (!ends) rules_->restate(source_, now(), [&](const std::string& entry) { add(StateEntry::Part::entry, entry); });
  add(StateEntry::Part::ends, {});
}

Result<void> Ingest::end() {
  if (work_.waiting) {
    if (const Result<ports::Ticket> earlier = append(work_); !earlier) return fail(earlier.error());
  }
  if (Result<void> closed = close_lost_sessions(); !closed) return closed;
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

}  // namespace railhead::flow
