// The upstream of ./dev demo: librdkafka's mock Kafka cluster in a program of its own; no Java needed.
//   upstream [BROKERS]     prints "ready HOST:PORT[,HOST:PORT...]" and reads commands from standard input:
//     down   every broker drops its connections and takes no new ones; prints "down". What it holds is kept, in memory.
//     up     they are back; prints "up"
//     topic NAME PARTITIONS   prints "topic NAME"; a topic that is merely used is made with 4 partitions
//     quit   (or end of input, SIGTERM, SIGINT) ends with status 0
// Limits of the mock: 5 MB or 100,000 batches per partition, older data vanish; no TLS, no users.
#include <librdkafka/rdkafka.h>
// After rdkafka.h.
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace {

constexpr int kBrokersMax = 9;
constexpr int kPartitionsMax = 100;

volatile std::sig_atomic_t stopping = 0;
void stop(int) { stopping = 1; }

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

class Upstream {
 public:
  explicit Upstream(int brokers) : brokers_(brokers) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (handle_ != nullptr) cluster_ = rd_kafka_mock_cluster_new(handle_, brokers);
    if (cluster_ == nullptr) {
      std::fprintf(stderr, "upstream: cannot start the mock cluster\n");
      std::exit(2);
    }
  }
  ~Upstream() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(handle_);
  }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  // False: end.
  bool obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "quit") return false;
    if (command == "down" || command == "up") {
      for (int broker = 1; broker <= brokers_; ++broker) {
        if (command == "down") {
          rd_kafka_mock_broker_set_down(cluster_, broker);
        } else {
          rd_kafka_mock_broker_set_up(cluster_, broker);
        }
      }
      say(command);
    } else if (command == "topic") {
      std::string name;
      int partitions = 0;
      words >> name >> partitions;
      if (partitions < 1 || partitions > kPartitionsMax ||
          rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        std::fprintf(stderr, "upstream: cannot make topic '%s'\n", name.c_str());
      } else {
        say("topic " + name);
      }
    } else if (!command.empty()) {
      std::fprintf(stderr, "upstream: unknown command '%s'\n", command.c_str());
    }
    return true;
  }

 private:
  int brokers_;
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  const int brokers = argc > 1 ? std::atoi(argv[1]) : 1;
  if (brokers < 1 || brokers > kBrokersMax) {
    std::fprintf(stderr, "usage: upstream [BROKERS], 1 to %d\n", kBrokersMax);
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  Upstream upstream(brokers);
  say("ready " + upstream.bootstrap());
  std::string pending;
  while (stopping == 0) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 500) <= 0) continue;
    char bytes[512];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got <= 0) return 0;
    pending.append(bytes, static_cast<std::size_t>(got));
    for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      const std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      if (!upstream.obey(line)) return 0;
    }
  }
  return 0;
}
