// A serial line as a Stream: the event loop of the links drives it like a socket, so that every wait is bounded and no
// descriptor needs to be below 1024.
// Opening:  the whole setting is checked back; the line is locked against other programs (TIOCEXCL and flock).
// Errors:   unavailable: there is no such line now (a USB adapter that was pulled out comes back by reconnecting);
//           invalid: the line does not take the setting.
// Threads:  the owner's.
#pragma once

#include <memory>
#include <string>

#include "adapters/modbus/endpoint.h"
#include "gateway/base/result.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {

[[nodiscard]] Result<std::unique_ptr<system::Stream>> open_serial(const std::string& path,
                                                                  const SerialOptions& options);

}  // namespace railhead::modbus
