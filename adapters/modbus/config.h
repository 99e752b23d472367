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

#include "adapters/modbus/link.h"
#include "adapters/modbus/points.h"
#include "adapters/modbus/source.h"
#include "adapters/tls/options.h"
#include "gateway/config/fields.h"

namespace railhead::modbus {

// How the vendor counts. modicon: 40001 is holding register 0, 30001 input 0, 10001 discrete 0, 1 coil 0; also six
// digits (400001).
enum class Addressing : std::uint8_t { zero, one, modicon };

struct WriteConfig {
  std::optional<double> min;
  std::optional<double> max;
};

struct PointConfig {
  std::optional<std::uint32_t> coil;
  std::optional<std::uint32_t> discrete;
  std::optional<std::uint32_t> holding;
  std::optional<std::uint32_t> input;
  std::optional<Type> type;
  std::string order;
  std::optional<std::uint8_t> bit;
  std::string bits;
  std::uint16_t length = 0;
  std::optional<Decimal> scale;
  std::optional<Decimal> offset;
  std::string unit;
  std::optional<Duration> every;
  std::optional<WriteConfig> write;
};

// What the device says wins over what its model says, and that over the defaults of PlanLimits.
struct LimitsConfig {
  std::optional<std::uint16_t> max_gap;
  std::optional<std::uint16_t> max_registers;
  std::optional<std::uint16_t> max_bits;
};

struct DeviceConfig : LimitsConfig {
  std::string model;
  std::string url;
  std::uint8_t unit_id = 1;
  Duration every = std::chrono::seconds{1};
  std::optional<Duration> timeout;
  Addressing addressing = Addressing::zero;
  std::map<std::string, PointConfig> points;
};

struct SourceConfig {
  std::string url;
  Duration timeout = std::chrono::milliseconds{500};
  Duration connect_timeout = std::chrono::seconds{3};
  std::uint8_t failures = 3;
  Duration probe = std::chrono::seconds{60};
  tls::Options tls;
  std::map<std::string, DeviceConfig> devices;
};

struct ModelConfig : LimitsConfig {
  std::filesystem::path file;
  std::string description;
  std::string source;
  std::optional<Addressing> addressing;
  std::map<std::string, PointConfig> points;
};

[[nodiscard]] const config::Fields<SourceConfig>& source_fields();
[[nodiscard]] const config::Fields<ModelConfig>& model_fields();

[[nodiscard]] std::optional<SourceOptions> read_source(const config::Node& node, const config::Node& models,
                                                       config::Diagnostics& diagnostics);

// "tcp://10.0.0.17:502", "tls://plc.local:802": the endpoint, or what is wrong with it. Without a port 502, or 802.
[[nodiscard]] Result<Endpoint> parse_url(std::string_view url);
// The address counted from 0, or what is wrong with it.
[[nodiscard]] Result<std::uint16_t> resolve_address(std::uint32_t written, Table table, Addressing addressing);

}  // namespace railhead::modbus
