// The reader of ./dev demo: takes Kafka topics from their beginning and judges the delivery contract by itself; it
// shares no code with the gateway.
//   consumer BOOTSTRAP TOPIC... [--field n]
// Repeats are discarded by the header ce_id. A record whose JSON body has the whole number `field` (a dotted path) is a
// numbered one of its device, the header ce_subject; all others are only counted. Of each device first occurrences must
// come in order, but for those marked rh-dup or rh-late.
//
// Once a second a line of JSON goes to standard output:
//   {"received":120,"distinct":118,"repeats":2,"surplus":0,"unmarked":0,"unidentified":0,"numbered":100,"devices":3,
//    "gaps":0,"out_of_order":0}
// surplus:      a number that came before under another identity; unmarked: of these without rh-dup
// unidentified: without ce_id
// gaps:         numbers between the first and the last seen of a device that have not come (yet)
//
// Commands on standard input:
//   expect FILE SECONDS   FILE has a line "DEVICE FIRST LAST" for each device. Waits at most that long until all of it
//      has come, prints the last line with "final":true, "expected", "lost" and each device's "largest" number, and
//      ends: status 0 if nothing is lost, out of order, unmarked or unidentified, else 1.
//   quit   (or SIGTERM, SIGINT, end of input) the same without an expectation: lost is what is in the gaps.
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <simdjson.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

volatile std::sig_atomic_t stopping = 0;
void stop(int) { stopping = 1; }

struct Device {
  std::set<std::int64_t> seen;
  std::int64_t last = -1;
};

// What has come, and what is wrong with it.
class Account {
 public:
  explicit Account(std::string field) : field_("/" + field) {
    for (char& c : field_) {
      if (c == '.') c = '/';
    }
  }

  void take(const std::map<std::string, std::string>& headers, std::string_view body) {
    ++received_;
    const auto id = headers.find("ce_id");
    if (id == headers.end()) {
      ++unidentified_;
      return;
    }
    if (!identities_.insert(id->second).second) {
      ++repeats_;
      return;
    }
    const std::optional<std::int64_t> n = number_of(body);
    const auto subject = headers.find("ce_subject");
    if (!n || subject == headers.end()) return;
    const bool marked = headers.contains("rh-dup");
    Device& device = devices_[subject->second];
    if (!device.seen.insert(*n).second) {
      ++surplus_;
      if (!marked) ++unmarked_;
      return;
    }
    ++numbered_;
    if (*n < device.last && !marked && !headers.contains("rh-late")) ++out_of_order_;
    device.last = std::max(device.last, *n);
  }

  [[nodiscard]] std::string counts() const {
    std::string text;
    const auto add = [&text](const char* name, std::uint64_t value) {
      text += (text.empty() ? "\"" : ",\"") + std::string(name) + "\":" + std::to_string(value);
    };
    add("received", received_);
    add("distinct", identities_.size());
    add("repeats", repeats_);
    add("surplus", surplus_);
    add("unmarked", unmarked_);
    add("unidentified", unidentified_);
    add("numbered", numbered_);
    add("devices", devices_.size());
    add("gaps", gaps());
    add("out_of_order", out_of_order_);
    return text;
  }
  // {"device":largest number,...}
  [[nodiscard]] std::string largest() const {
    std::string text;
    for (const auto& [name, device] : devices_) {
      text += (text.empty() ? "\"" : ",\"");
      for (const char c : name) {
        if (c == '"' || c == '\\') text.push_back('\\');
        text.push_back(static_cast<unsigned char>(c) < 0x20 ? '?' : c);
      }
      text += "\":" + std::to_string(device.last);
    }
    return "{" + text + "}";
  }
  [[nodiscard]] std::uint64_t gaps() const {
    std::uint64_t missing = 0;
    for (const auto& [name, device] : devices_) {
      const auto range = static_cast<std::uint64_t>(*device.seen.rbegin() - *device.seen.begin()) + 1;
      missing += range - device.seen.size();
    }
    return missing;
  }
  // How many of device's numbers first..last have not come.
  [[nodiscard]] std::uint64_t missing(const std::string& name, std::int64_t first, std::int64_t last) const {
    const auto due = static_cast<std::uint64_t>(last - first) + 1;
    const auto found = devices_.find(name);
    if (found == devices_.end()) return due;
    const auto& seen = found->second.seen;
    const auto here = std::distance(seen.lower_bound(first), seen.upper_bound(last));
    return due - static_cast<std::uint64_t>(here);
  }
  [[nodiscard]] bool sound() const { return out_of_order_ == 0 && unmarked_ == 0 && unidentified_ == 0; }

