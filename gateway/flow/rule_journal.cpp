#include "gateway/flow/rule_journal.h"

#include <algorithm>

namespace railhead::flow {
namespace {

using ports::SpoolId;

}  // namespace

RuleJournal::RuleJournal(Stores& stores, OpenState& open_state)
    : stores_(stores), open_state_(open_state), spool_bytes_(stores.of(SpoolId::telemetry).usage().bytes_written) {}

void RuleJournal::recalled(const OpenState::Recalled& entry) {
  appended(entry.sequence, entry.entry.size(), entry.has_token);
}

void RuleJournal::appended(Sequence entry, std::size_t bytes, bool has_token) {
  (has_token ? live_.with_token : live_.plain).push_back(entry);
  bytes_ += bytes + spool::kFrameOverheadMax;
}

bool RuleJournal::wants_restatement() const {
  if (!replaced_.empty()) return false;  // one at a time
  if (wanted_) return true;
  if (live_.empty()) return false;
  const spool::Usage usage = stores_.of(SpoolId::telemetry).usage();
  return bytes_ > std::max(std::min(kBytesMax, usage.limit / 32), 2 * restated_bytes_) ||
         usage.bytes_written - spool_bytes_ > kSpoolBytesMax;
}

void RuleJournal::restated(const std::vector<AppendBatch::Placed>& entries, Sequence through) {
  replaced_ = std::move(live_);
  replaced_by_ = through;
  live_ = {};
  bytes_ = 0;
  for (const AppendBatch::Placed& entry : entries) appended(entry.sequence, entry.bytes, false);
  restated_bytes_ = bytes_;
  spool_bytes_ = stores_.of(SpoolId::telemetry).usage().bytes_written;
  wanted_ = false;
}

void RuleJournal::settle_replaced() {
  if (replaced_.empty()) return;
  spool::Spool& spool = stores_.of(SpoolId::telemetry);
  if (spool.durable() < replaced_by_) return;
  spool.settle(open_state_.lane(SpoolId::telemetry), replaced_.plain, spool::Outcome::delivered);
  open_state_.remember(SpoolId::telemetry, std::move(replaced_.with_token));
  replaced_ = {};
}

void RuleJournal::end() {
  spool::Spool& spool = stores_.of(SpoolId::telemetry);
  spool.settle(open_state_.lane(SpoolId::telemetry), replaced_.plain, spool::Outcome::delivered);
  std::vector<Sequence> last = std::move(replaced_.with_token);
  last.insert(last.end(), live_.plain.begin(), live_.plain.end());
  open_state_.remember(SpoolId::telemetry, std::move(last));
  replaced_ = {};
  live_ = {};
}

}  // namespace railhead::flow
