// What a user may say of a Kafka sink, and what librdkafka is told.
// Standard: librdkafka CONFIGURATION.md for the names in Settings.
// Threads:  values; settings_of() reads secrets, so it may touch files, never the network.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka/producer.h"
#include "adapters/tls/options.h"
#include "gateway/base/result.h"
#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::kafka {

enum class Compression : std::uint8_t { none, gzip, snappy, lz4, zstd };
enum class SaslMechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512 };

struct SaslOptions {
  SaslMechanism mechanism = SaslMechanism::scram_sha_512;
  std::string user;
  config::Secret password;
};

struct SecurityOptions {
  std::optional<tls::Options> tls;
  std::optional<SaslOptions> sasl;
};

struct KafkaOptions {
  std::vector<std::string> brokers;
  SecurityOptions security;
  Compression compression = Compression::lz4;
  Envelope envelope = Envelope::headers;
  Duration linger = std::chrono::milliseconds{20};
  std::uint32_t in_flight = 10'000;
  config::ByteSize in_flight_bytes{8 * 1024 * 1024};
  config::ByteSize record_limit{1'000'000};
  std::string client_id = "railhead";
  config::Located<bool> exactly_once;
  std::map<std::string, config::Located<std::string>> options;
};

[[nodiscard]] const config::Fields<KafkaOptions>& kafka_fields();

// What the table cannot say: settings the sink owns, settings librdkafka refuses, what this version cannot do.
void check(const KafkaOptions& options, const config::Node& node, config::Diagnostics& diagnostics);

// Errors: as Secret::read().
[[nodiscard]] Result<Settings> settings_of(const KafkaOptions& options);

}  // namespace railhead::kafka