 private:
  std::optional<std::int64_t> number_of(std::string_view body) {
    simdjson::dom::element document;
    if (parser_.parse(body.data(), body.size()).get(document) != simdjson::SUCCESS) return std::nullopt;
    std::int64_t number = 0;
    simdjson::dom::element member;
    if (document.at_pointer(field_).get(member) != simdjson::SUCCESS) return std::nullopt;
    if (member.get(number) == simdjson::SUCCESS) return number;
    // A number that went through an expression with a fraction is written as 7.0.
    double real = 0;
    if (member.get(real) != simdjson::SUCCESS || real != static_cast<double>(static_cast<std::int64_t>(real))) {
      return std::nullopt;
    }
    return static_cast<std::int64_t>(real);
  }

  std::string field_;  // a JSON pointer
  simdjson::dom::parser parser_;
  std::unordered_set<std::string> identities_;
  std::map<std::string, Device> devices_;
  std::uint64_t received_ = 0;
  std::uint64_t repeats_ = 0;
  std::uint64_t surplus_ = 0;
  std::uint64_t unmarked_ = 0;      // surplus without rh-dup
  std::uint64_t unidentified_ = 0;  // without ce_id
  std::uint64_t numbered_ = 0;
  std::uint64_t out_of_order_ = 0;
};

// Reads every partition of the topics from its beginning, as the topics appear.
class Reader {
 public:
  Reader(const std::string& bootstrap, std::vector<std::string> topics) : topics_(std::move(topics)) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::vector<std::pair<const char*, const char*>> settings{{"bootstrap.servers", bootstrap.c_str()},
                                                                    {"group.id", "railhead-demo"},
                                                                    {"client.id", "demo-reader"},
                                                                    {"enable.auto.commit", "false"},
                                                                    {"auto.offset.reset", "earliest"},
                                                                    {"isolation.level", "read_committed"},
                                                                    {"reconnect.backoff.max.ms", "500"}};
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) fail(text);
    }
    rd_kafka_conf_set_log_cb(conf, nullptr);
    handle_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (handle_ == nullptr) fail(text);
    rd_kafka_poll_set_consumer(handle_);
  }
  ~Reader() {
    rd_kafka_consumer_close(handle_);
    rd_kafka_destroy(handle_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Waits a moment for records and gives them to the account.
  void read(Account& account) {
    if (partitions_.size() < topics_.size() && Clock::now() >= next_look_) {
      next_look_ = Clock::now() + milliseconds{500};
      look();
    }
    for (int wait_ms = 100, count = 0; count < 5000; ++count, wait_ms = 0) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_, wait_ms);
      if (message == nullptr) return;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        offsets_[{rd_kafka_topic_name(message->rkt), message->partition}] = message->offset + 1;
        account.take(headers_of(message), {static_cast<const char*>(message->payload), message->len});
      }
      rd_kafka_message_destroy(message);
    }
  }

 private:
  [[noreturn]] static void fail(const std::string& why) {
    std::fprintf(stderr, "consumer: %s\n", why.c_str());
    std::exit(2);
  }

  // Which topics are there now?
  void look() {
    bool more = false;
    for (const std::string& topic : topics_) {
      if (partitions_.contains(topic)) continue;
      rd_kafka_topic_t* handle = rd_kafka_topic_new(handle_, topic.c_str(), nullptr);
      const rd_kafka_metadata_t* metadata = nullptr;
      if (rd_kafka_metadata(handle_, 0, handle, &metadata, 1000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            metadata->topics[0].partition_cnt > 0) {
          partitions_[topic] = metadata->topics[0].partition_cnt;
          more = true;
        }
        rd_kafka_metadata_destroy(metadata);
      }
      rd_kafka_topic_destroy(handle);
    }
    if (!more) return;
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(16);
    for (const auto& [topic, count] : partitions_) {
      for (std::int32_t partition = 0; partition < count; ++partition) {
        const auto known = offsets_.find({topic, partition});
        rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset =
            known != offsets_.end() ? known->second : RD_KAFKA_OFFSET_BEGINNING;
      }
    }
    rd_kafka_assign(handle_, list);
    rd_kafka_topic_partition_list_destroy(list);
  }

  static std::map<std::string, std::string> headers_of(rd_kafka_message_t* message) {
    std::map<std::string, std::string> found;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      found[name] = std::string(static_cast<const char*>(value), size);
    }
    return found;
  }

  std::vector<std::string> topics_;
  rd_kafka_t* handle_ = nullptr;
  std::map<std::string, int> partitions_;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> offsets_;  // the next of each partition
  Clock::time_point next_look_{};
};

