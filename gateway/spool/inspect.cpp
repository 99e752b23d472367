#include "gateway/spool/inspect.h"

#include <algorithm>
#include <ostream>

#include "gateway/base/json_text.h"
#include "gateway/base/text.h"
#include "gateway/spool/recovery.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"
#include "gateway/system/clock.h"

namespace railhead::spool {
namespace {

struct Look {
  Recovered found;
  bool running = false;  // another process has it open
};

Result<Look> look(system::Disk& disk, const std::string& directory, const ReadProgress& progress) {
  Look look;
  std::unique_ptr<system::Disk::Lock> lock;
  if (disk.exists(directory + "/lock")) {
    Result<std::unique_ptr<system::Disk::Lock>> taken = disk.lock(directory + "/lock");
    look.running = !taken && taken.error().code == Errc::unavailable;
    if (taken) lock = std::move(*taken);
  }
  const std::uint64_t machine = machine_hash(system::machine_id());
  Result<Recovered> found = recover(disk, {directory, machine, parse_boot_id(system::boot_id()), Epoch(1), progress});
  if (!found) return fail(found.error());
  if (found->fresh && found->repairs.empty()) return fail(Errc::invalid, directory + " holds no spool");
  look.found = std::move(*found);
  return look;
}

std::string hex(std::uint64_t number) { return segment_name(number).substr(0, 16); }

std::string in_quotes(std::string_view text) {
  std::string json;
  base::write_json_text(text, json);
  return json;
}

std::uint64_t total_unsettled(const Recovered& found) {
  std::uint64_t records = 0;
  for (const auto& segment : found.segments.all()) records += segment->unsettled;
  return records;
}

void print_lanes(const Recovered& found, std::ostream& out) {
  for (std::size_t i = 0; i < found.lanes.size(); ++i) {
    const status::LaneLedger& ledger = found.ledgers[i];
    out << "lane " << found.lanes[i] << ": carried over " << ledger.carried_over << " + accepted " << ledger.accepted
        << " = delivered " << ledger.delivered << " + spooled " << ledger.spooled << " + held " << ledger.held
        << " + set aside " << ledger.set_aside << " + expired " << ledger.expired << " + damaged " << ledger.damaged
        << " + dropped " << ledger.dropped << "; repeats " << ledger.repeats
        << (ledger.adds_up() ? "" : "  DOES NOT ADD UP") << "\n";
  }
}

}  // namespace

Condition verify(system::Disk& disk, const std::string& directory, std::ostream& out, const ReadProgress& progress) {
  const Result<Look> looked = look(disk, directory, progress);
  if (!looked) {
    out << "unusable: " << looked.error().what << "\n";
    return Condition::unusable;
  }
  const Recovered& found = looked->found;
  std::uint64_t bytes = 0;
  for (const auto& segment : found.segments.all()) bytes += segment->used;
  out << directory << (looked->running ? " (in use): " : ": ") << found.segments.all().size() << " segments, "
      << base::format_size(bytes) << ", " << total_unsettled(found) << " records owed, next sequence "
      << found.durable.value() + 1 << "\n";
  print_lanes(found, out);
  bool damaged = found.known_holes > 0;
  if (found.known_holes > 0) out << found.known_holes << " damaged parts are zeros or already in damaged/\n";
  for (const std::string& complaint : found.complaints) {
    // Segments that are trimmed while we read look as if they were missing.
    if (looked->running && complaint.find(" records are lost") != std::string::npos) continue;
    out << complaint << "\n";
    damaged = true;
  }
  for (const status::LaneLedger& ledger : found.ledgers) damaged = damaged || !ledger.adds_up();
  if (found.cut_bytes > 0) {
    out << "an unfinished write at the end" << (looked->running ? "\n" : " will be cut off at the next start\n");
  } else if (!found.new_epoch_why.empty()) {
    out << "the next start begins a new epoch: " << found.new_epoch_why << "\n";
    damaged = damaged || found.new_epoch_why.find("lane states") != std::string::npos;
  }
  out << (damaged ? "damaged, but usable\n" : "whole\n");
  return damaged ? Condition::damaged : Condition::whole;
}

Result<void> dump(system::Disk& disk, const std::string& directory, const DumpOptions& options,
                  const PayloadMembers& payload, std::ostream& out, const ReadProgress& progress) {
  const Result<Look> looked = look(disk, directory, progress);
  if (!looked) return fail(looked.error());
  const Recovered& found = looked->found;
  if (options.lane && std::find(found.lanes.begin(), found.lanes.end(), *options.lane) == found.lanes.end()) {
    return fail(Errc::invalid, directory + " has no lane '" + *options.lane + "'");
  }
  std::string line;
  for (const auto& segment : found.segments.all()) {
    if (segment->last < options.from || (segment->unsettled == 0 && !options.settled)) continue;
    if (options.through && *options.through < segment->first()) break;
    const auto file = disk.open(directory + "/" + segment_name(*segment->header), system::OpenMode::read);
    if (!file && looked->running) continue;  // trimmed meanwhile
    const Result<ReadBack> read = file ? read_whole(**file, segment->used) : fail(file.error());
    if (!read) return fail(read.error());
    const auto visit = [&](const ScannedFrame& frame) {
      const FrameHeader& header = frame.header;
      if (header.sequence < options.from || header.lane >= segment->lane_of->size()) return;
      const LaneId lane = (*segment->lane_of)[header.lane];
      const std::string& lane_name = found.lanes[lane.value()];
      const bool settled = segment->settled(lane, header.sequence);
      if ((settled && !options.settled) || (header.internal && !options.internal)) return;
      if (options.lane && lane_name != *options.lane) return;
      if (options.through && *options.through < header.sequence) return;
      if (options.since && header.appended < *options.since) return;
      if (options.until && *options.until < header.appended) return;
      line = "{\"sequence\":" + std::to_string(header.sequence.value());
      line += ",\"epoch\":\"" + hex(segment->header->epoch.value()) + "\"";
      line += ",\"lane\":" + in_quotes(lane_name);
      line += ",\"appended\":\"" + to_rfc3339(header.appended) + "\"";
      line += header.clock_trusted ? ",\"clock\":\"trusted\"" : ",\"clock\":\"unsynced\"";
      line += settled ? ",\"settled\":true" : ",\"settled\":false";
      if (header.internal) line += ",\"internal\":true";
      if (payload) payload(frame.payload, line);
      line += "}\n";
      out << line;
    };
    static_cast<void>(scan_segment(read->bytes, *segment->header, segment->last.next().value(), visit));
  }
  out.flush();
  return {};
}

Result<void> stats(system::Disk& disk, const std::string& directory, std::ostream& out, const ReadProgress& progress) {
  const Result<Look> looked = look(disk, directory, progress);
  if (!looked) return fail(looked.error());
  const Recovered& found = looked->found;
  std::uint64_t allocated = 0;
  std::uint64_t records = 0;
  for (const auto& segment : found.segments.all()) {
    allocated += segment->allocated;
    for (const LaneCount& count : segment->lanes) records += count.total;
  }
  out << "epoch " << hex(found.epoch.value()) << (found.earlier.empty() ? "" : ", earlier ones ");
  out << (found.earlier.empty() ? "" : std::to_string(found.earlier.size())) << "\n";
  out << "segments " << found.segments.all().size() << ", " << base::format_size(allocated) << ", records " << records
      << ", owed " << total_unsettled(found) << "\n";
  if (!found.segments.empty()) {
    out << "sequences " << found.segments.all().front()->first().value() << " to " << found.durable.value()
        << ", oldest segment made " << to_rfc3339_ms(found.segments.all().front()->header->made) << "\n";
  }
  print_lanes(found, out);
  return {};
}

}  // namespace railhead::spool
