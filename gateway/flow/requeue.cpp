#include "gateway/flow/requeue.h"

#include <algorithm>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/flow/append_batch.h"
#include "gateway/flow/each_owed.h"
#include "gateway/message/json.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr Duration kDurableMost = std::chrono::seconds{10};
constexpr std::size_t kAppendedAtOnce = 64;  // before the disk is waited for

void sort_out(std::vector<Sequence>& letters) {
  std::sort(letters.begin(), letters.end());
  letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
}

// Letters are left, and they stay.
bool ends(const std::function<bool()>& stop, std::vector<std::string>& errors) {
  if (!stop || !stop()) return false;
  errors.emplace_back("the gateway stops: the other letters stay");
  return true;
}

}  // namespace

struct Requeue::Appended {
  std::vector<Sequence> letters;
  std::uint64_t records = 0;
  ports::Ticket ticket;
};

Requeue::Requeue(const Stores& stores, Today today, const system::Clock& clock)
    : stores_(stores), today_(std::move(today)), clock_(clock), lane_(stores.of(SpoolId::dead).lane(kDeadLane)) {}

std::vector<Sequence> Requeue::letters() const {
  std::vector<Sequence> letters;
  // What cannot be read now is not listed.
  [[maybe_unused]] const Result<void> read = each_owed(
      stores_.of(SpoolId::dead), lane_, [&](const spool::Frame& frame) { letters.push_back(frame.sequence); });
  return letters;
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

Result<Requeue::Groups> Requeue::records_of(const DeadLetter& letter) const {
  if (letter.cut) return fail(Errc::refused, "only the beginning of its payload was kept");
  if (letter.kind == DeadLetter::Kind::record) {
    Result<Record> record = decode_record(letter.payload);
    if (!record) return fail(record.error());
    record->identity = letter.identity;
    Groups groups(1);
    groups.front().add(*record);
    return groups;
  }
  if (today_.rules == nullptr || today_.read_again == nullptr) {
    return fail(Errc::refused, "it is no record yet: name the configuration whose rules it goes through");
  }
  if (letter.kind == DeadLetter::Kind::raw) {
    const Result<std::vector<Reading>> readings =
        today_.read_again({letter.source, letter.device, letter.topic, letter.payload, {}}, letter.time);
    if (!readings) return fail(readings.error().in("its source still does not read it"));
    return records_of(*readings, {});
  }
  JsonParser parser;
  const Result<Value> document = parser.parse(letter.payload);
  Reading reading;
  std::string why;
  if (!document || !reading_from_value(*document, reading, why)) {
    return fail(Errc::refused, "its payload is not a whole reading" + (why.empty() ? why : ": " + why));
  }
  return records_of({&reading, 1}, letter.rule);
}

Result<Requeue::Groups> Requeue::records_of(std::span<const Reading> readings, const std::string& rule) const {
  std::unique_ptr<ports::RuleState> rules = rule.empty() ? nullptr : today_.rules->open_one(rule);
  const bool alone = rules != nullptr;
  if (!alone) rules = today_.rules->open();
  const std::string who = alone ? "rule '" + rule + "'" : "one of today's rules";
  Groups groups;
  for (const Reading& reading : readings) {
    ports::Routed routed;
    rules->route(reading, {clock_.boot_now()}, routed);
    if (!routed.set_aside.empty()) {
      return fail(Errc::refused,
                  "rule '" + routed.set_aside[0].rule + "' fails on it again: " + routed.set_aside[0].reason);
    }
    // Rules that had nothing and owe something now have gathered it, also when others made records.
    if (routed.verdict == ports::Verdict::absorbed || rules->next_due()) {
      return fail(Errc::refused, who + " gathers such readings (a window, a snapshot); it came too late for that");
    }
    if (!routed.records.empty()) groups.push_back(std::move(routed.records));
  }
  if (groups.empty()) {
    return fail(Errc::refused, (alone ? who + " makes" : "today's rules make") + " no record of it: drop it");
  }
  return groups;
}

Result<ports::Ticket> Requeue::append(const Groups& groups) const {
  AppendBatch batch;
  for (const EncodedRecords& records : groups) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const Priority priority = records.priority(i);
      const SpoolId spool = spool_of(priority);
      batch.add(spool, stores_.of(spool).lane(records.sink(i)), klass_of(priority), false,
                [&](std::string& out) { records.append_to(out, i); });
    }
    batch.end_group();
  }
  return batch.append(stores_);
}

bool Requeue::settle(Appended& appended, Done& done) {
  const Appended all = std::exchange(appended, {});
  for (const SpoolId id : ports::kAllSpools) {
    if (all.ticket.through[static_cast<std::size_t>(id)] == Sequence()) continue;
    if (const Result<void> durable = stores_.of(id).flush(kDurableMost); !durable) {
      done.errors.push_back(base::counted(all.letters.size(), "letter") +
                            " and all behind stay: " + durable.error().what);
      return false;
    }
  }
  for (const Sequence letter : all.letters) {
    stores_.of(SpoolId::dead).settle(lane_, letter, spool::Outcome::delivered);
  }
  done.letters += all.letters.size();
  done.records += all.records;
  return true;
}

Requeue::Done Requeue::requeue(std::vector<Sequence> letters, const std::function<bool()>& stop) {
  sort_out(letters);
  Done done;
  Appended appended;
  for (const Sequence letter : letters) {
    if (ends(stop, done.errors)) break;
    const auto stays = [&](const Error& error) {
      done.errors.push_back(error.in("dead letter " + std::to_string(letter.value())).what);
    };
    const Result<DeadLetter> found = find(letter);
    if (!found) {
      done.errors.push_back(found.error().what);
      continue;
    }
    const Result<Groups> groups = records_of(*found);
    if (!groups) {
      stays(groups.error());
      continue;
    }
    const Result<ports::Ticket> ticket = append(*groups);
    if (!ticket) {
      stays(ticket.error());
      continue;
    }
    appended.letters.push_back(letter);
    for (const EncodedRecords& records : *groups) appended.records += records.size();
    appended.ticket.raise(*ticket);
    if (appended.letters.size() >= kAppendedAtOnce && !settle(appended, done)) return done;
  }
  static_cast<void>(settle(appended, done));
  return done;
}

Requeue::Done Requeue::drop(std::vector<Sequence> letters, const std::function<bool()>& stop) {
  sort_out(letters);
  Done done;
  for (const Sequence letter : letters) {
    if (ends(stop, done.errors)) break;
    if (const Result<DeadLetter> found = find(letter); !found && found.error().code == Errc::invalid) {
      done.errors.push_back(found.error().what);
      continue;
    }
    stores_.of(SpoolId::dead).settle(lane_, letter, spool::Outcome::dropped);
    ++done.letters;
  }
  return done;
}

}  // namespace railhead::flow
