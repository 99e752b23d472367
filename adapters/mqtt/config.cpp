#include "adapters/mqtt/config.h"

#include <algorithm>
#include <utility>

#include "adapters/mqtt/packet.h"
#include "gateway/config/diagnostics.h"
#include "gateway/ports/envelope_field.h"

namespace railhead::mqtt {
namespace {

using config::Diagnostics;
using config::Fields;
using config::Node;

std::string url_fault(std::string_view text) {
  const Result<Url> url = parse_url(text);
  return url ? std::string() : url.error().what;
}

std::string topic_fault(std::string_view text) {
  const Result<TopicPattern> pattern = TopicPattern::parse(text);
  return pattern ? std::string() : pattern.error().what;
}

std::string client_id_fault(std::string_view text) {
  return text.size() <= 1024 && is_text(text) ? std::string() : "a client identifier is text of at most 1,024 bytes";
}

std::string user_fault(std::string_view text) {
  return text.size() <= 0xffff && is_text(text) ? std::string() : "a user is text of at most 65,535 bytes";
}

template <class Options>
Fields<Options> with_connection(Fields<Options> fields, const Fields<tls::Options>& tls_fields) {
  return fields
      .required("url", &Options::url,
                {.sentence = "The broker: mqtt://host[:1883], mqtts://host[:8883] with TLS, ws://host[:80]/mqtt or "
                             "wss://host[:443]/mqtt through WebSockets.",
                 .example = "mqtts://broker.local:8883",
                 .check = url_fault})
      .optional("further_urls", &Options::further_urls,
                {.sentence = "More addresses of the broker, tried in turn when one does not serve.",
                 .example = "[mqtts://broker-2.local:8883]",
                 .check = url_fault})
      .optional("client_id", &Options::client_id,
                {.sentence = "How the broker knows this client; must be its own. Without it railhead-<gateway>-<name>, "
                             "of a sink railhead-<gateway>-<name>-out.",
                 .example = "railhead-plant-7",
                 .check = client_id_fault})
      .optional("user", &Options::user,
                {.sentence = "User name, if the broker wants one.", .example = "plant-7", .check = user_fault})
      .optional("password", &Options::password,
                {.sentence = "Its password, read anew at each connect.", .example = "{ file: secrets/mqtt }"})
      .choice(
          "version", &Options::version,
          {{"auto", Protocol::automatic}, {"3.1.1", Protocol::v3_1_1}, {"5", Protocol::v5}},
          {.sentence = "MQTT's version; auto is 5, and in a source 3.1.1 when the broker refuses 5.", .example = "5"})
      .optional("keep_alive", &Options::keep_alive,
                {.sentence = "A silent connection is noticed within this time.",
                 .example = "30 s",
                 .min = "1 s",
                 .max = "18 h"})
      .table("tls", &Options::tls, tls_fields, {.sentence = "Certificates, for mqtts."});
}

const Fields<SubscriptionOptions>& subscription_fields() {
  static const Fields<SubscriptionOptions> fields =
      Fields<SubscriptionOptions>("MQTT subscription", "Topics to read, and how their payloads are read.")
          .required("topic", &SubscriptionOptions::topic,
                    {.sentence = "A topic filter. {name} matches one level and becomes attributes.name (not a name "
                                 "that messages have of themselves, such as topic); {device} names the device; + and a "
                                 "last # are allowed; $share/group/topic shares the load.",
                     .example = "plant/{area}/{device}/telemetry",
                     .check = topic_fault})
          .optional("qos", &SubscriptionOptions::qos,
                    {.sentence = "0 may lose, 1 may repeat (recognised where possible), 2 neither.",
                     .example = "1",
                     .max = 2})
          .choice("payload", &SubscriptionOptions::payload,
                  {{"json", PayloadFormat::json},
                   {"number", PayloadFormat::number},
                   {"text", PayloadFormat::text},
                   {"raw", PayloadFormat::raw}},
                  {.sentence = "What a payload is; one that is something else is set aside.", .example = "json"})
          .optional("device", &SubscriptionOptions::device,
                    {.sentence = "The device, if no {device} is in the topic; without both it is the topic.",
                     .example = "weather"})
          .choice("compression", &SubscriptionOptions::compression,
                  {{"none", Compression::none}, {"gzip", Compression::gzip}, {"zstd", Compression::zstd}},
                  {.sentence = "How the payload is wrapped; gzip takes zlib too.", .example = "none"})
          .raw("time", &SubscriptionOptions::time,
               {.sentence = "An expression that gives the payload's own time, a timestamp; without one, or if it "
                            "gives none, the time of arrival. With `split` it sees each element as `value`.",
                .example = "timestamp(value.ts)"})
          .raw("split", &SubscriptionOptions::split,
               {.sentence = "An expression that gives a list: a reading of each element.", .example = "value.samples"});
  return fields;
}

// What both have in common beyond the tables. Empty after an error.
std::vector<Url> check_connection(const ConnectionOptions& options, const Node& node, Diagnostics& diagnostics) {
  std::vector<Url> urls;
  std::vector<std::string> written{options.url.value};
  written.insert(written.end(), options.further_urls.begin(), options.further_urls.end());
  bool secured = false;
  for (const std::string& text : written) {
    Result<Url> url = parse_url(text);
    if (!url) return {};  // reported by the table
    secured = secured || url->tls;
    urls.push_back(std::move(*url));
  }
  if (options.tls) {
    tls::check(*options.tls, node.find("tls"), diagnostics);
    if (!secured) {
      diagnostics.warning(options.url.mark, options.url.length, "`tls` has no meaning without mqtts:// or wss://",
                          "did you mean mqtts://?");
    }
  }
  if (options.password.present() && options.user.empty() && options.version != Protocol::v5) {
    diagnostics.error(node.find("password"), "a password needs a user", "add user:");
  }
  return urls;
}

}  // namespace

const Fields<SourceOptions>& source_fields() {
  static const Fields<SourceOptions> fields =
      with_connection(
          Fields<SourceOptions>("MQTT source", "Reads topics of a broker; PUBACK leaves when the message is on disk."),
          tls::option_fields())
          .table("subscribe", &SourceOptions::subscribe, subscription_fields(),
                 {.sentence = "Of overlapping topics the first that matches counts.",
                  .example = "[{ topic: \"plant/{device}/telemetry\" }]",
                  .required = true,
                  .not_empty = true})
          .choice("ack", &SourceOptions::ack, {{"durable", AckPolicy::durable}, {"received", AckPolicy::received}},
                  {.sentence = "When a message is acknowledged: on disk, or merely received (a crash may lose it).",
                   .example = "durable"})
          .choice("retained", &SourceOptions::retained, {{"mark", Retained::mark}, {"ignore", Retained::ignore}},
                  {.sentence = "What becomes of retained messages: read with attributes.retained true, or left out.",
                   .example = "mark"})
          .optional("follow_redirects", &SourceOptions::follow_redirects,
                    {.sentence = "Go where a broker sends us (MQTT 5 Server Reference), with the same credentials and "
                                 "the same kind of connection.",
                     .example = "false"})
          .optional("answer_refused", &SourceOptions::answer_refused,
                    {.sentence = "Tell the sender of a payload that cannot be read: {\"error\": ...} to its response "
                                 "topic (MQTT 5).",
                     .example = "false"})
          .optional("max_unpacked", &SourceOptions::max_unpacked,
                    {.sentence = "A compressed payload that unpacks to more is set aside.",
                     .example = "16 MiB",
                     .min = "1 KiB",
                     .max = "256 MiB"})
          .optional("session_expiry", &SourceOptions::session_expiry,
                    {.sentence = "How long the broker keeps what comes while we are away (MQTT 5; at 3.1.1 the broker "
                                 "decides).",
                     .example = "7 d",
                     .min = "1 min",
                     .max = "36500 d"})
          .optional("receive_maximum", &SourceOptions::receive_maximum,
                    {.sentence = "The most that may wait for its acknowledgement (MQTT 5).",
                     .example = "1000",
                     .min = 1,
                     .unit = "messages"})
          .optional("max_packet", &SourceOptions::max_packet,
                    {.sentence = "A larger message is set aside with its beginning.",
                     .example = "1 MiB",
                     .min = "1 KiB",
                     .max = "64 MiB"});
  return fields;
}

const Fields<SinkOptions>& sink_fields() {
  static const Fields<SinkOptions> fields =
      with_connection(Fields<SinkOptions>("MQTT sink", "Publishes records; the broker's PUBACK settles."),
                      tls::library_fields("MQTT sink TLS").with(tls::add_alpn))
          .optional("qos", &SinkOptions::qos,
                    {.sentence = "1 and 2 settle when the broker confirms, 0 when the message was sent.",
                     .example = "1",
                     .max = 2})
          .optional("retain", &SinkOptions::retain,
                    {.sentence = "The broker keeps the last message of each topic for those who come later.",
                     .example = "false"})
          .optional("in_flight", &SinkOptions::in_flight,
                    {.sentence = "The most records on the way at once.",
                     .example = "1000",
                     .min = 1,
                     .max = 10'000,
                     .unit = "records"})
          .with(ports::envelope_field(&SinkOptions::envelope))
          .optional("timeout", &SinkOptions::timeout,
                    {.sentence = "A broker that answers nothing for so long is connected to anew.",
                     .example = "30 s",
                     .min = "1 s",
                     .max = "10 min"});
  return fields;
}

std::optional<SourceSettings> read_source(const Node& node, std::vector<RowExpressions>& expressions,
                                          Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  const SourceOptions options = source_fields().read(node, diagnostics);
  std::vector<Url> urls = check_connection(options, node, diagnostics);
  SourceSettings settings;
  std::vector<std::string> filters;
  for (const SubscriptionOptions& subscription : options.subscribe) {
    Result<TopicPattern> pattern = TopicPattern::parse(subscription.topic.value);
    if (!pattern) continue;  // reported by the table
    const config::Located<std::string>& topic = subscription.topic;
    if (std::find(filters.begin(), filters.end(), pattern->filter()) != filters.end()) {
      diagnostics.warning(topic.mark, topic.length, "an earlier subscription reads the same topics",
                          "the first that matches counts; this one never does");
    }
    const std::vector<std::string>& names = pattern->names();
    if (!subscription.device.empty() && std::find(names.begin(), names.end(), "device") != names.end()) {
      diagnostics.warning(topic.mark, topic.length, "`device` has no meaning beside {device} in the topic");
    }
    for (const std::string& name : names) {
      if (std::find(kOwnAttributes.begin(), kOwnAttributes.end(), name) == kOwnAttributes.end()) continue;
      diagnostics.error(topic.mark, topic.length,
                        "{" + name + "} is an attribute that every message may have of itself",
                        "give the level another name, such as {" + name + "_level}");
    }
    filters.push_back(pattern->filter());
    settings.rows.push_back(
        {std::move(*pattern), subscription.payload, subscription.device, subscription.compression, nullptr, nullptr});
    expressions.push_back({subscription.time, subscription.split});
    settings.qos.push_back(subscription.qos);
  }
  if (diagnostics.error_count() > errors || urls.empty()) return std::nullopt;

  settings.urls = std::move(urls);
  settings.tls = options.tls.value_or(tls::Options{});
  settings.protocol = options.version;
  settings.user = options.user;
  settings.password = options.password;
  settings.retained = options.retained;
  settings.follow_redirects = options.follow_redirects;
  settings.answer_refused = options.answer_refused;
  settings.unpacked_bytes_max = static_cast<std::size_t>(options.max_unpacked.value());
  settings.ack = options.ack;
  settings.session.client_id = options.client_id;
  settings.session.keep_alive_seconds = static_cast<std::uint16_t>(options.keep_alive / std::chrono::seconds{1});
  // 0xffffffff would mean for ever; the bound of the field keeps below it.
  settings.session.session_expiry_seconds =
      static_cast<std::uint32_t>(options.session_expiry / std::chrono::seconds{1});
  settings.session.receive_maximum = options.receive_maximum;
  settings.session.packet_bytes_max = static_cast<std::uint32_t>(options.max_packet.value());
  return settings;
}

std::optional<SinkSettings> read_sink(const Node& node, Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  const SinkOptions options = sink_fields().read(node, diagnostics);
  std::vector<Url> urls = check_connection(options, node, diagnostics);
  if (options.version == Protocol::v3_1_1 && options.envelope != Envelope::structured) {
    diagnostics.warning(node.find("version"), "MQTT 3.1.1 has no headers: readers cannot recognise repeats",
                        "use version: 5, or envelope: structured");
  }
  if (options.qos == 0) {
    diagnostics.warning(node.find("qos"), "at QoS 0 nothing confirms: records may be lost on the way", "use qos: 1");
  }
  if (diagnostics.error_count() > errors || urls.empty()) return std::nullopt;

  SinkSettings settings;
  settings.urls = std::move(urls);
  settings.tls = options.tls.value_or(tls::Options{});
  settings.v5 = options.version != Protocol::v3_1_1;
  settings.client_id = options.client_id;
  settings.user = options.user;
  settings.password = options.password;
  settings.qos = options.qos;
  settings.retain = options.retain;
  settings.envelope = options.envelope;
  settings.window = options.in_flight;
  settings.keep_alive = options.keep_alive;
  settings.timeout = options.timeout;
  return settings;
}

}  // namespace railhead::mqtt
