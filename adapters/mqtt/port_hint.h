// What gives away that a port is not the one meant (TLS, WebSockets, plain), and what to write instead: the end of a
// sentence, "; ...", or nothing where nothing is likely.
// Standards: TLS records RFC 8446 5.1; HTTP's status line RFC 9112 4.
// Threads:   pure functions.
#pragma once

#include <string>
#include <string_view>

#include "adapters/mqtt/url.h"
#include "gateway/base/result.h"

namespace railhead::mqtt {

// `served_before`: the port is right, and silence means something else.

// The TLS handshake or the WebSocket upgrade failed. `first`: the first bytes that came over TCP, perhaps none.
[[nodiscard]] std::string handshake_hint(const Url& url, std::string_view first, bool served_before, const Error& why);

// CONNECT was not answered by MQTT. `first`: the first bytes of the answer, perhaps none.
[[nodiscard]] std::string connect_hint(const Url& url, std::string_view first, bool served_before, const Error& why);

}  // namespace railhead::mqtt
