// What a sink takes as destination: the checks of topics and routing keys, for texts known when the configuration is
// read and for those a reading makes.
// Standards: Kafka topic names [A-Za-z0-9._-]{1,249}; MQTT 5.0 section 4.7 topic names; AMQP 0-9-1 short strings.
// Threads:   pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::routing {

enum class Upstream : std::uint8_t { kafka, mqtt, amqp, other };
[[nodiscard]] Upstream upstream_of(std::string_view kind);

// What is wrong with a complete topic or routing key, as a sentence; empty: nothing.
[[nodiscard]] std::string topic_fault(Upstream upstream, std::string_view topic);
[[nodiscard]] std::string routing_key_fault(std::string_view routing_key);

// Of a part of a topic: where the first character stands that no topic of this upstream may hold; npos if none.
[[nodiscard]] std::size_t illegal_character(Upstream upstream, std::string_view part);

}  // namespace railhead::routing
