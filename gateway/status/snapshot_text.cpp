#include <algorithm>
#include <cstdio>

#include "gateway/base/text.h"
#include "gateway/status/health.h"
#include "gateway/status/snapshot.h"

namespace railhead::status {
namespace {

constexpr std::size_t kEventsShown = 5;
constexpr std::size_t kColumnMax = 60;

// "2 h 5 min": the two largest units.
std::string span_text(Duration span) {
  const auto total = std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(span).count());
  const std::pair<std::int64_t, const char*> units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
  for (std::size_t i = 0; i < std::size(units); ++i) {
    const auto [size, name] = units[i];
    if (total < size && i + 1 < std::size(units)) continue;
    std::string text = std::to_string(total / size) + name;
    if (i + 1 < std::size(units)) {
      const auto [smaller, smaller_name] = units[i + 1];
      const std::int64_t rest = total % size / smaller;
      if (rest > 0) text += " " + std::to_string(rest) + smaller_name;
    }
    return text;
  }
  return {};
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// At most kColumnMax characters: the whole reason stands above, under the state.
std::string shortened(const std::string& text) {
  if (width_of(text) <= kColumnMax) return text;
  std::size_t end = 0;
  for (std::size_t characters = 0; characters < kColumnMax - 3; ++characters) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  }
  return text.substr(0, end) + "...";
}

class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::string& out) const {
    if (rows_.size() == 1) return;
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    out += '\n';
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        const std::size_t width = width_of(row[i]);
        line.append(width < widths[i] ? widths[i] - width : 0, ' ');
        line += "  ";
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + '\n';
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "31 h", "0.4 h"
std::string hours_text(Duration span) {
  const double hours = static_cast<double>(span.count()) / 3.6e12;
  char text[32];
  std::snprintf(text, sizeof text, hours < 10 ? "%.1f h" : "%.0f h", hours);
  return text;
}

// "12 MiB, x1.3"
std::string written_text(const SpoolStatus& spool) {
  if (spool.payload_bytes == 0) return base::format_size(spool.bytes_written);
  char text[32];
  std::snprintf(text, sizeof text, ", x%.1f", write_amplification(spool));
  return base::format_size(spool.bytes_written) + text;
}

std::string terms(std::initializer_list<std::pair<const char*, std::uint64_t>> all) {
  std::string text;
  for (const auto& [name, count] : all) {
    if (count == 0) continue;
    if (!text.empty()) text += " + ";
    text += std::string(name) + " " + std::to_string(count);
  }
  return text.empty() ? "0" : text;
}

std::string_view verdict(bool adds_up) { return adds_up ? "adds up" : "DOES NOT ADD UP"; }

// The spool is named only where it tells two lanes apart.
std::string lane_name(const Snapshot& snapshot, const LaneStatus& lane) {
  const auto same = std::count_if(snapshot.lanes.begin(), snapshot.lanes.end(),
                                  [&](const LaneStatus& other) { return other.sink == lane.sink; });
  return same > 1 ? lane.sink + " (" + lane.spool + ")" : lane.sink;
}

void print_ledgers(const Snapshot& snapshot, std::string& out) {
  const ReadingLedger& in = snapshot.readings;
  out += "\nreadings in " + std::to_string(in.in) + " = " +
         terms({{"routed", in.routed},
                {"filtered", in.filtered},
                {"absorbed", in.absorbed},
                {"redelivered", in.redelivered},
                {"refused", in.refused},
                {"set aside", in.set_aside},
                {"dropped", in.dropped},
                {"unrouted", in.unrouted}}) +
         "  (" + std::string(verdict(in.adds_up())) + ")\n";
  for (const LaneStatus& lane : snapshot.lanes) {
    const LaneLedger& its = lane.ledger;
    out += "records for " + lane_name(snapshot, lane) + ": " +
           terms({{"carried over", its.carried_over}, {"accepted", its.accepted}}) + " = " +
           terms({{"delivered", its.delivered},
                  {"spooled", its.spooled},
                  {"held", its.held},
                  {"set aside", its.set_aside},
                  {"expired", its.expired},
                  {"damaged", its.damaged},
                  {"dropped", its.dropped}}) +
           "  (" + std::string(verdict(its.adds_up())) + ")";
    if (its.repeats > 0) out += "  repeats " + std::to_string(its.repeats);
    out += '\n';
  }
}

}  // namespace

