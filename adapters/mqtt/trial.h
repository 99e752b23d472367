// trial(): comes as far with a broker as its connection, TLS handshake and WebSocket upgrade, to learn why a client
// library, which says only that it failed, could not.
// Result:  what is wrong; nullopt: nothing that shows within `at_most`, or `stop` came.
// Threads: blocks its caller, who may be on any; `waiting` is called there, several times a second.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "adapters/mqtt/url.h"
#include "adapters/tls/options.h"
#include "gateway/base/result.h"
#include "gateway/base/time.h"

namespace railhead::mqtt {

[[nodiscard]] std::optional<Error> trial(const Url& url, const tls::Options& tls, Duration at_most,
                                         const std::stop_token& stop, const std::function<void()>& waiting);

}  // namespace railhead::mqtt
