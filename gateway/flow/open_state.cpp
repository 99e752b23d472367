#include "gateway/flow/open_state.h"

#include <algorithm>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/message/dead_letter.h"
#include "gateway/message/field_token.h"
#include "gateway/message/record.h"

namespace railhead::flow {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kOpen = 1;
constexpr std::uint8_t kClose = 2;

void encode_entry(std::uint8_t kind, const FieldToken& token, std::string& out) {
  base::ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u8(kind);
  write_token(token, writer);
}

bool is_recent(const spool::Frame& frame, Time newest) {
  return frame.age ? *frame.age <= kLookBack : newest - frame.appended <= kLookBack;
}

}  // namespace

OpenState::OpenState(Stores& stores, const system::Clock& clock)
    : stores_(stores), clock_(clock), lane_(stores.of(ports::SpoolId::telemetry).lane(kStateLane)) {}

void OpenState::encode_open(const FieldToken& token, std::string& out) { encode_entry(kOpen, token, out); }

Result<void> OpenState::recover(DeliveryTable& table) {
  // Alarms and dead letters first: the closes, which outrank them, stand in the telemetry spool.
  for (const ports::SpoolId id : {ports::SpoolId::alarms, ports::SpoolId::dead, ports::SpoolId::telemetry}) {
    const spool::Spool& spool = stores_.of(id);
    Time newest = Time::min();
    std::vector<spool::Frame> frames;
    // Two passes over the frames would read the disk twice; what is recent is small, so it is kept.
    const auto visit = [&](const spool::Frame& frame) {
      newest = std::max(newest, frame.appended);
      if (is_recent(frame, newest)) frames.push_back(frame);
      if (frame.internal && !frame.settled) {
        const base::MutexLock lock(mutex_);
        kept_.push_back({frame.sequence, clock_.boot_now()});
      }
      if (frames.size() > 200'000) frames.erase(frames.begin(), frames.begin() + 100'000);
    };
    if (Result<void> read = spool.for_each(spool.usage().first, visit); !read) return fail(read.error());
    for (const spool::Frame& frame : frames) {
      if (!is_recent(frame, newest)) continue;
      if (frame.internal) {
        base::ByteReader reader(frame.payload);
        const std::uint8_t version = reader.u8();
        const std::uint8_t kind = reader.u8();
        const std::optional<FieldToken> token = read_token(reader);
        if (version != kVersion || !reader.ok() || !token) continue;
        if (kind == kOpen) table.recovered(*token, id);
        if (kind == kClose) table.forget(token->session, token->packet_id);
      } else if (id == ports::SpoolId::dead) {
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

Result<ports::Ticket> OpenState::close(std::uint64_t session, std::uint16_t packet_id) {
  std::string payload;
  encode_entry(kClose, FieldToken{.session = session, .packet_id = packet_id}, payload);
  const spool::Entry entry{.lane = lane_, .klass = 2, .internal = true, .ends_group = true, .payload = payload};
  const Result<Sequence> last = stores_.of(ports::SpoolId::telemetry).append({&entry, 1});
  if (!last) return fail(last.error());
  remember(*last);
  ports::Ticket ticket;
  ticket.through[static_cast<std::size_t>(ports::SpoolId::telemetry)] = *last;
  return ticket;
}

void OpenState::remember(Sequence entry) {
  const base::MutexLock lock(mutex_);
  kept_.push_back({entry, clock_.boot_now()});
}

void OpenState::tick() {
  std::vector<Sequence> over;
  {
    const base::MutexLock lock(mutex_);
    const BootTime now = clock_.boot_now();
    while (!kept_.empty() && now - kept_.front().since > 2 * kLookBack) {
      over.push_back(kept_.front().sequence);
      kept_.pop_front();
    }
  }
  if (!over.empty()) stores_.of(ports::SpoolId::telemetry).settle(lane_, over, spool::Outcome::delivered);
}

}  // namespace railhead::flow
