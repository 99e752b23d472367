#include <algorithm>
#include <string_view>

#include "adapters/kafka/config.h"

namespace railhead::kafka {
namespace {

using std::chrono::milliseconds;

// A request that is not answered in this time counts as lost: the connection is closed and the request repeated.
constexpr milliseconds kRequestTimeout{10'000};
constexpr milliseconds kReconnectMost{2'000};
// How long a topic may be unknown to the broker before its records are given back (a topic just made needs seconds).
constexpr milliseconds kTopicUnknownMost{5'000};
constexpr std::size_t kBatchRecords = 10'000;
constexpr std::uint64_t kBatchBytes = 1'000'000;
constexpr std::uint64_t kRecordOverhead = 4'096;  // headers and key, which librdkafka counts too

std::string_view name_of(Compression compression) {
  switch (compression) {
    case Compression::none: return "none";
    case Compression::gzip: return "gzip";
    case Compression::snappy: return "snappy";
    case Compression::lz4: return "lz4";
    case Compression::zstd: return "zstd";
  }
  return "none";
}

std::string_view name_of(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::plain: return "PLAIN";
    case SaslMechanism::scram_sha_256: return "SCRAM-SHA-256";
    case SaslMechanism::scram_sha_512: return "SCRAM-SHA-512";
  }
  return "PLAIN";
}

std::string number(std::uint64_t value) { return std::to_string(value); }
std::string number(milliseconds value) { return std::to_string(value.count()); }

}  // namespace

Result<Settings> settings_of(const KafkaOptions& options) {
  std::string brokers;
  for (const std::string& broker : options.brokers) brokers += (brokers.empty() ? "" : ",") + broker;
  const std::uint64_t record_limit = options.record_limit.value() + kRecordOverhead;
  const std::uint64_t queue_kbytes = (options.in_flight_bytes.value() + record_limit) / 1024 + 1;
  Settings settings{
      {"bootstrap.servers", brokers},
      {"client.id", options.client_id},
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"message.timeout.ms", "0"},
      {"message.max.bytes", number(record_limit)},
      {"compression.codec", std::string(name_of(options.compression))},
      {"linger.ms", number(std::chrono::duration_cast<milliseconds>(options.linger))},
      {"batch.num.messages", number(kBatchRecords)},
      {"batch.size", number(std::min(kBatchBytes, record_limit))},
      {"queue.buffering.max.messages", number(std::uint64_t{options.in_flight} + 1)},
      {"queue.buffering.max.kbytes", number(queue_kbytes)},
      {"partitioner", "murmur2_random"},
      {"topic.metadata.propagation.max.ms", number(kTopicUnknownMost)},
      {"socket.timeout.ms", number(kRequestTimeout)},
      {"request.timeout.ms", number(kRequestTimeout)},
      {"socket.connection.setup.timeout.ms", number(kRequestTimeout)},
      {"socket.keepalive.enable", "true"},
      {"reconnect.backoff.max.ms", number(kReconnectMost)},
      {"statistics.interval.ms", "0"},
  };
  const auto add = [&settings](std::string name, std::string value) {
    settings.emplace_back(std::move(name), std::move(value));
  };
  const auto& [tls, sasl] = options.security;
  if (tls || sasl) {
    add("security.protocol", tls && sasl ? "sasl_ssl" : tls ? "ssl" : "sasl_plaintext");
  }
  if (tls) {
    if (!tls->ca.empty()) add("ssl.ca.location", tls->ca.string());
    if (!tls->cert.empty()) add("ssl.certificate.location", tls->cert.string());
    if (!tls->key.empty()) add("ssl.key.location", tls->key.string());
    Result<std::string> password = tls::key_password_of(*tls);
    if (!password) return fail(password.error());
    if (!password->empty()) add("ssl.key.password", std::move(*password));
    add("enable.ssl.certificate.verification", tls->verify ? "true" : "false");
    add("ssl.endpoint.identification.algorithm", tls->verify ? "https" : "none");
  }
  if (sasl) {
    Result<std::string> password = sasl->password.read();
    if (!password) return fail(password.error().in("password"));
    add("sasl.mechanisms", std::string(name_of(sasl->mechanism)));
    add("sasl.username", sasl->user);
    add("sasl.password", std::move(*password));
  }
  for (const auto& [name, value] : options.options) add(name, value.value);
  return settings;
}

}  // namespace railhead::kafka
