// An intake's dead letters: inputs that cannot be read, readings whose rules failed, and those that no spool could ever
// take (S15).
#include <algorithm>

#include "gateway/flow/ingest.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;
using ports::Verdict;

DeadLetter letter_about(const Reading& reading, const std::string& gateway) {
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.time = reading.time;
  letter.source = reading.source;
  letter.device = reading.device;
  letter.payload = canonical_json(reading, gateway);
  return letter;
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
  for (const ports::SetAside& failed : routed_.set_aside) {
    DeadLetter letter = letter_about(reading, shared_.gateway);
    letter.rule = failed.rule;
    letter.reason = failed.reason;
    if (reading.kept_token() != nullptr) letter.token = work.taken.back().token;
    shared_.dead_letters.add(letter, work.batch);
  }
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

}  // namespace railhead::flow
