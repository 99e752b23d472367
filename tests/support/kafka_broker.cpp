#include "tests/support/kafka_broker.h"

#include <librdkafka/rdkafka.h>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/support/places.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kFetchMost = 300s;
constexpr auto kReadyMost = 60s;
constexpr auto kStopMost = 15s;
constexpr auto kToolMost = 60s;
constexpr int kAdminMost_ms = 15'000;
const std::string kSources = test::source_directory() + "/tests/brokers/java";

[[noreturn]] void give_up(const std::string& what, const std::string& details) {
  std::fprintf(stderr, "Kafka for tests: %s\n%s\n", what.c_str(), details.c_str());
  std::abort();
}

// The jars of broker and client.
std::string jars() {
  const std::string directory = test_cache() + "/kafka-3.9.2";
  const CacheLock lock("kafka-3.9.2");
  if (std::filesystem::exists(directory)) return directory;
  const std::string fetched = directory + "." + std::to_string(::getpid());
  const Ran ran = run(
      {"mvn", "-q", "-B", "-f", kSources + "/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=" + fetched},
      kFetchMost);
  if (ran.status != 0) give_up("mvn could not fetch the jars", ran.output);
  std::filesystem::rename(fetched, directory);
  return directory;
}

// Compiled once for each version of its source.
std::string dump_classes(const std::string& lib) {
  const std::string source = kSources + "/KafkaDump.java";
  const std::string version = std::to_string(base::crc32c(read_file(source)));
  const std::string directory = test_cache() + "/kafka-dump-" + version;
  const CacheLock lock("kafka-dump");
  if (std::filesystem::exists(directory)) return directory;
  const std::string made = directory + "." + std::to_string(::getpid());
  const Ran ran = run({"javac", "-cp", lib + "/*", "-d", made, source}, kToolMost);
  if (ran.status != 0) give_up("javac failed", ran.output);
  std::filesystem::rename(made, directory);
  return directory;
}

std::vector<std::string> java(const std::string& heap) {
  return {"java", "-Xmx" + heap, "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"};
}

// A client handle for metadata and admin calls.
class Client {
 public:
  explicit Client(const std::string& bootstrap) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap.c_str(), text, sizeof text);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", text, sizeof text);
    rd_kafka_conf_set_log_cb(conf, nullptr);
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    RAILHEAD_ASSERT(handle_ != nullptr);
  }
  ~Client() { rd_kafka_destroy(handle_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  [[nodiscard]] rd_kafka_t* get() const { return handle_; }

 private:
  rd_kafka_t* handle_ = nullptr;
};

}  // namespace

KafkaBroker::KafkaBroker() : KafkaBroker(Options{}) {}

KafkaBroker::KafkaBroker(Options options) : options_(std::move(options)) {
  port_ = free_port();
  controller_port_ = free_port();
  sasl_port_ = free_port();
  const std::string port = std::to_string(port_);
  const std::string controller = "127.0.0.1:" + std::to_string(controller_port_);
  std::map<std::string, std::string> settings{
      {"process.roles", "broker,controller"},
      {"node.id", "1"},
      {"controller.listener.names", "CONTROLLER"},
      {"controller.quorum.bootstrap.servers", controller},
      {"listeners", "PLAINTEXT://127.0.0.1:" + port + ",CONTROLLER://" + controller},
      {"log.dirs", directory_.path() + "/data"},
      {"offsets.topic.replication.factor", "1"},
      {"offsets.topic.num.partitions", "1"},
      {"transaction.state.log.replication.factor", "1"},
      {"transaction.state.log.min.isr", "1"},
      {"transaction.state.log.num.partitions", "1"},
      {"group.initial.rebalance.delay.ms", "0"},
      // At the default of 9 s each start after kill -9 waits for the dead incarnation.
      {"broker.session.timeout.ms", "1000"},
      {"broker.heartbeat.interval.ms", "200"},
      {"log.cleaner.dedupe.buffer.size", "2097152"},
      {"auto.create.topics.enable", "false"},
  };
  std::vector<std::string> format = java("128m");
  format.insert(format.end(), {"-cp", jars() + "/*", "kafka.tools.StorageTool", "format", "--standalone", "-t",
                               "MkU3OEVBNTcwNTJENDM2Qg", "-c", directory_.path() + "/server.properties"});
  if (!options_.scram_users.empty()) {
    settings["listeners"] += ",SASL_PLAINTEXT://127.0.0.1:" + std::to_string(sasl_port_);
    settings["inter.broker.listener.name"] = "PLAINTEXT";
    settings["listener.security.protocol.map"] =
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT";
    settings["sasl.enabled.mechanisms"] = "SCRAM-SHA-512";
    settings["listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config"] =
        "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    for (const auto& [user, password] : options_.scram_users) {
      format.push_back("--add-scram");
      format.push_back("SCRAM-SHA-512=[name=" + user + ",password=" + password + "]");
    }
  }
  for (const auto& [name, value] : options_.settings) settings[name] = value;
  std::string properties;
  for (const auto& [name, value] : settings) properties += name + "=" + value + "\n";
  directory_.write("server.properties", properties);
  const Ran formatted = run(std::move(format), kToolMost);
  if (formatted.status != 0) give_up("the data directory could not be formatted", formatted.output);
  launch();
}