std::string to_text(const Snapshot& snapshot) {
  const Health health = judge(snapshot);
  std::string out = snapshot.gateway + ": " + std::string(name_of(health.state)) + ", railhead " + snapshot.version +
                    ", up " + span_text(snapshot.uptime) + (snapshot.stopping ? ", stopping" : "") + "\n";
  for (const Reason& reason : health.reasons) {
    out += "  " + std::string(name_of(reason.state)) + ": " + reason.what + "\n";
    if (!reason.action.empty()) out += "      " + reason.action + "\n";
  }
  if (!snapshot.config_diagnostics.empty()) out += "\n" + snapshot.config_diagnostics + "\n";
  print_ledgers(snapshot, out);

  Table sources({"source", "kind", "state", "devices", "readings", "last", "why"});
  for (const SourceStatus& source : snapshot.sources) {
    const std::string devices =
        source.devices_total == 0
            ? "-"
            : std::to_string(source.devices_total - std::min(source.devices_down, source.devices_total)) + "/" +
                  std::to_string(source.devices_total) + " up";
    sources.add({source.name, source.kind, std::string(name_of(source.state)), devices, std::to_string(source.readings),
                 source.last_reading ? span_text(*source.last_reading) + " ago" : "-", shortened(source.why)});
  }
  sources.print(out);

  Table lanes({"sink", "kind", "state", "backlog", "bytes", "oldest", "why"});
  for (const LaneStatus& lane : snapshot.lanes) {
    lanes.add({lane_name(snapshot, lane), lane.kind.empty() ? "-" : lane.kind,
               lane.orphaned ? "orphaned" : std::string(name_of(lane.state)), std::to_string(lane.backlog),
               base::format_size(lane.backlog_bytes), lane.oldest_unsettled ? span_text(*lane.oldest_unsettled) : "-",
               shortened(lane.why)});
  }
  lanes.print(out);

  Table spools({"spool", "used", "limit", "full in", "written", "syncs", "dropped", "state"});
  for (const SpoolStatus& spool : snapshot.spools) {
    std::string state = spool.failing ? "disk failing" : spool.blocking ? "full" : "ok";
    if (!spool.why.empty()) state += ": " + shortened(spool.why);
    spools.add({spool.name, base::format_size(spool.used_bytes), base::format_size(spool.limit_bytes),
                spool.full_in ? hours_text(*spool.full_in) : "-", written_text(spool), std::to_string(spool.syncs),
                std::to_string(spool.dropped), state});
  }
  spools.print(out);

  out += "\ndead letters " + std::to_string(snapshot.dead_letters.count) + " (" +
         base::format_size(snapshot.dead_letters.bytes) + ")\n";

  const std::size_t first = snapshot.events.size() - std::min(kEventsShown, snapshot.events.size());
  if (!snapshot.events.empty()) out += "\nlatest events\n";
  for (std::size_t i = first; i < snapshot.events.size(); ++i) {
    const RecentEvent& event = snapshot.events[i];
    out += "  " + to_rfc3339_ms(event.time) + " " + std::string(name_of(row_of(event.event).level)) + " " +
           std::string(row_of(event.event).name);
    for (const auto& [name, value] : event.fields) {
      out += ' ';
      append_text_field(name, value, out);
    }
    if (event.repeated > 0) out += " (and " + std::to_string(event.repeated) + " times again)";
    out += ": " + std::string(row_of(event.event).sentence) + "\n";
  }
  return out;
}

}  // namespace railhead::status
