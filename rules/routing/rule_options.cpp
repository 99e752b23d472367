#include "rules/routing/rule_options.h"

namespace railhead::routing {

const config::Fields<FromOptions>& from_fields() {
  static const auto fields =
      config::Fields<FromOptions>("from", "Which readings a rule takes. What is left out does not narrow.")
          .raw("source", &FromOptions::source,
               {.sentence = "A source, or a list of them; all but `railhead`, the gateway itself, if left out.",
                .example = "boiler-house"})
          .optional(
              "device", &FromOptions::device,
              {.sentence = "A device, or a list; * stands for any text, ? for one character.", .example = "boiler-*"})
          .optional(
              "topic", &FromOptions::topic,
              {.sentence = "A topic of an MQTT source, or a list; + and {name} stand for one level, # for the rest.",
               .example = "plant/+/telemetry"});
  return fields;
}

const config::Fields<SendOptions>& send_fields() {
  static const auto fields =
      config::Fields<SendOptions>("send",
                                  "One record for each reading the rule takes. ${expression} stands in the templates.")
          .required("to", &SendOptions::to, {.sentence = "The sink.", .example = "plant-kafka"})
          .raw("when", &SendOptions::when,
               {.sentence = "Expression; nothing is sent where it is false.", .example = "value.temperature > 90"})
          .raw("topic", &SendOptions::topic,
               {.sentence = "Template; the topic, for sinks that have topics.", .example = "telemetry.${labels.site}"})
          .raw("key", &SendOptions::key,
               {.sentence = "Template; records of one key stay in order. Default source/device; null: no key.",
                .example = "${device}"})
          .raw("routing_key", &SendOptions::routing_key,
               {.sentence = "Template; the routing key of AMQP.", .example = "alarm.${labels.site}.${device}"})
          .optional("headers", &SendOptions::headers,
                    {.sentence = "Headers beside those the gateway writes; the values are templates."})
          .raw("body", &SendOptions::body,
               {.sentence =
                    "Expressions, in maps and lists as you like, written as JSON. Default: the reading as a document.",
                .example = "{ device: device, celsius: value.temperature }"})
          .choice("format", &SendOptions::format,
                  {{"json", BodyFormat::json},
                   {"raw", BodyFormat::raw},
                   {"messagepack", BodyFormat::messagepack},
                   {"cbor", BodyFormat::cbor}},
                  {.sentence = "How the body is written; raw: one expression, a text or bytes as they are."})
          .optional(
              "schema", &SendOptions::schema,
              {.sentence = "A JSON Schema (2020-12; .json or .yaml) that the consumer demands of the body: railhead "
                           "check and railhead test hold the rule against it.",
               .example = "schemas/telemetry.json"})
          .optional(
              "enforce", &SendOptions::enforce,
              {.sentence = "Also the running gateway: a body that does not fit the schema is an error of the rule "
                           "(on_error) and is never sent."})
          .choice("priority", &SendOptions::priority,
                  {{"low", Priority::low},
                   {"normal", Priority::normal},
                   {"high", Priority::high},
                   {"alarm", Priority::alarm}},
                  {.sentence = "What is dropped last when the disk is full; alarm goes to a spool of its own."})
          .optional("ttl", &SendOptions::ttl,
                    {.sentence = "The record expires if it cannot be delivered in this time; 0: never.",
                     .example = "1 h",
                     .min = "0"})
          .optional("type", &SendOptions::type, {.sentence = "The CloudEvents type; default: that of the rule."})
          .optional("content_type", &SendOptions::content_type,
                    {.sentence = "The content type of the body; default application/json, of a raw body text/plain, or "
                                 "application/octet-stream where it is known to be bytes, else application/msgpack or "
                                 "application/cbor."})
          .optional("amqp_priority", &SendOptions::amqp_priority,
                    {.sentence = "The priority of the AMQP message.", .min = 0, .max = 255})
          .marked(&SendOptions::mark);
  return fields;
}

namespace {

const config::Fields<WindowOptions>& window_fields() {
  static const auto fields =
      config::Fields<WindowOptions>("window", "Gathers readings by their time; `send` says what each window was.")
          .required("every", &WindowOptions::every,
                    {.sentence = "How long a window is; windows begin at multiples of it since 1970 UTC.",
                     .example = "1 min",
                     .min = "1 ms",
                     .max = "31 d"})
          .raw("by", &WindowOptions::by,
               {.sentence = "Expression; a window for each of its values. Left out: one for the source.",
                .example = "device"})
          .optional("late", &WindowOptions::late,
                    {.sentence = "How long a window waits for readings that come late.",
                     .example = "5 s",
                     .min = "0",
                     .max = "31 d"})
          .optional(
              "zone", &WindowOptions::zone,
              {.sentence = "Windows of whole days begin at midnight of this time zone.", .example = "Europe/Berlin"})
          .optional("keys", &WindowOptions::keys,
                    {.sentence = "How many windows may be open at once; readings beyond are dropped and counted.",
                     .min = 1,
                     .max = 1'000'000})
          .marked(&WindowOptions::mark);
  return fields;
}

const config::Fields<DedupOptions>& dedup_fields() {
  static const auto fields =
      config::Fields<DedupOptions>("dedup", "Lets one of several equal ones through; remembers also over a restart.")
          .raw(
              "by", &DedupOptions::by,
              {.sentence = "Expression; what has the same value is the same.", .example = "value.id", .required = true})
          .required("for", &DedupOptions::period,
                    {.sentence = "For how long after the one that went through.",
                     .example = "10 min",
                     .min = "1 ms",
                     .max = "31 d"})
          .optional(
              "limit", &DedupOptions::limit,
              {.sentence = "How many are remembered; beyond it the oldest is forgotten.", .min = 1, .max = 1'000'000});
  return fields;
}

const config::Fields<ReorderOptions>& reorder_fields() {
  static const auto fields =
      config::Fields<ReorderOptions>("reorder", "Holds a reading back until those before it have come.")
          .required("wait", &ReorderOptions::wait,
                    {.sentence = "For how long, at most.", .example = "5 s", .min = "1 ms", .max = "1 d"})
          .optional("limit", &ReorderOptions::limit,
                    {.sentence = "How many readings of one sender wait, at most.", .min = 1, .max = 10'000});
  return fields;
}

const config::Fields<SequenceOptions>& sequence_fields() {
  static const auto fields =
      config::Fields<SequenceOptions>("expect_sequence",
                                      "For senders that number what they send: tells what is missing.")
          .raw("by", &SequenceOptions::by,
               {.sentence = "Expression; who numbers. Left out: the device.", .example = "device"})
          .raw("number", &SequenceOptions::number,
               {.sentence = "Expression; the number, an int or uint that grows by one.",
                .example = "value.seq",
                .required = true})
          .table("reorder", &SequenceOptions::reorder, reorder_fields(),
                 {.sentence = "Left out: readings go on as they come."})
          .choice("repeats", &SequenceOptions::repeats, {{"send", Repeats::send}, {"filter", Repeats::filter}},
                  {.sentence = "What becomes of a number that came before; it is counted either way."});
  return fields;
}

const config::Fields<SnapshotOptions>& snapshot_fields() {
  static const auto fields =
      config::Fields<SnapshotOptions>("snapshot", "The last known points of a device as one reading.")
          .required("every", &SnapshotOptions::every,
                    {.sentence = "How often, at multiples of it since 1970 UTC.",
                     .example = "10 min",
                     .min = "1 ms",
                     .max = "31 d"})
          .optional("devices", &SnapshotOptions::devices,
                    {.sentence = "How many devices are remembered; readings of others are dropped and counted.",
                     .min = 1,
                     .max = 1'000'000})
          .marked(&SnapshotOptions::mark);
  return fields;
}

}  // namespace

const config::Fields<RuleOptions>& rule_fields() {
  static const auto fields =
      config::Fields<RuleOptions>(
          "rule", "What becomes of a reading. Rules are tried in the order of the file; every match sends.")
          .required("name", &RuleOptions::name, {.sentence = "Names the rule; unique.", .example = "boiler telemetry"})
          .raw("from", &RuleOptions::from,
               {.sentence = "Which readings; one or a list. Left out: all but the gateway's own."})
          .raw("when", &RuleOptions::when,
               {.sentence = "Expression; the rule takes the reading where it is true.",
                .example = "quality == \"good\""})
          .raw("let", &RuleOptions::let,
               {.sentence = "Names for expressions, computed when first used; later ones may use earlier ones.",
                .example = "{ asset: \"tables.assets[device]\" }"})
          .raw("on_change", &RuleOptions::on_change,
               {.sentence =
                    "Expressions and how far each must move (0.5 or 1 %) since the last record sent; at_least_every: a "
                    "duration after which the next reading is sent anyway.",
                .example = "{ value.temperature: 0.5, value.pressure: 1 %, at_least_every: 5 min }"})
          .optional("throttle", &RuleOptions::throttle,
                    {.sentence = "At most one reading per device in this time; 0: all.", .example = "10 s", .min = "0"})
          .raw("for_each", &RuleOptions::for_each,
               {.sentence = "Expression, a list or a map: the rule sends for each `item` of it, with `index` its place "
                            "(the key, in a map).",
                .example = "value.alarms"})
          .table("dedup", &RuleOptions::dedup, dedup_fields(), {.sentence = "Left out: equal ones are sent again."})
          .table("expect_sequence", &RuleOptions::expect_sequence, sequence_fields(),
                 {.sentence = "Left out: nothing is numbered."})
          .table("window", &RuleOptions::window, window_fields(), {.sentence = "Left out: each reading by itself."})
          .table("snapshot", &RuleOptions::snapshot, snapshot_fields(),
                 {.sentence = "Left out: each reading by itself."})
          .raw("late", &RuleOptions::late,
               {.sentence = "As send: for readings that came after their window had closed, or lie more than an hour "
                            "ahead. Left out: they are dropped and counted."})
          .raw("send", &RuleOptions::send, {.sentence = "What to send where; one or a list.", .required = true})
          .optional("type", &RuleOptions::type,
                    {.sentence = "The CloudEvents type of the records; default railhead.reading."})
          .choice(
              "on_error", &RuleOptions::on_error,
              {{"set_aside", OnError::set_aside}, {"drop", OnError::drop}, {"pass", OnError::pass}},
              {.sentence =
                   "When an expression fails: keep the reading as a dead letter, drop it, or send it all the same "
                   "(a failed when counts as true, a failed body becomes the reading's document, a failed header is "
                   "left out)."})
          .optional("final", &RuleOptions::is_final, {.sentence = "Later rules do not see a reading this one took."})
          .marked(&RuleOptions::mark);
  return fields;
}

const config::Fields<TableFileOptions>& table_fields() {
  static const auto fields =
      config::Fields<TableFileOptions>("table", "What rules look up: tables.NAME[key].column.")
          .required("file", &TableFileOptions::file,
                    {.sentence = "A .csv, .yaml or .json file.", .example = "tables/assets.csv"})
          .optional(
              "key", &TableFileOptions::key,
              {.sentence = "The column that holds the keys; not needed for a YAML or JSON map.", .example = "device"})
          .choice("types", &TableFileOptions::types,
                  {{"int", CellType::integer},
                   {"double", CellType::real},
                   {"bool", CellType::boolean},
                   {"text", CellType::text}},
                  {.sentence = "Types of CSV columns where the guess is not what you want."});
  return fields;
}

const config::Fields<RuleTestOptions>& rule_test_fields() {
  static const auto fields =
      config::Fields<RuleTestOptions>("test", "A test of the rules: needs no broker, `railhead test` runs it.")
          .required("name", &RuleTestOptions::name, {.sentence = "What is expected, as a sentence."})
          .raw("given", &RuleTestOptions::given, {.sentence = "Readings, one after another.", .required = true})
          .raw("expect", &RuleTestOptions::expect,
               {.sentence =
                    "The records that leave, in order; fields that are not named are not compared. Left out: none."})
          .raw("errors", &RuleTestOptions::errors,
               {.sentence =
                    "Rules that set a reading aside: { rule: name, error: part of the reason }. Left out: none."});
  return fields;
}

const config::Fields<GivenOptions>& given_fields() {
  static const auto fields =
      config::Fields<GivenOptions>("given", "A reading, as its source would deliver it.")
          .raw("gateway", &GivenOptions::gateway, {.sentence = "Not looked at: stands in the reading's document."})
          .raw("source", &GivenOptions::source,
               {.sentence = "Its source.", .example = "boiler-house", .required = true})
          .raw("device", &GivenOptions::device, {.sentence = "Its device.", .example = "boiler-1"})
          .raw("time", &GivenOptions::time,
               {.sentence = "When it was observed, RFC 3339.", .example = "2026-01-01T00:00:00Z"})
          .raw("quality", &GivenOptions::quality, {.sentence = "good, uncertain or bad; good if left out."})
          .raw("value", &GivenOptions::value, {.sentence = "A value, or a map of points."})
          .raw("bad", &GivenOptions::bad, {.sentence = "Points that could not be read, and why."})
          .raw("attributes", &GivenOptions::attributes, {.sentence = "topic, retained and what else came with it."});
  return fields;
}

const config::Fields<ExpectedErrorOptions>& expected_error_fields() {
  static const auto fields =
      config::Fields<ExpectedErrorOptions>("expected error", "A rule that sets a reading aside.")
          .raw("rule", &ExpectedErrorOptions::rule, {.sentence = "The rule's name.", .required = true})
          .optional("error", &ExpectedErrorOptions::error, {.sentence = "A part of the reason; left out: any."});
  return fields;
}

std::vector<config::Node> one_or_many(const config::Node& node) {
  if (!node.present() || node.is_broken() || node.is_null()) return {};
  if (!node.is_list()) return {node};
  const auto items = node.items();
  return {items.begin(), items.end()};
}

}  // namespace railhead::routing
