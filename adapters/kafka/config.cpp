#include "adapters/kafka/config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "gateway/config/document.h"
#include "gateway/ports/envelope_field.h"

namespace railhead::kafka {
namespace {

// The delivery contract rests on these.
constexpr std::array<std::string_view, 20> kOwned{"enable.idempotence",
                                                  "acks",
                                                  "request.required.acks",
                                                  "message.timeout.ms",
                                                  "delivery.timeout.ms",
                                                  "message.send.max.retries",
                                                  "retries",
                                                  "max.in.flight",
                                                  "max.in.flight.requests.per.connection",
                                                  "partitioner",
                                                  "transactional.id",
                                                  "queuing.strategy",
                                                  "queue.buffering.max.messages",
                                                  "queue.buffering.max.kbytes",
                                                  "message.max.bytes",
                                                  "delivery.report.only.error",
                                                  "bootstrap.servers",
                                                  "metadata.broker.list",
                                                  "log.queue",
                                                  "enabled_events"};

std::string broker_fault(std::string_view broker) {
  const std::size_t colon = broker.rfind(':');
  if (broker.empty() || colon == 0) return "a broker is host:port";
  if (broker.find("//") != std::string_view::npos) return "a broker is host:port, without a scheme";
  return {};
}

const config::Fields<SaslOptions>& sasl_fields() {
  static const config::Fields<SaslOptions> fields =
      config::Fields<SaslOptions>("kafka sasl", "Says who we are.")
          .choice("mechanism", &SaslOptions::mechanism,
                  {{"PLAIN", SaslMechanism::plain},
                   {"SCRAM-SHA-256", SaslMechanism::scram_sha_256},
                   {"SCRAM-SHA-512", SaslMechanism::scram_sha_512}},
                  {.sentence = "How the password is proven; PLAIN only with tls.", .example = "SCRAM-SHA-512"})
          .required("user", &SaslOptions::user, {.sentence = "The user's name.", .example = "plant-7"})
          .required("password", &SaslOptions::password,
                    {.sentence = "The password.", .example = "{ file: secrets/kafka }"});
  return fields;
}

const config::Fields<SecurityOptions>& security_fields() {
  static const config::Fields<SecurityOptions> fields =
      config::Fields<SecurityOptions>("kafka security", "How the link is protected.")
          .table("tls", &SecurityOptions::tls, tls::library_fields("kafka TLS"),
                 {.sentence = "TLS; an empty table trusts the system."})
          .table("sasl", &SecurityOptions::sasl, sasl_fields(), {.sentence = "User and password."});
  return fields;
}

}  // namespace

const config::Fields<KafkaOptions>& kafka_fields() {
  static const config::Fields<KafkaOptions> fields =
      config::Fields<KafkaOptions>("kafka sink", "Produces each record to the Kafka topic its rule names.")
          .required("brokers", &KafkaOptions::brokers,
                    {.sentence = "Where to begin; the others are learnt from them.",
                     .example = "[kafka-1:9092, kafka-2:9092]",
                     .not_empty = true,
                     .check = &broker_fault})
          .table("security", &KafkaOptions::security, security_fields(), {.sentence = "TLS and user."})
          .choice("compression", &KafkaOptions::compression,
                  {{"none", Compression::none},
                   {"gzip", Compression::gzip},
                   {"snappy", Compression::snappy},
                   {"lz4", Compression::lz4},
                   {"zstd", Compression::zstd}},
                  {.sentence = "Of whole batches.", .example = "lz4"})
          .with(ports::envelope_field(&KafkaOptions::envelope))
          .optional("linger", &KafkaOptions::linger,
                    {.sentence = "Waits this long for a batch to fill.", .min = "0", .max = "10 s"})
          .optional(
              "in_flight", &KafkaOptions::in_flight,
              {.sentence = "So many may wait for their confirmation.", .min = 1, .max = 100'000, .unit = "records"})
          .optional("in_flight_bytes", &KafkaOptions::in_flight_bytes,
                    {.sentence = "And so much memory may they take.", .min = "64 KiB", .max = "256 MiB"})
          .optional("record_limit", &KafkaOptions::record_limit,
                    {.sentence = "A larger record becomes a dead letter. Keep it below the topic's max.message.bytes.",
                     .min = "1 KiB",
                     .max = "64 MiB"})
          .optional("client_id", &KafkaOptions::client_id,
                    {.sentence = "Our name in the broker's log; travels in every request, so keep it short.",
                     .not_empty = true})
          .optional("exactly_once", &KafkaOptions::exactly_once,
                    {.sentence = "Transactions, so that a read-committed reader sees each record once."})
          .optional("options", &KafkaOptions::options,
                    {.sentence = "Further settings by librdkafka's names, checked by it.",
                     .example = "{ socket.nagle.disable: \"true\" }"});
  return fields;
}

void check(const KafkaOptions& options, const config::Node& node, config::Diagnostics& diagnostics) {
  if (options.exactly_once.value) {
    diagnostics.error(options.exactly_once.mark, options.exactly_once.length, "exactly_once is not in this version",
                      "leave it out: repeats carry the same ce_id, by which a reader can discard them");
  }
  for (const auto& [name, value] : options.options) {
    if (std::find(kOwned.begin(), kOwned.end(), name) != kOwned.end()) {
      diagnostics.error(value.mark, value.length, "'" + name + "' cannot be set here",
                        "the delivery contract rests on it");
    } else if (const Result<void> taken = Producer::check(name, value.value); !taken) {
      diagnostics.error(value.mark, value.length, taken.error().what, "see librdkafka's CONFIGURATION.md");
    }
  }
  if (options.security.tls) tls::check(*options.security.tls, node.find("security").find("tls"), diagnostics);
}

}  // namespace railhead::kafka
