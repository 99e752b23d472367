// A stream through WebSockets (websocket.h), over plain TCP or TLS. handshake() also upgrades the connection.
// write(): a frame leaves whole or not at all, so what would block gives 0, and the same bytes must come again, more
// may follow them (as with TLS). Reading answers pings and a close. Errors: as the stream below, and websocket.h's.
// Threads: the loop's.
#pragma once

#include <memory>

#include "adapters/mqtt/url.h"
#include "gateway/system/stream.h"

namespace railhead::mqtt {

[[nodiscard]] std::unique_ptr<system::Stream> through_websocket(std::unique_ptr<system::Stream> below, const Url& url);

}  // namespace railhead::mqtt
