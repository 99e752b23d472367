// Where a simulated field listens: TCP ports and pseudo-terminals.
// Errors: invalid (no such host), unavailable (the port is taken), io.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/base/result.h"
#include "gateway/system/descriptor.h"

namespace railhead::modbus {

// A listening socket; `port` 0 for any.
[[nodiscard]] Result<system::Descriptor> listen_at(const std::string& host, std::uint16_t port);
[[nodiscard]] std::uint16_t port_of(int fd);
// A pseudo-terminal's own side, raw; `path` is the other side, for a client to open.
[[nodiscard]] Result<system::Descriptor> open_pty(std::string& path);

}  // namespace railhead::modbus
