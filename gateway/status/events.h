// The event table: everything worth telling an operator, one row each: name, level, the sentence, what he should do.
// report() (reporter.h) is the only way to print or count. docs/operations.md takes its last column from here.
// A row's counter is railhead_events_total{event="name"}.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace railhead::status {

enum class Level : std::uint8_t { info, warning, error };

// clang-format off
#define RAILHEAD_EVENTS(X) \
  /* the process */ \
  X(started,               info,    "railhead is running",                        "") \
  X(stopping,              info,    "stopping: sources first, then the spool, then the sinks", "") \
  X(stopped,               info,    "stopped",                                    "") \
  X(config_refused,        error,   "the new configuration was refused, the old one stays", "run railhead check and mend what it names") \
  X(config_last_good,      error,   "the configuration is broken: the last good one runs in its place", "run railhead check and mend what it names, then railhead reload") \
  X(config_not_kept,       warning, "no copy of the configuration could be kept: if its files break, the next start has none", "check the spool's directory") \
  X(config_applied,        info,    "configuration applied",                      "") \
  X(thread_failed,         error,   "a part of the gateway ended by an error",    "report this: the program is wrong") \
  X(clock_stepped,         warning, "the wall clock stepped",                     "check time synchronisation") \
  /* the spool */ \
  X(spool_opened,          info,    "spool opened",                               "") \
  X(spool_epoch_begun,     warning, "the spool began a new epoch",                "expected after a clone, a restore or a damaged tail; identities start afresh") \
  X(spool_tail_cut,        info,    "an unfinished write at the end of the spool was cut off", "nothing: it was never acknowledged") \
  X(spool_damaged,         error,   "a part of the spool is damaged or gone",     "check the disk; what can be kept of it is in damaged/") \
  X(spool_unreadable,      error,   "the spool cannot be read: records wait", "check the disk; it is tried again by itself") \
  X(spool_dropped,         warning, "the spool is full: oldest records dropped",  "raise spool.limit, or bring the upstream back") \
  X(spool_aged,            warning, "records older than spool.age expired",       "bring the upstream back, or raise spool.age") \
  X(spool_full,            error,   "the spool is full: the field is no longer acknowledged", "bring the upstream back or raise spool.limit") \
  X(disk_failed,           error,   "the disk does not take writes: nothing is acknowledged", "check space, mount and health of the disk") \
  X(disk_recovered,        info,    "the disk takes writes again",                "") \
  X(dead_letter,           warning, "a message was set aside",                    "railhead dead list shows it with its reason") \
  X(lane_orphaned,         warning, "records wait for a sink that is no longer configured", "put the sink back, or railhead spool replay / drop") \
  /* the field */ \
  X(source_connected,      info,    "source connected",                           "") \
  X(source_lost,           warning, "source lost its connection",                 "check the device, the broker and the cable; it is tried again by itself") \
  X(device_down,           warning, "device does not answer",                     "check power, address and wiring; the other devices go on") \
  X(device_up,             info,    "device answers again",                       "") \
  X(models_found,          info,    "a device's SunSpec models were looked for",  "") \
  X(model_missing,         warning, "a device lacks a SunSpec model that is to be read", "railhead probe modbus URL --sunspec shows what it has; it is looked for again ever more rarely") \
  X(request_refused,       warning, "device refused a request",                   "compare the addresses with the vendor's register map") \
  X(answer_discarded,      warning, "an answer that fits no open request was discarded", "the device is slower than timeout, or another master talks to it") \
  X(poll_missed,           warning, "polls were left out",                        "`why` is the reason: see source_lost; mend or take out the silent devices, or lower their timeout; or raise every, or move devices to another link") \
  X(reading_superseded,    warning, "readings were left out while the spool takes none; the newest of each device is kept", "see why the spool does not take readings") \
  X(payload_refused,       warning, "a payload could not be read and was set aside", "railhead dead show has the bytes; check payload: in the subscription") \
  X(payload_time_missing,  warning, "a payload did not give its time: the time of arrival counts", "compare `time:` of the subscription with the payload") \
  X(session_lost,          warning, "the broker forgot our session",              "messages published meanwhile are gone at the broker; check its persistence") \
  X(session_left,          warning, "the client_id of a source was changed: what the broker keeps for the old one is not read any more", "set the old client_id again for as long as messages come, or delete that session at the broker") \
  X(session_taken_over,    warning, "another client took over our session at the broker", "give each client its own client_id; it comes back after a long wait instead of fighting") \
  X(session_shortened,     warning, "the broker keeps our session for less time than asked", "raise the broker's limit: what is published while we are away for longer is lost there") \
  X(quota_exceeded,        info,    "the broker sends more at once than the receive maximum", "nothing is lost: it is taken all the same; a newer broker keeps to it") \
  X(broker_redirects,      warning, "the broker sends us to another server",      "change url, or allow it with follow_redirects") \
  X(subscription_refused,  error,   "the broker refused a subscription",          "check the rights of the user and the topic; it is asked for again after some minutes, the other subscriptions go on") \
  X(subscription_lowered,  warning, "the broker granted a lower QoS than asked",  "messages of this topic may be lost on the way; check the broker's limits") \
  X(subscription_stale,    warning, "the broker still sends a topic that is no longer subscribed", "nothing is lost: it is ignored and counted; the source unsubscribes at its next connection what an earlier configuration subscribed; delete the session at the broker if it goes on") \
  X(modbus_command_done,   info,    "a command was carried out",                  "") \
  X(modbus_command_refused, warning, "a command was not carried out, or perhaps: `result` says which", "railhead dead show has it with the reason; look at the device before it is given again") \
  /* the rules */ \
  X(own_readings_left_out, warning, "events came faster than readings of them are made: the rest is only in the log", "look at the log for the event that repeats; a rule on the source railhead may feed itself") \
  X(rule_failed,           warning, "a rule failed on a reading",                 "try the reading with railhead try") \
  X(rule_state_dropped,    warning, "what rules remembered before the start belongs to no rule of today", "nothing: it is of a rule or source that was changed or removed while the gateway was stopped, or just before it was killed") \
  X(rule_debts_lost,       error,   "the spool did not take what rules still owed of a removed source", "see why the spool takes nothing: spool.limit, the disk") \
  X(reading_late,          warning, "readings came after their window had closed, or lie more than an hour ahead", "raise late: of the window, or check the sensor's clock") \
  X(rule_keys_full,        warning, "a rule has reached its bound of keys: readings of new ones are dropped", "raise keys: or limit:, or choose fewer keys") \
  X(sequence_gap,          warning, "numbered readings are missing",               "check the way between sensor and gateway") \
  X(sequence_repeated,     warning, "numbered readings came again",                "nothing, unless it goes on: the sensor or its broker repeats itself") \
  X(sequence_restarted,    info,    "a sensor began its numbers afresh",           "") \
  X(table_read,            info,    "a table was read anew",                       "") \
  X(table_refused,         warning, "a new version of a table was refused, the old one stays", "mend the file it names") \
  /* the upstream */ \
  X(sink_connected,        info,    "sink connected",                             "") \
  X(sink_lost,             warning, "sink lost its connection: records wait in the spool", "check the upstream; it is tried again by itself") \
  X(sink_refused,          warning, "the upstream refused a record",              "railhead dead show has the record and the upstream's reason") \
  X(sink_rebuilt,          warning, "the sink started afresh and sends again from its mark", "nothing: repeats carry the same identity") \
  X(sink_retried,          warning, "the upstream refused a record for now: it is sent again later", "check limits and alarms at the broker") \
  X(sink_topic_held,       warning, "the upstream does not take this topic now: its records wait, other topics go on", "create the topic, grant the right to write it, or raise its size limit; it is tried again by itself") \
  X(sink_blocked,          warning, "the broker takes nothing because of its memory or disk alarm", "free memory or disk at the broker; it is tried again by itself") \
  X(sink_unblocked,        info,    "the broker takes records again",             "") \
  /* the panel */ \
  X(control_failed,        warning, "the control socket cannot be opened: railhead status, health and reload do not work", "check the folder of the socket and whether another gateway runs") \
  X(page_failed,           warning, "the page of panel.http cannot be served: no status page, no metrics", "check the address and whether another program has the port") \
  X(led_failed,            warning, "the status LED cannot be driven",            "check panel.led and the rights on the LED's files") \
  X(health_changed,        info,    "health changed",                             "railhead health says why")
// clang-format on

enum class Event : std::uint16_t {
#define RAILHEAD_EVENT_NAME(name, level, sentence, action) name,
  RAILHEAD_EVENTS(RAILHEAD_EVENT_NAME)
#undef RAILHEAD_EVENT_NAME
};

struct EventRow {
  std::string_view name;
  Level level;
  std::string_view sentence;
  std::string_view action;
};

inline constexpr std::array kEvents{
#define RAILHEAD_EVENT_ROW(name, level, sentence, action) EventRow{#name, Level::level, sentence, action},
    RAILHEAD_EVENTS(RAILHEAD_EVENT_ROW)
#undef RAILHEAD_EVENT_ROW
};

[[nodiscard]] constexpr const EventRow& row_of(Event event) { return kEvents[static_cast<std::size_t>(event)]; }

}  // namespace railhead::status
