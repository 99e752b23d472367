// What a user may say of a Kafka sink, and what librdkafka is told.
// Standard: librdkafka CONFIGURATION.md for the names in Settings.
// Threads:  values; settings_of() reads secrets, so it may touch files, never the network.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka/producer.h"
#include "gateway/base/result.h"
#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::kafka {

enum class Compression : std::uint8_t { none, gzip, snappy, lz4, zstd };
enum class SaslMechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512 };

struct TlsOptions {
  std::optional<std::filesystem::path> ca;
  std::optional<std::filesystem::path> cert;
  std::optional<std::filesystem::path> key;
  config::Secret key_password;
  bool verify = true;
  config::Mark place;
};

struct SaslOptions {
  SaslMechanism mechanism = SaslMechanism::scram_sha_512;
  std::string user;
  config::Secret password;
};

struct SecurityOptions {
  std::optional<TlsOptions> tls;
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
void check(const KafkaOptions& options, config::Diagnostics& diagnostics);

// Errors: as Secret::read().
[[nodiscard]] Result<Settings> settings_of(const KafkaOptions& options);

}  // namespace railhead::kafka
