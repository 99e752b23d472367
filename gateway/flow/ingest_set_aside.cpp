// An intake's dead letters: inputs that cannot be read, readings whose rules failed, and those that no spool could ever
// take (S15).
#include <algorithm>

#include "gateway/flow/ingest.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;
using ports::Verdict;

constexpr std::size_t kReasonsTold = 3;

DeadLetter letter_about(const Reading& reading, const std::string& gateway) {
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.time = reading.time;
  letter.source = reading.source;
  letter.device = reading.device;
  letter.payload = canonical_json(reading, gateway);
  return letter;
}

// Tells the input that was kept because a spool refused it from another one.
std::uint64_t fingerprint_of(const ports::RawInput& raw) {
  std::uint64_t mixed = 0;
  const auto mix = [&](std::uint64_t more) { mixed = (mixed ^ more) * 0x9e3779b97f4a7c15ULL; };
  mix(std::hash<std::string_view>{}(raw.topic));
  mix(std::hash<std::string_view>{}(raw.payload));
  if (raw.token) mix(raw.token->content_hash + raw.token->packet_id);
  return mixed | 1;  // 0 is none
}

}  // namespace

void Ingest::add_failures(const ports::Group& group, std::string_view rule, std::string_view why, Work& work) {
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.time = group.time;
  letter.source = source_;
  letter.device = group.device;
  letter.rule = rule;
  letter.reason = why;
  letter.payload = group.about;
  shared_.dead_letters.add(letter, work.batch);
}

void Ingest::replace_oversized_group(const Reading& reading, Work& work) {
  std::size_t bytes = 0;
  std::size_t most = 0;
  for (const SpoolId id : ports::kAllSpools) {
    const std::size_t group = work.batch.group_bytes(id);
    const std::size_t allowed = shared_.stores.of(id).group_bytes_max();
    if (group > allowed) {
      bytes = group;
      most = allowed;
    }
  }
  if (bytes == 0) return;
  work.batch.drop_group();
  routed_.verdict = Verdict::set_aside;
  DeadLetter letter = letter_about(reading, shared_.gateway);
  letter.reason = "what it became takes " + std::to_string(bytes) + " bytes, at most " + std::to_string(most) +
                  " fit the spool: raise spool.limit; the payload here is its beginning";
  letter.payload.resize(std::min(letter.payload.size(), kOversizedKept));
  if (const FieldToken* kept = reading.kept_token()) {
    letter.token = *kept;
    letter.token->spools = bit_of(SpoolId::dead);
    letter.token->dup = false;
    Taken& taken = work.taken.back();
    if (taken.opens) {
      letter.token->spools = static_cast<std::uint8_t>(letter.token->spools | bit_of(SpoolId::telemetry));
      add_open(*letter.token, work);
    }
    taken.token = *letter.token;
    taken.wanted = letter.token->spools;
  }
  if (!routed_.state.empty()) journal_.want_restatement();  // the rules know of it, the disk does not
  shared_.dead_letters.add(letter, work.batch);
}

void Ingest::add_set_aside(const Reading& reading, Work& work) {
  const auto& failures = routed_.set_aside;
  for (std::size_t i = 0; i < failures.size();) {
    DeadLetter letter = letter_about(reading, shared_.gateway);
    letter.rule = failures[i].rule;
    letter.reason = failures[i].reason;
    // One letter a rule, however many of its sends and items failed: requeued, it goes through the whole rule.
    const std::size_t first = i++;
    std::size_t told = 1;
    for (; i < failures.size() && failures[i].rule == letter.rule; ++i) {
      if (told == kReasonsTold) continue;
      letter.reason += "; " + failures[i].reason;
      ++told;
    }
    if (i - first > told) letter.reason += "; and " + std::to_string(i - first - told) + " more";
    if (reading.kept_token() != nullptr) letter.token = work.taken.back().token;
    shared_.dead_letters.add(letter, work.batch);
  }
}

Result<ports::Ticket> Ingest::refuse(const ports::RawInput& raw, const Error& why) {
  const std::uint64_t fingerprint = fingerprint_of(raw);
  if (work_.waiting) {
    const bool same = work_.fingerprint == fingerprint;
    Result<ports::Ticket> earlier = append(work_);
    if (!earlier || same) return earlier;
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
  if (const Result<void> closed = close_lost_sessions(); !closed && opens) return fail(closed.error());
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::raw;
  letter.time = shared_.clock.now();
  letter.source = source_;
  letter.device = raw.device;
  letter.topic = raw.topic;
  letter.reason = why.what;
  letter.payload = raw.payload;
  letter.cut = raw.cut;
  letter.token = raw.token;
  if (letter.token) {
    letter.token->spools = wanted;
    letter.token->dup = false;
    letter.token->leads = false;
  }
  work_.fingerprint = fingerprint;
  if ((held & bit_of(SpoolId::dead)) == 0) shared_.dead_letters.add(letter, work_.batch);
  const bool adds_open = opens && (held & bit_of(SpoolId::telemetry)) == 0;
  if (adds_open) add_open(*letter.token, work_);
  if (letter.token) work_.taken.push_back({*letter.token, wanted, held, adds_open, ticket});
  work_.batch.end_group();
  ++work_.tally.in;
  ++work_.tally.refused;
  work_.repeats.raise(ticket);
  return append(work_);
}

}  // namespace railhead::flow
