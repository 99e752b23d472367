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
          .choice("format", &SendOptions::format, {{"json", BodyFormat::json}, {"raw", BodyFormat::raw}},
                  {.sentence = "How the body is written; raw: one expression, a text or bytes as they are."})
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
                    {.sentence = "The content type of the body; default application/json, of a raw body text/plain."})
          .optional("amqp_priority", &SendOptions::amqp_priority,
                    {.sentence = "The priority of the AMQP message.", .min = 0, .max = 255})
          .marked(&SendOptions::mark);
  return fields;
}

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

std::vector<config::Node> one_or_many(const config::Node& node) {
  if (!node.present() || node.is_broken() || node.is_null()) return {};
  if (!node.is_list()) return {node};
  const auto items = node.items();
  return {items.begin(), items.end()};
}

}  // namespace railhead::routing
