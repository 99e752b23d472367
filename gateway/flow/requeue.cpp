#include "gateway/flow/requeue.h"

#include <thread>

#include "gateway/flow/append_batch.h"
#include "gateway/message/json.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr auto kDurableMost = std::chrono::seconds{10};
constexpr auto kDurableStep = std::chrono::milliseconds{1};
constexpr std::size_t kLettersAtOnce = 1'000;

}  // namespace

Requeue::Requeue(const Stores& stores, const ports::Router* router, const system::Clock& clock)
    : stores_(stores), router_(router), clock_(clock), lane_(stores.of(SpoolId::dead).lane(kDeadLane)) {}

std::vector<Sequence> Requeue::letters() const {
  std::vector<Sequence> letters;
  std::vector<spool::Frame> frames;
  for (Sequence at;;) {
    frames.clear();
    const Result<Sequence> next =
        stores_.of(SpoolId::dead).read(lane_, at, kLettersAtOnce, std::size_t{8} << 20, frames);
    for (const spool::Frame& frame : frames) letters.push_back(frame.sequence);
    if (!next || (frames.empty() && *next == at)) return letters;
    at = *next;
  }
}

Result<DeadLetter> Requeue::find(Sequence letter) const {
  std::vector<spool::Frame> frames;
  const Result<Sequence> read = stores_.of(SpoolId::dead).read(lane_, letter, 1, 1, frames);
  if (!read) return fail(read.error());
  if (frames.empty() || frames.front().sequence != letter) {
    return fail(Errc::invalid, "there is no dead letter " + std::to_string(letter.value()));
  }
  return decode_dead_letter(frames.front().payload);
}

Result<EncodedRecords> Requeue::records_of(const DeadLetter& letter) const {
  if (letter.kind == DeadLetter::Kind::raw) {
    return fail(Errc::refused, "it never became a reading: mend the payload at its sender, then drop the letter");
  }
  if (letter.kind == DeadLetter::Kind::record) {
    Result<Record> record = decode_record(letter.payload);
    if (!record) return fail(record.error());
    record->identity = letter.identity;
    EncodedRecords records;
    records.add(*record);
    return records;
  }
  if (router_ == nullptr)
    return fail(Errc::refused, "it is a reading: name the configuration whose rules it goes through");
  JsonParser parser;
  const Result<Value> document = parser.parse(letter.payload);
  Reading reading;
  std::string why;
  if (!document || !reading_from_value(*document, reading, why)) {
    return fail(Errc::refused, "its payload is not a whole reading" + (why.empty() ? why : ": " + why));
  }
  ports::Routed routed;
  router_->open()->route(reading, {clock_.boot_now()}, routed);
  if (!routed.set_aside.empty()) {
    return fail(Errc::refused,
                "rule '" + routed.set_aside[0].rule + "' fails on it again: " + routed.set_aside[0].reason);
  }
  if (routed.verdict == ports::Verdict::absorbed) {
    return fail(Errc::refused, "today's rules gather such readings (a window); it came too late for that");
  }
  if (routed.records.empty()) return fail(Errc::refused, "today's rules make no record of it: drop it");
  return std::move(routed.records);
}

Result<void> Requeue::append(const EncodedRecords& records) const {
  AppendBatch batch;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Priority priority = records.priority(i);
    const SpoolId spool = spool_of(priority);
    batch.add(spool, stores_.of(spool).lane(records.sink(i)), klass_of(priority), false,
              [&](std::string& out) { records.append_to(out, i); });
  }
  batch.end_group();
  const Result<ports::Ticket> ticket = batch.append(stores_);
  if (!ticket) return fail(ticket.error());
  const auto deadline = std::chrono::steady_clock::now() + kDurableMost;
  while (!stores_.durable().covers(*ticket)) {
    if (std::chrono::steady_clock::now() > deadline) return fail(Errc::timeout, "the disk does not take it");
    std::this_thread::sleep_for(kDurableStep);
  }
  return {};
}

Result<std::size_t> Requeue::requeue(Sequence letter) {
  const auto in = [&](const Error& error) { return error.in("dead letter " + std::to_string(letter.value())); };
  const Result<DeadLetter> found = find(letter);
  if (!found) return fail(found.error());
  const Result<EncodedRecords> records = records_of(*found);
  if (!records) return fail(in(records.error()));
  if (const Result<void> appended = append(*records); !appended) return fail(in(appended.error()));
  stores_.of(SpoolId::dead).settle(lane_, letter, spool::Outcome::delivered);
  return records->size();
}

Result<void> Requeue::drop(Sequence letter) {
  if (const Result<DeadLetter> found = find(letter); !found && found.error().code == Errc::invalid) {
    return fail(found.error());
  }
  stores_.of(SpoolId::dead).settle(lane_, letter, spool::Outcome::dropped);
  return {};
}

}  // namespace railhead::flow