struct Due {
  std::string device;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

struct Expectation {
  std::vector<Due> due;
  Clock::time_point until;
};

std::optional<Expectation> expectation_of(const std::string& path, int most_s) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  Expectation expectation{.due = {}, .until = Clock::now() + seconds{most_s}};
  for (Due one; file >> one.device >> one.first >> one.last;) {
    if (one.last >= one.first) expectation.due.push_back(one);
  }
  if (!file.eof()) return std::nullopt;
  return expectation;
}

std::uint64_t lost(const Account& account, const std::optional<Expectation>& expectation) {
  if (!expectation) return account.gaps();
  std::uint64_t missing = 0;
  for (const Due& due : expectation->due) missing += account.missing(due.device, due.first, due.last);
  return missing;
}

std::uint64_t expected(const Expectation& expectation) {
  std::uint64_t count = 0;
  for (const Due& due : expectation.due) count += static_cast<std::uint64_t>(due.last - due.first) + 1;
  return count;
}

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

// Lines of standard input, without waiting.
class Input {
 public:
  // nullopt: none; closed() after the end.
  std::optional<std::string> line() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (!closed_ && pending_.find('\n') == std::string::npos && poll(&input, 1, 0) > 0) {
      char bytes[512];
      const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (got <= 0) {
        closed_ = true;
      } else {
        pending_.append(bytes, static_cast<std::size_t>(got));
      }
    }
    const std::size_t end = pending_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return line;
  }
  [[nodiscard]] bool closed() const { return closed_ && pending_.find('\n') == std::string::npos; }

 private:
  std::string pending_;
  bool closed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string field = "n";
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "--field") continue;
    field = words[i + 1];
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i), words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    break;
  }
  if (words.size() < 2) {
    std::fprintf(stderr, "usage: consumer BOOTSTRAP TOPIC... [--field n]\n");
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  Account account(field);
  Reader reader(words[0], {words.begin() + 1, words.end()});
  Input input;
  std::optional<Expectation> expectation;
  bool over = false;
  for (auto next_line = Clock::now() + seconds{1}; !over;) {
    reader.read(account);
    if (Clock::now() >= next_line) {
      next_line += seconds{1};
      say("{" + account.counts() + "}");
    }
    over = stopping != 0;
    if (expectation) {
      over = over || lost(account, expectation) == 0 || Clock::now() >= expectation->until;
      continue;
    }
    while (const std::optional<std::string> line = input.line()) {
      std::istringstream command(*line);
      std::string verb;
      std::string path;
      int most_s = 0;
      command >> verb;
      if (verb == "quit") {
        over = true;
      } else if (verb == "expect" && command >> path >> most_s) {
        expectation = expectation_of(path, most_s);
        if (!expectation) {
          std::fprintf(stderr, "consumer: cannot read %s: lines are DEVICE FIRST LAST\n", path.c_str());
          return 2;
        }
        break;
      } else if (!verb.empty()) {
        std::fprintf(stderr, "consumer: unknown command '%s'\n", line->c_str());
      }
    }
    if (input.closed() && !expectation) over = true;
  }
  const std::uint64_t missing = lost(account, expectation);
  say("{\"final\":true," + account.counts() +
      (expectation ? ",\"expected\":" + std::to_string(expected(*expectation)) : std::string()) +
      ",\"lost\":" + std::to_string(missing) + ",\"largest\":" + account.largest() + "}");
  return missing == 0 && account.sound() ? 0 : 1;
}
