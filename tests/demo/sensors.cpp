// Stand-ins for a house full of MQTT sensors. A third of the devices each publish, at QoS 1, in the shape of
//   Zigbee2MQTT  zigbee2mqtt/zigbee-1        {"n":1,"battery":97,"humidity":45.2,"linkquality":120,"temperature":21.34}
//   Tasmota      tele/tasmota-1/SENSOR       {"n":1,"Time":"2026-01-01T00:00:00","ENERGY":{"Total":3.185,...}}
//   Shelly Gen2  shelly-1/status/switch:0    {"n":1,"id":0,"source":"init","output":true,"apower":8.9,...}
// `n` numbers the messages of a device from 1.
//   sensors [--url mqtt://127.0.0.1:1883] [--devices 9] [--rate 30] [--count 0]
// --rate is messages a second of all devices together, --count of all together, 0 for ever. Once a second a line of
// JSON goes to standard output: {"published":120,"confirmed":118}. It ends after --count, or on SIGTERM or SIGINT, when
// the broker has confirmed all, with a line per device and one for all:
//   {"device":"zigbee-1","published":40}
//   {"total":120,"unconfirmed":0}
// Status 0 if all was confirmed, 1 if not within 30 s, 2 on wrong arguments or no broker.
// Uses Paho, so that it shares no code with the gateway.
#include <mqtt/async_client.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

volatile std::sig_atomic_t stopping = 0;
void stop(int) { stopping = 1; }

constexpr std::size_t kWindow = 500;  // messages on the way at once
constexpr seconds kConnectMax{30};    // for the first connection
constexpr seconds kConfirmMax{30};    // for the last confirms

struct Arguments {
  std::string url = "mqtt://127.0.0.1:1883";
  int devices = 9;
  double rate = 30;
  std::uint64_t count = 0;
};

struct Sensor {
  enum class Kind { zigbee, tasmota, shelly };
  Kind kind;
  std::string name;
  std::uint64_t published = 0;
  double phase = 0;
};

std::string print(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

std::string topic_of(const Sensor& sensor) {
  switch (sensor.kind) {
    case Sensor::Kind::zigbee: return "zigbee2mqtt/" + sensor.name;
    case Sensor::Kind::tasmota: return "tele/" + sensor.name + "/SENSOR";
    case Sensor::Kind::shelly: return sensor.name + "/status/switch:0";
  }
  return {};
}

// Values that swing slowly, each device in its own phase.
std::string payload_of(const Sensor& sensor, double at_seconds) {
  const double swing = std::sin(at_seconds / 30 + sensor.phase);
  const std::string number = "{\"n\":" + std::to_string(sensor.published + 1);
  switch (sensor.kind) {
    case Sensor::Kind::zigbee:
      return number + ",\"battery\":" + print("%.0f", 97) + ",\"humidity\":" + print("%.2f", 45 + 5 * swing) +
             ",\"linkquality\":" + print("%.0f", 120 + 20 * swing) +
             ",\"temperature\":" + print("%.2f", 21 + 2 * swing) + ",\"voltage\":" + print("%.0f", 3000) + "}";
    case Sensor::Kind::tasmota: {
      const double power = 120 + 80 * swing;
      return number + ",\"Time\":\"" + local_time() +
             "\",\"ENERGY\":{\"TotalStartTime\":\"2026-01-01T00:00:00\",\"Total\":" +
             print("%.3f", 3.185 + at_seconds / 3600 * 0.12) +
             ",\"Yesterday\":2.881,\"Today\":" + print("%.3f", at_seconds / 3600 * 0.12) +
             ",\"Power\":" + print("%.0f", power) + ",\"ApparentPower\":" + print("%.0f", power * 1.05) +
             ",\"ReactivePower\":" + print("%.0f", power * 0.3) +
             ",\"Factor\":0.95,\"Voltage\":" + print("%.0f", 230 + 2 * swing) +
             ",\"Current\":" + print("%.3f", power / 230) + "}}";
    }
    case Sensor::Kind::shelly: {
      const double power = 8.9 + 3 * swing;
      return number + ",\"id\":0,\"source\":\"init\",\"output\":true,\"apower\":" + print("%.1f", power) +
             ",\"voltage\":" + print("%.1f", 231.5 + 1.5 * swing) + ",\"current\":" + print("%.3f", power / 231) +
             ",\"aenergy\":{\"total\":" + print("%.3f", 6.532 + at_seconds * 0.002) +
             ",\"by_minute\":[45.199,47.141,88.397],\"minute_ts\":" +
             std::to_string(static_cast<long long>(std::time(nullptr))) +
             "},\"temperature\":{\"tC\":" + print("%.1f", 43 + swing) +
             ",\"tF\":" + print("%.1f", (43 + swing) * 1.8 + 32) + "}}";
    }
  }
  return {};
}

std::vector<Sensor> make_sensors(int count) {
  std::vector<Sensor> sensors;
  for (int i = 0; i < count; ++i) {
    const auto kind = static_cast<Sensor::Kind>(i % 3);
    const char* const prefix = kind == Sensor::Kind::zigbee    ? "zigbee-"
                               : kind == Sensor::Kind::tasmota ? "tasmota-"
                                                               : "shelly-";
    sensors.push_back({kind, prefix + std::to_string(i / 3 + 1), 0, 0.7 * i});
  }
  return sensors;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return false;
    const char* const text = argv[i + 1];
    char* end = nullptr;
    if (name == "--url") {
      out.url = text;
      continue;
    }
    const double number = std::strtod(text, &end);
    if (end == text || *end != 0 || !(number >= 0) || number > 1e12) return false;
    if (name == "--devices") {
      out.devices = static_cast<int>(std::min(number, 1e6));
    } else if (name == "--rate") {
      out.rate = number;
    } else if (name == "--count") {
      out.count = static_cast<std::uint64_t>(number);
    } else {
      return false;
    }
  }
  return out.devices > 0 && out.rate > 0;
}

