// Why a record can never leave as an MQTT message, and how long it may wait at the broker. No I/O. Threads: pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "gateway/base/time.h"
#include "gateway/message/envelope.h"
#include "gateway/ports/sink.h"

namespace railhead::mqtt {

// Left out when empty: a response topic or correlation data that the data at hand does not have.
[[nodiscard]] bool is_left_out(const Header& header);

// Empty if it can leave. Control characters (U+0001..U+001F, U+007F..U+009F) and Unicode's non-characters should not be
// in topics and properties, and a broker may close the connection upon them as malformed [5 1.5.4], as mosquitto does.
[[nodiscard]] std::string outgoing_fault(const std::string& topic, const Enveloper::Wrapped& wrapped);

// What is left of the record's time, in whole seconds as MQTT counts, never 0.
[[nodiscard]] std::optional<std::chrono::seconds> expiry_of(const ports::Outgoing& outgoing, BootTime now);

}  // namespace railhead::mqtt
