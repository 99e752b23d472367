// Keeps what a scheduler or a link tells, as short texts. Threads: one test's thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/modbus/observer.h"
#include "gateway/message/json.h"

namespace railhead::modbus {

class RecordingObserver final : public Observer {
 public:
  void on_reading(Reading reading, Duration) override { readings.push_back(std::move(reading)); }
  void on_device_down(const std::string& device, const std::string& why) override {
    events.push_back("down " + device + ": " + why);
  }
  void on_device_up(const std::string& device) override { events.push_back("up " + device); }
  void on_refused(const std::string& device, const ReadRequest& request, const std::string& why) override {
    events.push_back("refused " + device + " " + std::string(name_of(request.table)) + " " +
                     std::to_string(request.address) + "+" + std::to_string(request.count) + ": " + why);
  }
  void on_missed(const std::string& device, std::uint64_t ticks, Missed why) override {
    events.push_back("missed " + device + " " + std::to_string(ticks));
    missed += ticks;
    missed_by[static_cast<std::size_t>(why)] += ticks;
  }
  void on_placed(const std::string& device, const PlacedPoints& placed, const SunspecChain& chain) override {
    events.push_back("placed " + device + " " + std::to_string(chain.models.size()) + " models");
    for (const std::string& missing : placed.missing) events.push_back("missing " + missing);
  }
  void on_connected(const std::string&) override { events.push_back("connected"); }
  void on_lost(const std::string&, const std::string& why) override { events.push_back("lost: " + why); }
  void on_discarded(const std::string&, const std::string& why) override {
    ++discarded;
    if (discarded == 1) events.push_back("discarded: " + why);
  }

  // "good {"a":1} null"
  static std::string shown(const Reading& reading) {
    return reading.device + " " + std::string(name_of(reading.quality)) + " " + to_json(reading.value) +
           (reading.bad.is(Kind::null) ? "" : " " + to_json(reading.bad));
  }
  // Shows and forgets what came since the last call.
  std::vector<std::string> take() {
    std::vector<std::string> texts;
    for (const Reading& reading : readings) texts.push_back(shown(reading));
    readings.clear();
    return texts;
  }

  std::vector<Reading> readings;
  std::vector<std::string> events;
  std::uint64_t missed = 0;
  std::array<std::uint64_t, kMissedReasons> missed_by{};  // unconnected, silence, busy
  unsigned discarded = 0;
};

}  // namespace railhead::modbus
