#include "gateway/config/gateway_options.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/config/fields.h"
#include "gateway/config/reference.h"

namespace railhead::config {
namespace {

// `labels.site` in an expression: an identifier.
std::string label_fault(std::string_view name) {
  const auto is_letter = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
  };
  const bool identifier =
      !name.empty() && is_letter(name.front()) &&
      std::all_of(name.begin(), name.end(), [&](char byte) { return is_letter(byte) || (byte >= '0' && byte <= '9'); });
  return identifier ? "" : "a label's name is made of letters, digits and '_', and does not begin with a digit";
}

std::string listen_fault(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto number = base::parse_uint(port);
  return colon != std::string_view::npos && number && *number <= 65535 ? "" : "expected host:port, like 127.0.0.1:8620";
}

const Fields<SpoolSettings>& spool_fields() {
  static const Fields<SpoolSettings> fields =
      Fields<SpoolSettings>("spool", "The disk log between the field and the upstreams.")
          .optional("path", &SpoolSettings::path,
                    {.sentence = "Directory of the spool; it is made if it is not there.",
                     .example = "/var/lib/railhead/spool",
                     .restart = true})
          .optional("limit", &SpoolSettings::limit,
                    {.sentence = "Bytes on disk; beyond it, when_full decides.",
                     .example = "2 GiB",
                     .min = "1 MiB",
                     .max = "8 TiB"})
          .optional("keep_free", &SpoolSettings::keep_free,
                    {.sentence = "Bytes of the disk left to others: growth stops there. Unset: the smaller of 512 MiB "
                                 "and 10 % of the disk.",
                     .example = "512 MiB"})
          .optional("age", &SpoolSettings::age,
                    {.sentence = "Records older than this are dropped and counted, on a trusted clock; 0 is never.",
                     .example = "30 d"})
          .optional(
              "keep_delivered", &SpoolSettings::keep_delivered,
              {.sentence =
                   "How long delivered records are kept for a replay; they are the first to go when space is needed.",
               .example = "2 d"})
          .optional("commit", &SpoolSettings::commit,
                    {.sentence = "Group commit: one fdatasync per interval or per 256 KiB; 0 is back to back.",
                     .example = "10 ms",
                     .max = "10 s"})
          .choice("when_full", &SpoolSettings::when_full,
                  {{"drop_oldest", WhenFull::drop_oldest}, {"block", WhenFull::block}},
                  {.sentence = "At the limit: drop (and count) the oldest, or take nothing more from the field."})
          .optional("alarm_limit", &SpoolSettings::alarm_limit,
                    {.sentence = "Bytes on disk for records of priority alarm, which have a spool of their own.",
                     .example = "64 MiB",
                     .min = "1 MiB"});
  return fields;
}

const Fields<DeadLetterSettings>& dead_letter_fields() {
  static const Fields<DeadLetterSettings> fields =
      Fields<DeadLetterSettings>("dead_letters",
                                 "Messages that could not be read, routed or delivered, kept with their reason.")
          .optional("limit", &DeadLetterSettings::limit,
                    {.sentence = "Bytes on disk; beyond it the oldest are dropped and counted.",
                     .example = "64 MiB",
                     .min = "1 MiB"})
          .optional("to", &DeadLetterSettings::to,
                    {.sentence = "A sink they are also sent to.", .example = "plant-kafka", .not_empty = true})
          .optional("topic", &DeadLetterSettings::topic,
                    {.sentence = "The topic there.", .example = "railhead.dead.${gateway}", .not_empty = true});
  return fields;
}

const Fields<LedSettings>& led_fields() {
  static const Fields<LedSettings> fields =
      Fields<LedSettings>("led", "A status LED that shows the state by NAMUR NE 107; dark when the gateway is dead.")
          .choice("kind", &LedSettings::kind, {{"none", LedKind::none}, {"sysfs", LedKind::sysfs}},
                  {.sentence = "How it is driven."})
          .optional("green", &LedSettings::green,
                    {.sentence = "Name of the green LED below root.", .example = "\"green:status\""})
          .optional("red", &LedSettings::red,
                    {.sentence = "Name of the red LED below root.", .example = "\"red:fault\""})
          .optional("root", &LedSettings::root, {.sentence = "The kernel's directory of LEDs."});
  return fields;
}

const Fields<PanelSettings>& panel_fields() {
  static const Fields<PanelSettings> fields =
      Fields<PanelSettings>("panel", "What the gateway shows of itself.")
          .optional("http", &PanelSettings::http,
                    {.sentence = "Where the status page, /metrics, /healthz and /readyz are served; unset, nowhere.",
                     .example = "127.0.0.1:8620",
                     .check = listen_fault})
          .table("led", &PanelSettings::led, led_fields(), {.sentence = "Status LED."});
  return fields;
}

const Fields<ControlSettings>& control_fields() {
  static const Fields<ControlSettings> fields =
      Fields<ControlSettings>("control", "The channel of railhead status, top, reload and dead.")
          .optional("socket", &ControlSettings::socket, {.sentence = "A Unix socket.", .restart = true});
  return fields;
}

const Fields<ReloadSettings>& reload_fields() {
  static const Fields<ReloadSettings> fields =
      Fields<ReloadSettings>("reload", "How a changed configuration is taken over.")
          .optional("watch", &ReloadSettings::watch,
                    {.sentence = "Also when a file of it changes (also a certificate or a secret), not only on SIGHUP "
                                 "and railhead reload.",
                     .example = "true"});
  return fields;
}

const Fields<ClockSettings>& clock_fields() {
  static const Fields<ClockSettings> fields =
      Fields<ClockSettings>("clock", "When the wall clock is believed.")
          .choice("trust", &ClockSettings::trust, {{"kernel", ClockTrust::kernel}, {"rtc", ClockTrust::rtc}},
                  {.sentence =
                       "kernel: once the kernel says that it is synchronised; rtc: at once, from the hardware clock."});
  return fields;
}

const Fields<OwnReadingsSettings>& own_readings_fields() {
  static const Fields<OwnReadingsSettings> fields =
      Fields<OwnReadingsSettings>("own_readings",
                                  "What the gateway says of itself as readings of the source `railhead`; made only "
                                  "when a rule takes from that source.")
          .choice("events", &OwnReadingsSettings::events,
                  {{"info", EventLevel::info}, {"warning", EventLevel::warning}, {"error", EventLevel::error}},
                  {.sentence = "The least level of the events that become readings."})
          .optional(
              "counters", &OwnReadingsSettings::counters,
              {.sentence = "How often its counters become a reading; 0 is never.", .example = "1 min", .max = "24 h"});
  return fields;
}

const Fields<GatewayOptions>& gateway_fields() {
  static const Fields<GatewayOptions> fields =
      Fields<GatewayOptions>("the configuration", "")
          .required("version", &GatewayOptions::version,
                    {.sentence = "Version of the configuration's format: 1.", .example = "1"})
          .required("gateway", &GatewayOptions::gateway,
                    {.sentence = "Identity of this gateway, in every record.",
                     .example = "plant-7",
                     .restart = true,
                     .check = name_fault})
          .raw("include", &GatewayOptions::include,
               {.sentence =
                    "Further files by path or glob, read in the order of their paths; maps and lists are joined.",
                .example = "[ \"rules.d/*.yaml\" ]"})
          .optional("labels", &GatewayOptions::labels,
                    {.sentence = "Constants for rules: labels.site.",
                     .example = "{ site: north, line: A }",
                     .key_check = label_fault})
          .table("spool", &GatewayOptions::spool, spool_fields(), {.sentence = "Where records wait."})
          .raw("sources", &GatewayOptions::sources, {.sentence = "What is read: a map of names to adapters."})
          .raw("models", &GatewayOptions::models, {.sentence = "Point tables that many devices share."})
          .raw("tables", &GatewayOptions::tables, {.sentence = "Tables that rules look things up in."})
          .raw("rules", &GatewayOptions::rules, {.sentence = "What becomes of a reading, tried in order."})
          .raw("sinks", &GatewayOptions::sinks, {.sentence = "Where records go: a map of names to adapters."})
          .raw("tests", &GatewayOptions::tests, {.sentence = "Tests of the rules; railhead test runs them."})
          .table("dead_letters", &GatewayOptions::dead_letters, dead_letter_fields(),
                 {.sentence = "What could not be delivered."})
          .table("panel", &GatewayOptions::panel, panel_fields(), {.sentence = "Status page and LED."})
          .table("control", &GatewayOptions::control, control_fields(), {.sentence = "Control channel."})
          .table("reload", &GatewayOptions::reload, reload_fields(), {.sentence = "Taking over changes."})
          .table("clock", &GatewayOptions::clock, clock_fields(), {.sentence = "Trust in the wall clock."})
          .table("own_readings", &GatewayOptions::own_readings, own_readings_fields(),
                 {.sentence = "The gateway as a source of readings."});
  return fields;
}

// `sources: { name: ... }`: a map whose keys are names.
void check_names(const Node& section, std::string_view noun, Diagnostics& diagnostics) {
  if (!section.present() || section.is_null() || section.is_broken()) return;
  if (!section.is_map()) {
    diagnostics.error(section, std::string(noun) + "s are a map of names, not " + std::string(section.kind_name()));
    return;
  }
  for (const Member& member : section.members()) {
    if (const std::string fault = name_fault(member.name()); !fault.empty()) {
      diagnostics.error(member.key, std::string(noun) + " '" + std::string(member.name()) + "': " + fault);
    }
  }
}

void check_list(const Node& section, std::string_view noun, Diagnostics& diagnostics) {
  if (!section.present() || section.is_null() || section.is_broken() || section.is_list()) return;
  diagnostics.error(section, std::string(noun) + " are a list, not " + std::string(section.kind_name()),
                    "begin each with '- '");
}

void check_dead_letters(const GatewayOptions& options, Diagnostics& diagnostics) {
  const DeadLetterSettings& dead = options.dead_letters;
  if (dead.topic && !dead.to)
    diagnostics.error(dead.topic->mark, dead.topic->length, "dead_letters: a topic without 'to', the sink");
  if (!dead.to || !options.sinks.is_map() || options.sinks.find(dead.to->value).present()) return;
  std::vector<std::string> known;
  for (const Member& member : options.sinks.members()) known.emplace_back(member.name());
  const auto near = base::nearest(dead.to->value, known);
  diagnostics.error(dead.to->mark, dead.to->length, "there is no sink '" + dead.to->value + "'",
                    near ? "did you mean '" + *near + "'?" : "");
}

}  // namespace

