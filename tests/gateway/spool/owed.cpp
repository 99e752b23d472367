#include "tests/gateway/spool/owed.h"

#include "gateway/spool/format.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/manual_clock.h"

namespace railhead::spool {
namespace {

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

std::string named(std::uint64_t sequence) { return "record " + std::to_string(sequence); }

}  // namespace

std::string read_everything(Spool& spool, std::vector<Frame>& frames) {
  for (const LaneInfo& lane : spool.lanes()) {
    Sequence before;
    for (Sequence at(1);;) {
      const std::size_t known = frames.size();
      const Result<Sequence> next = spool.read(lane.id, at, 1000, 100'000, frames);
      if (!next) return "lane " + lane.name + " cannot be read: " + next.error().what;
      for (std::size_t i = known; i < frames.size(); ++i) {
        if (frames[i].sequence <= before) {
          return "lane " + lane.name + " gives " + named(frames[i].sequence.value()) + " behind " +
                 std::to_string(before.value());
        }
        before = frames[i].sequence;
      }
      if (*next == at) break;
      at = *next;
    }
  }
  return {};
}

std::string Owed::problem_of(Spool& spool, std::uint64_t acknowledged_now, Owed& survived) const {
  std::vector<Frame> frames;
  if (std::string problem = read_everything(spool, frames); !problem.empty()) return problem;
  std::map<std::uint32_t, LaneInfo> lanes;
  for (LaneInfo& lane : spool.lanes()) lanes.emplace(lane.id.value(), std::move(lane));
  std::map<std::string, std::uint64_t> owed_now;
  std::map<std::string, std::uint64_t> missing;

  const auto strange = [&](const Frame& frame) -> std::string {
    const std::uint64_t sequence = frame.sequence.value();
    const auto known = records.find(sequence);
    if (known == records.end()) return named(sequence) + " was never appended, or settled long ago";
    const OwedRecord& record = known->second;
    if (frame.payload != record.payload) return named(sequence) + " has another payload";
    if (lanes.at(frame.lane.value()).name != record.lane) return named(sequence) + " changed its lane";
    if (frame.klass != record.klass || frame.internal != record.internal) return named(sequence) + " changed its flags";
    if (frame.epoch != record.epoch) return named(sequence) + " changed its epoch";
    return {};
  };
  for (const Frame& frame : frames) {
    if (std::string problem = strange(frame); !problem.empty()) return problem;
    const std::uint64_t sequence = frame.sequence.value();
    if (saved.count(sequence) != 0) return named(sequence) + " was settled, saved, and is owed again";
    if (!survived.records.emplace(sequence, records.at(sequence)).second) return named(sequence) + " is there twice";
    ++owed_now[lanes.at(frame.lane.value()).name];
  }

  std::map<std::uint64_t, std::size_t> young_groups;
  std::string problem;
  const Result<void> walked = spool.for_each(Sequence(1), [&](const Frame& frame) {
    const auto known = records.find(frame.sequence.value());
    if (known == records.end()) {
      if (frame.settled) return;  // settled in an earlier round, and not yet gone
      problem = named(frame.sequence.value()) + " is on the disk and was never appended";
      return;
    }
    if (frame.sequence.value() > acknowledged_now) ++young_groups[known->second.group];
    if (problem.empty()) problem = strange(frame);
    if (!frame.settled && survived.records.count(frame.sequence.value()) == 0 && problem.empty()) {
      problem = named(frame.sequence.value()) + " is owed and not given out";
    }
  });
  if (!walked) return "cannot walk the segments: " + walked.error().what;
  if (!problem.empty()) return problem;

  for (const auto& [sequence, record] : records) {
    if (sequence > acknowledged_now) {
      const auto found = young_groups.find(record.group);
      if (found != young_groups.end() && found->second != record.group_size) {
        return "of the group of " + named(sequence) + " " + std::to_string(found->second) + " records are there";
      }
      continue;
    }
    if (survived.records.count(sequence) == 0 && settled.count(sequence) == 0) {
      if (!may_drop) return named(sequence) + " of lane " + record.lane + " was acknowledged and is lost";
      ++missing[record.lane];
    }
  }
  for (const auto& [id, lane] : lanes) {
    const status::LaneLedger& ledger = lane.ledger;
    const auto at = before.find(lane.name);
    const status::LaneLedger old = at != before.end() ? at->second : status::LaneLedger{};
    const auto counted = settled_count.find(lane.name);
    const std::uint64_t confirmed = counted != settled_count.end() ? counted->second : 0;
    if (!ledger.adds_up()) return "the ledger of lane " + lane.name + " does not add up";
    if (ledger.damaged != old.damaged) return "a power cut damaged records of lane " + lane.name;
    if (ledger.spooled + ledger.held != owed_now[lane.name]) {
      return "lane " + lane.name + " counts " + std::to_string(ledger.spooled) + " records and has " +
             std::to_string(owed_now[lane.name]);
    }
    if (ledger.delivered + ledger.expired > old.delivered + old.expired + confirmed) {
      return "lane " + lane.name + " counts more as settled than any sink confirmed";
    }
    if (missing[lane.name] > ledger.dropped - old.dropped || (!may_drop && ledger.dropped != old.dropped)) {
      return "lane " + lane.name + " lost " + std::to_string(missing[lane.name]) + " records and counts " +
             std::to_string(ledger.dropped - old.dropped) + " as dropped";
    }
    survived.before[lane.name] = ledger;
  }
  // No identity twice (S1).
  if (spool.next().value() <= acknowledged_now && spool.epoch() == epoch) return "sequences will be used again";
  survived.acknowledged = std::min(acknowledged_now, spool.durable().value());
  survived.epoch = spool.epoch();
  if (spool.usage().failing) return "the disk counts as failing: " + spool.usage().why;
  return {};
}

std::string Owed::problem_of(const test::FrozenDisk& image, std::uint64_t acknowledged_now, const SpoolOptions& options,
                             Owed& survived) const {
  test::FrozenDisk once;
  std::uint64_t next = 0;
  for (const bool again : {false, true}) {
    test::CrashDisk disk(again ? once : image);
    test::ManualClock clock;
    test::CapturingReporter reporter;
    Owed found;
    {
      const auto opened = Spool::open(disk, clock, options, reporter);
      const std::string when = again ? "opened again: " : "";
      if (!opened) return when + "recovery failed: " + opened.error().what;
      const std::string problem = problem_of(**opened, acknowledged_now, found);
      if (!problem.empty()) return when + problem + text_of(reporter.lines());
      if (reporter.count(status::Event::spool_damaged) > 0) return when + "damage" + text_of(reporter.lines());
      if (again && ((*opened)->epoch() != survived.epoch || (*opened)->next().value() != next)) {
        return "opened again: another epoch or another next sequence" + text_of(reporter.lines());
      }
      if (again && found.records.size() != survived.records.size()) return "opened again: other records";
      if (again && found.before != survived.before) return "opened again: other counts";
      next = (*opened)->next().value();
    }
    const test::FrozenDisk after = disk.frozen();
    for (const auto& [path, file] : after.files) {
      // A header that was being written may be torn; a whole one is a segment that was taken for somebody else's.
      if (path.find("/damaged/") != std::string::npos && image.files.count(path) == 0 && decode_header(file.text())) {
        return path + " was set aside with a whole header" + text_of(reporter.lines());
      }
    }
    if (again && after.hash() != once.hash()) return "a second recovery changed the disk" + text_of(reporter.lines());
    once = after;
    if (!again) survived = std::move(found);
  }
  return {};
}

}  // namespace railhead::spool
