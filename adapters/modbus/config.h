// The configuration of a Modbus source: `sources.NAME.modbus`, with the models it names. One table of fields each for
// the source, a device, a point and a model; then what the tables cannot know: addresses as the vendor counts them,
// types against orders and tables, models that exist.
// Errors: everything goes to Diagnostics, with the place in the file; nullopt if anything was wrong.
// Never touches the network; model files are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/endpoint.h"
#include "adapters/modbus/link.h"
#include "adapters/modbus/points.h"
#include "adapters/modbus/source.h"
#include "adapters/tls/options.h"
#include "gateway/config/fields.h"
#include "gateway/ports/adapter.h"

namespace railhead::modbus {

// How the vendor counts. modicon: 40001 is holding register 0, 30001 input 0, 10001 discrete 0, 1 coil 0; also six
// digits (400001).
enum class Addressing : std::uint8_t { zero, one, modicon };

// What "not implemented" looks like in all points of a device or model.
enum class Sentinels : std::uint8_t { none, sunspec };

struct WriteConfig {
  std::optional<double> min;
  std::optional<double> max;
  std::optional<double> step;
  config::Node values;
  WriteFunction function = WriteFunction::automatic;
  bool verify = false;
};

struct ClampConfig {
  std::optional<Decimal> min;
  std::optional<Decimal> max;
};

struct PointConfig {
  std::optional<std::uint32_t> coil;
  std::optional<std::uint32_t> discrete;
  std::optional<std::uint32_t> holding;
  std::optional<std::uint32_t> input;
  std::optional<Type> type;
  std::string order;
  std::optional<std::uint8_t> bit;
  config::Node bits;  // "4..7", or { 0: running, 4..7: mode }
  std::uint16_t length = 0;
  std::optional<Decimal> scale;
  std::optional<Decimal> offset;
  std::optional<ClampConfig> clamp;
  std::string scale_from;
  std::map<std::string, std::string> names;
  config::Node absent;  // a number, its bits, nan, empty or sunspec; or a list of these
  std::optional<std::uint16_t> count;
  bool hidden = false;
  std::string unit;
  std::optional<Duration> every;
  std::optional<WriteConfig> write;
};

// What the device says wins over what its model says, and that over the defaults of PlanLimits.
struct LimitsConfig {
  std::optional<std::uint16_t> max_gap;
  std::optional<std::uint16_t> max_registers;
  std::optional<std::uint16_t> max_bits;
  std::vector<config::Located<std::string>> forbidden;  // "holding 100..199", as `addressing` counts
};

// Points that stand several times, `stride` apart: NAME1_point, NAME2_point, ...
struct RepeatConfig {
  std::uint16_t count = 1;
  std::uint16_t stride = 0;
  std::uint16_t first = 1;  // the number of the first one in its name
  std::map<std::string, PointConfig> points;
};

// A model as one device has it.
struct PlacedModelConfig {
  std::string model;
  std::optional<std::int32_t> offset;  // none: 0, or where the device's chain of SunSpec models has it
  std::uint16_t instance = 1;
  std::string prefix;
};

struct DeviceConfig : LimitsConfig {
  std::string model;
  std::optional<std::int32_t> offset;
  std::vector<PlacedModelConfig> models;
  std::string url;
  std::uint8_t unit_id = 1;
  Duration every = std::chrono::seconds{1};
  std::optional<Duration> timeout;
  Duration response = std::chrono::milliseconds{10};
  Addressing addressing = Addressing::zero;
  std::optional<Sentinels> absent;
  std::map<std::string, PointConfig> points;
  std::map<std::string, RepeatConfig> repeat;
};

struct SourceConfig {
  std::string url;
  Duration timeout = std::chrono::milliseconds{500};
  Duration connect_timeout = std::chrono::seconds{3};
  std::uint8_t failures = 3;
  Duration probe = std::chrono::seconds{60};
  std::string probe_share = "10 %";
  std::uint8_t pipeline = 1;
  tls::Options tls;
  std::map<std::string, DeviceConfig> devices;
};

struct ModelConfig : LimitsConfig {
  std::filesystem::path file;
  std::string description;
  std::string source;
  std::optional<Addressing> addressing;
  std::optional<Sentinels> absent;
  std::vector<std::uint16_t> sunspec;  // its identifiers in a device's chain of models
  std::map<std::string, PointConfig> points;
  std::map<std::string, RepeatConfig> repeat;
};

// "5 %" is 0.05; nullopt: no percentage of 0.1 to 50.
[[nodiscard]] std::optional<double> parse_share(std::string_view text);
[[nodiscard]] const config::Fields<SourceConfig>& source_fields();
[[nodiscard]] const config::Fields<ModelConfig>& model_fields();

// `known`: every device with the names of its points, also those that are wrong: so that a mistake in one point does
// not hide that a rule misspelt another.
[[nodiscard]] std::optional<SourceOptions> read_source(const config::Node& node, const config::Node& models,
                                                       config::Diagnostics& diagnostics,
                                                       std::vector<ports::KnownDevice>* known = nullptr);

// The address counted from 0, or what is wrong with it.
[[nodiscard]] std::optional<Range> parse_range(std::string_view text, Addressing addressing, std::int32_t shift);
[[nodiscard]] Result<std::uint16_t> resolve_address(std::uint32_t written, Table table, Addressing addressing);

}  // namespace railhead::modbus
