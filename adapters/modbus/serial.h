// A serial line as a Stream: the event loop of the links drives it like a socket, so that every wait is bounded and no
// descriptor needs to be below 1024. libmodbus opens it and sets it up, empties it before each request and sends that;
// what it does by blocking in select(), receiving and waiting, is the link's (README.md says why).
// Opening:  the whole setting is checked back; the line is locked against other programs (TIOCEXCL and flock).
// Writing:  a master writes one whole request with its check sum at a time, and what the kernel holds of earlier
//           answers (or of an earlier request) is gone then; a slave writes bytes.
// Errors:   unavailable: there is no such line now (a USB adapter that was pulled out comes back by reconnecting);
//           invalid: the line does not take the setting.
// Threads:  the owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapters/modbus/endpoint.h"
#include "gateway/base/result.h"
#include "gateway/system/stream.h"

namespace railhead::modbus {

enum class SerialRole : std::uint8_t { master, slave };

[[nodiscard]] Result<std::unique_ptr<system::Stream>> open_serial(const std::string& path, const SerialOptions& options,
                                                                  SerialRole role = SerialRole::master);

}  // namespace railhead::modbus