KafkaBroker::~KafkaBroker() {
  if (process_) stop();
}

void KafkaBroker::launch() {
  const std::string archive = test_cache() + "/kafka-3.9.2.jsa";
  std::vector<std::string> argv = java("128m");
  argv.push_back("-Djava.io.tmpdir=" + directory_.path());
  if (std::filesystem::exists(archive)) {
    archive_.clear();
    argv.push_back("-XX:SharedArchiveFile=" + archive);
  } else {
    archive_ = archive + "." + std::to_string(::getpid());
    argv.push_back("-XX:ArchiveClassesAtExit=" + archive_);
  }
  argv.insert(argv.end(), {"-cp", jars() + "/*", "kafka.Kafka", directory_.path() + "/server.properties"});
  process_ = std::make_unique<Process>(
      std::move(argv),
      Process::Options{.environment = {}, .directory = directory_.path(), .output = directory_.path() + "/broker.log"});
  if (!eventually(kReadyMost, [this] { return !process_->running() || answers(); }) || !process_->running()) {
    give_up("the broker did not start", log());
  }
}

bool KafkaBroker::answers() const {
  const Client client(bootstrap());
  const rd_kafka_metadata_t* metadata = nullptr;
  const bool answered = rd_kafka_metadata(client.get(), 0, nullptr, &metadata, 500) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                        metadata->broker_cnt > 0;
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  return answered;
}

std::string KafkaBroker::bootstrap() const { return "127.0.0.1:" + std::to_string(port_); }
std::string KafkaBroker::sasl_bootstrap() const { return "127.0.0.1:" + std::to_string(sasl_port_); }

void KafkaBroker::create_topic(const std::string& name, int partitions,
                               const std::map<std::string, std::string>& config) {
  const Client client(bootstrap());
  char text[256];
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, text, sizeof text);
  RAILHEAD_ASSERT(topic != nullptr);
  for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS);
  // Waits until the controller has made it everywhere.
  rd_kafka_AdminOptions_set_operation_timeout(options, kAdminMost_ms, text, sizeof text);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client.get());
  rd_kafka_CreateTopics(client.get(), &topic, 1, options, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kAdminMost_ms);
  std::string fault = event == nullptr ? "no answer" : "";
  if (event != nullptr) {
    std::size_t count = 0;
    const rd_kafka_CreateTopics_result_t* result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t** topics =
        result != nullptr ? rd_kafka_CreateTopics_result_topics(result, &count) : nullptr;
    if (count == 0) fault = rd_kafka_event_error_string(event);
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_topic_result_error(topics[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fault = rd_kafka_topic_result_error_string(topics[i]);
      }
    }
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_NewTopic_destroy(topic);
  if (!fault.empty()) give_up("topic '" + name + "' could not be made: " + fault, log());
}

void KafkaBroker::kill9() {
  RAILHEAD_ASSERT(process_ != nullptr);
  process_->kill9();
  process_.reset();
}

void KafkaBroker::restart() {
  RAILHEAD_ASSERT(process_ == nullptr);
  launch();
}

void KafkaBroker::stop() {
  RAILHEAD_ASSERT(process_ != nullptr);
  thaw();
  const std::optional<int> status = process_->terminate(kStopMost);
  process_.reset();
  if (archive_.empty()) return;
  // Only an archive that was written to its end is kept.
  std::error_code ignored;
  if (status && std::filesystem::exists(archive_)) {
    std::filesystem::rename(archive_, test_cache() + "/kafka-3.9.2.jsa", ignored);
  } else {
    std::filesystem::remove(archive_, ignored);
  }
}

void KafkaBroker::freeze() { process_->signal(SIGSTOP); }
void KafkaBroker::thaw() { process_->signal(SIGCONT); }

std::vector<Seen> KafkaBroker::dump(const std::string& topic) const {
  const std::string lib = jars();
  std::vector<std::string> argv = java("256m");
  argv.push_back("-Djava.io.tmpdir=" + directory_.path());
  argv.insert(argv.end(), {"-cp", dump_classes(lib) + ":" + lib + "/*", "KafkaDump", bootstrap(), topic});
  const Ran ran = run(std::move(argv), kToolMost);
  if (ran.status != 0) give_up("the Java consumer failed", ran.output);
  return parse_seen(ran.output);
}

std::string KafkaBroker::log() const { return read_file(directory_.path() + "/broker.log"); }

}  // namespace railhead::test
