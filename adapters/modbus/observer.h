// Observer: what links and schedulers tell the source that owns them. Calls come on the source's thread, from within
// the scheduler: an observer must not call back into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/sunspec.h"
#include "gateway/message/reading.h"

namespace railhead::modbus {

// Why ticks were left out: there was no connection; the time went in waiting for devices that did not answer; or all
// that is asked of the link takes longer than there is time.
enum class Missed : std::uint8_t { unconnected, silence, busy };
inline constexpr std::size_t kMissedReasons = 3;

class Observer {
 public:
  virtual ~Observer() = default;
  // `every`: of the group that was read; 0 for a device's going down or coming up.
  virtual void on_reading(Reading reading, Duration every) = 0;
  virtual void on_device_down(const std::string& device, const std::string& why) = 0;
  virtual void on_device_up(const std::string& device) = 0;
  // A device's SunSpec models were looked for: where its points are now; `missing`: models that it has not.
  virtual void on_placed(const std::string& device, const PlacedPoints& placed, const SunspecChain& chain) = 0;
  virtual void on_refused(const std::string& device, const ReadRequest& request, const std::string& why) = 0;
  virtual void on_missed(const std::string& device, std::uint64_t ticks, Missed why) = 0;
  virtual void on_connected(const std::string& endpoint) = 0;
  virtual void on_lost(const std::string& endpoint, const std::string& why) = 0;
  virtual void on_discarded(const std::string& endpoint, const std::string& why) = 0;
};

}  // namespace railhead::modbus