GatewayOptions read_gateway(const Document& document, Diagnostics& diagnostics) {
  const Node root = document.root();
  if ((!root.present() || root.is_null()) && !diagnostics.has_errors()) {
    diagnostics.error(Mark{}, 1, "the configuration is empty");
    return {};
  }
  if (!root.is_map() && diagnostics.has_errors()) return {};
  GatewayOptions options = gateway_fields().read(root, diagnostics);
  if (root.find("version").is_scalar() && options.version.value != 1) {
    diagnostics.error(options.version.mark, options.version.length,
                      "version " + std::to_string(options.version.value) + " is not known",
                      "this railhead reads version 1");
  }
  check_names(options.sources, "source", diagnostics);
  check_names(options.sinks, "sink", diagnostics);
  check_names(options.models, "model", diagnostics);
  check_names(options.tables, "table", diagnostics);
  check_list(options.rules, "rules", diagnostics);
  check_list(options.tests, "tests", diagnostics);
  for (const Member& member : options.sources.members()) {
    if (member.name() == kOwnSource)
      diagnostics.error(member.key, "the source 'railhead' is the gateway itself: choose another name");
  }
  check_dead_letters(options, diagnostics);
  return options;
}

void describe_gateway(Reference& reference) {
  reference.place("");
  gateway_fields().describe(reference);
}

}  // namespace railhead::config
