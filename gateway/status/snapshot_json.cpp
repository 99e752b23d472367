#include <cmath>

#include "gateway/status/health.h"
#include "gateway/status/json_writer.h"
#include "gateway/status/snapshot.h"

namespace railhead::status {
namespace {

double seconds(Duration span) {
  return static_cast<double>(std::chrono::round<std::chrono::milliseconds>(span).count()) / 1000.0;
}

void age_field(JsonWriter& json, std::string_view name, const std::optional<Duration>& age) {
  if (age) {
    json.field(name, seconds(*age));
  } else {
    json.null_field(name);
  }
}

void write_health(JsonWriter& json, const Health& health) {
  json.field("state", name_of(health.state));
  json.begin_list("reasons");
  for (const Reason& reason : health.reasons) {
    json.begin_object();
    json.field("state", name_of(reason.state));
    json.field("what", reason.what);
    json.field("action", reason.action);
    json.end_object();
  }
  json.end_list();
}

void write_readings(JsonWriter& json, const ReadingLedger& ledger) {
  json.begin_object("readings");
  json.field("in", ledger.in);
  json.field("redelivered", ledger.redelivered);
  json.field("refused", ledger.refused);
  json.field("routed", ledger.routed);
  json.field("absorbed", ledger.absorbed);
  json.field("set_aside", ledger.set_aside);
  json.field("dropped", ledger.dropped);
  json.field("filtered", ledger.filtered);
  json.field("unrouted", ledger.unrouted);
  json.field("adds_up", ledger.adds_up());
  json.end_object();
}

void write_source(JsonWriter& json, const SourceStatus& source) {
  json.begin_object();
  json.field("name", source.name);
  json.field("kind", source.kind);
  json.field("state", name_of(source.state));
  json.field("why", source.why);
  json.field("devices_total", source.devices_total);
  json.field("devices_down", source.devices_down);
  json.field("busy_permille", source.busy_permille);
  json.field("readings", source.readings);
  age_field(json, "last_reading_s", source.last_reading);
  json.end_object();
}

void write_lane(JsonWriter& json, const LaneStatus& lane) {
  json.begin_object();
  json.field("sink", lane.sink);
  json.field("kind", lane.kind);
  json.field("spool", lane.spool);
  json.field("state", name_of(lane.state));
  json.field("why", lane.why);
  json.field("orphaned", lane.orphaned);
  json.field("backlog", lane.backlog);
  json.field("backlog_bytes", lane.backlog_bytes);
  age_field(json, "oldest_s", lane.oldest_unsettled);
  json.begin_object("records");
  json.field("carried_over", lane.ledger.carried_over);
  json.field("accepted", lane.ledger.accepted);
  json.field("delivered", lane.ledger.delivered);
  json.field("spooled", lane.ledger.spooled);
  json.field("held", lane.ledger.held);
  json.field("set_aside", lane.ledger.set_aside);
  json.field("expired", lane.ledger.expired);
  json.field("damaged", lane.ledger.damaged);
  json.field("dropped", lane.ledger.dropped);
  json.field("repeats", lane.ledger.repeats);
  json.field("adds_up", lane.ledger.adds_up());
  json.end_object();
  json.end_object();
}

void write_spool(JsonWriter& json, const SpoolStatus& spool) {
  json.begin_object();
  json.field("name", spool.name);
  json.field("used_bytes", spool.used_bytes);
  json.field("limit_bytes", spool.limit_bytes);
  json.field("failing", spool.failing);
  json.field("blocking", spool.blocking);
  json.field("why", spool.why);
  json.field("dropped", spool.dropped);
  age_field(json, "last_drop_s", spool.last_drop);
  json.field("damaged", spool.damaged);
  age_field(json, "last_damage_s", spool.last_damage);
  age_field(json, "full_in_s", spool.full_in);
  if (spool.full_in) {
    json.field("full_in_hours", std::round(seconds(*spool.full_in) / 360.0) / 10.0);
  } else {
    json.null_field("full_in_hours");
  }
  json.field("bytes_written", spool.bytes_written);
  json.field("payload_bytes", spool.payload_bytes);
  json.field("write_amplification", std::round(write_amplification(spool) * 1000.0) / 1000.0);
  json.field("syncs", spool.syncs);
  json.field("compactions", spool.compactions);
  json.end_object();
}

void write_event(JsonWriter& json, const RecentEvent& event) {
  const EventRow& row = row_of(event.event);
  json.begin_object();
  json.field("number", event.number);
  json.field("time", to_rfc3339_ms(event.time));
  json.field("level", name_of(row.level));
  json.field("event", row.name);
  json.begin_object("fields");
  for (const auto& [name, value] : event.fields) json.field(name, value);
  json.end_object();
  json.field("repeated", event.repeated);
  json.field("sentence", row.sentence);
  json.field("action", row.action);
  json.end_object();
}

template <class Item>
void write_list(JsonWriter& json, std::string_view name, const std::vector<Item>& items,
                void (*write)(JsonWriter&, const Item&)) {
  json.begin_list(name);
  for (const Item& item : items) write(json, item);
  json.end_list();
}

}  // namespace

std::string_view name_of(LinkStatus::State state) {
  switch (state) {
    case LinkStatus::State::starting: return "starting";
    case LinkStatus::State::up: return "up";
    case LinkStatus::State::degraded: return "degraded";
    case LinkStatus::State::down: break;
  }
  return "down";
}

double write_amplification(const SpoolStatus& spool) {
  if (spool.payload_bytes == 0) return 0.0;
  return static_cast<double>(spool.bytes_written) / static_cast<double>(spool.payload_bytes);
}

std::string to_json(const Snapshot& snapshot) {
  JsonWriter json;
  json.begin_object();
  json.field("gateway", snapshot.gateway);
  json.field("version", snapshot.version);
  json.field("time", to_rfc3339_ms(snapshot.now));
  json.field("uptime_s", seconds(snapshot.uptime));
  json.field("stopping", snapshot.stopping);
  write_health(json, judge(snapshot));
  json.field("clock_trusted", snapshot.clock_trusted);
  json.field("config_refused", snapshot.config_refused);
  json.field("config_why", snapshot.config_why);
  json.field("config_diagnostics", snapshot.config_diagnostics);
  write_readings(json, snapshot.readings);
  json.field("unacknowledged", snapshot.unacknowledged);
  write_list(json, "sources", snapshot.sources, write_source);
  write_list(json, "lanes", snapshot.lanes, write_lane);
  write_list(json, "spools", snapshot.spools, write_spool);
  json.begin_object("dead_letters");
  json.field("count", snapshot.dead_letters.count);
  json.field("bytes", snapshot.dead_letters.bytes);
  json.field("limit_bytes", snapshot.dead_letters.limit_bytes);
  json.end_object();
  json.begin_list("parts");
  for (const PartProgress& part : snapshot.parts) {
    json.begin_object();
    json.field("name", part.name);
    json.field("since_s", seconds(part.since));
    json.field("ended", part.ended);
    json.end_object();
  }
  json.end_list();
  json.begin_object("event_counts");
  for (const auto& [name, count] : snapshot.event_counts) json.field(name, count);
  json.end_object();
  write_list(json, "events", snapshot.events, write_event);
  json.end_object();
  return json.take();
}

}  // namespace railhead::status