class Bus {
 public:
  explicit Bus(const std::string& url)
      : client_("tcp" + url.substr(url.find("://")),
                "sensors-" + std::to_string(Clock::now().time_since_epoch().count()),
                mqtt::create_options(MQTTVERSION_3_1_1, static_cast<int>(kWindow) + 1)) {}

  bool connect() {
    mqtt::connect_options options;
    options.set_clean_session(false);
    options.set_automatic_reconnect(1, 4);
    options.set_max_inflight(static_cast<int>(kWindow));
    for (const auto until = Clock::now() + kConnectMax; Clock::now() < until && stopping == 0;) {
      try {
        client_.connect(options)->wait();
        return true;
      } catch (const mqtt::exception&) {
        std::this_thread::sleep_for(milliseconds{200});
      }
    }
    return false;
  }

  // False: not taken now (the broker is away), the same again later.
  bool publish(const std::string& topic, const std::string& payload) {
    forget_confirmed();
    if (sent_.size() >= kWindow) return false;
    try {
      sent_.push_back(client_.publish(mqtt::make_message(topic, payload, 1, false)));
      return true;
    } catch (const mqtt::exception&) {
      return false;
    }
  }

  // How many have no PUBACK yet.
  std::size_t forget_confirmed() {
    while (!sent_.empty() && sent_.front()->is_complete()) sent_.pop_front();
    return static_cast<std::size_t>(
        std::count_if(sent_.begin(), sent_.end(), [](const auto& token) { return !token->is_complete(); }));
  }

  bool confirm_all() {
    for (const auto until = Clock::now() + kConfirmMax; Clock::now() < until;
         std::this_thread::sleep_for(milliseconds{10})) {
      if (forget_confirmed() == 0) return true;
    }
    return false;
  }

  void disconnect() {
    try {
      client_.disconnect()->wait_for(seconds{2});
    } catch (const mqtt::exception&) {
      // It is away already.
    }
  }

 private:
  mqtt::async_client client_;
  std::deque<mqtt::delivery_token_ptr> sent_;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments) || arguments.url.find("://") == std::string::npos) {
    std::fprintf(stderr, "usage: sensors [--url mqtt://HOST:PORT] [--devices N] [--rate PER_SECOND] [--count N]\n");
    return 2;
  }
  std::signal(SIGTERM, stop);
  std::signal(SIGINT, stop);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  Bus bus(arguments.url);
  if (!bus.connect()) {
    std::fprintf(stderr, "sensors: no broker at %s\n", arguments.url.c_str());
    return 2;
  }
  std::vector<Sensor> sensors = make_sensors(arguments.devices);
  const auto began = Clock::now();
  auto told = began;
  std::uint64_t total = 0;
  while (stopping == 0 && (arguments.count == 0 || total < arguments.count)) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
    const bool due = static_cast<double>(total) < elapsed * arguments.rate;
    Sensor& sensor = sensors[total % sensors.size()];
    if (due && bus.publish(topic_of(sensor), payload_of(sensor, elapsed))) {
      ++sensor.published;
      ++total;
    } else {
      std::this_thread::sleep_for(milliseconds{1});
    }
    if (Clock::now() - told >= seconds{1}) {
      told = Clock::now();
      std::printf("{\"published\":%llu,\"confirmed\":%llu}\n", static_cast<unsigned long long>(total),
                  static_cast<unsigned long long>(total - bus.forget_confirmed()));
    }
  }
  const bool confirmed = bus.confirm_all();
  for (const Sensor& sensor : sensors) {
    std::printf("{\"device\":\"%s\",\"published\":%llu}\n", sensor.name.c_str(),
                static_cast<unsigned long long>(sensor.published));
  }
  std::printf("{\"total\":%llu,\"unconfirmed\":%zu}\n", static_cast<unsigned long long>(total), bus.forget_confirmed());
  bus.disconnect();
  return confirmed ? 0 : 1;
}
