// The top level of a configuration: what is nobody's adapter and nobody's rule. The parts that have a reader of their
// own (sources, sinks, models, tables, rules, tests) stay nodes. Lifetime: the nodes are valid while the Document
// lives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "gateway/base/time.h"
#include "gateway/config/document.h"
#include "gateway/config/scalars.h"

namespace railhead::config {

class Reference;

enum class WhenFull : std::uint8_t { drop_oldest, block };
enum class ClockTrust : std::uint8_t { kernel, rtc };
enum class LedKind : std::uint8_t { none, sysfs };

struct SpoolSettings {
  std::filesystem::path path = "/var/lib/railhead/spool";
  ByteSize limit{std::uint64_t{2} << 30};
  std::optional<ByteSize> keep_free;                // unset: the smaller of 512 MiB and 10 % of the disk (S12)
  Duration age{};                                   // 0: no bound
  Duration keep_delivered{};                        // 0: settled records go at once
  Duration commit = std::chrono::milliseconds{10};  // 0: back to back (S13)
  WhenFull when_full = WhenFull::drop_oldest;
  ByteSize alarm_limit{std::uint64_t{64} << 20};  // of the second spool (S11)
};

struct DeadLetterSettings {
  ByteSize limit{std::uint64_t{64} << 20};
  std::optional<Located<std::string>> to;     // a sink
  std::optional<Located<std::string>> topic;  // a template
};

struct LedSettings {
  LedKind kind = LedKind::none;
  std::string green;  // names of LEDs below root
  std::string red;
  std::filesystem::path root = "/sys/class/leds";
};

struct PanelSettings {
  std::optional<Located<std::string>> http;  // "host:port"; unset: no page
  LedSettings led;
};

struct ControlSettings {
  std::filesystem::path socket = "/run/railhead/control.sock";
};

struct ReloadSettings {
  bool watch = false;
};

struct ClockSettings {
  ClockTrust trust = ClockTrust::kernel;
};

// What the gateway says of itself as readings of the source `railhead` (S25).
enum class EventLevel : std::uint8_t { info, warning, error };
struct OwnReadingsSettings {
  EventLevel events = EventLevel::info;         // the least level
  Duration counters = std::chrono::minutes{1};  // 0: none
};

struct GatewayOptions {
  Located<std::uint32_t> version{1, {}, 1};
  Located<std::string> gateway;
  std::map<std::string, std::string> labels;
  SpoolSettings spool;
  DeadLetterSettings dead_letters;
  PanelSettings panel;
  ControlSettings control;
  ClockSettings clock;
  ReloadSettings reload;
  OwnReadingsSettings own_readings;
  Node include;  // done by Document
  Node sources;
  Node models;
  Node tables;
  Node rules;
  Node tests;
  Node sinks;
};

// Reads the top level and checks the names of sources, sinks, models and tables. Reports everything at once.
[[nodiscard]] GatewayOptions read_gateway(const Document& document, Diagnostics& diagnostics);
void describe_gateway(Reference& reference);

// A source of this name is the gateway itself (S25).
inline constexpr std::string_view kOwnSource = "railhead";

}  // namespace railhead::config
