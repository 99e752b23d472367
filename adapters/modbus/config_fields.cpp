#include "adapters/modbus/config.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "adapters/modbus/foreign_names.h"
#include "gateway/base/text.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::modbus {
namespace {

std::string order_fault(std::string_view text) {
  if (ByteOrder::parse(text)) return "";
  const std::string meant = order_meant(text);
  return "an order names each byte once, A the most significant: ABCD is big-endian, CDAB has the words swapped, BADC "
         "the bytes, DCBA is little-endian; AB, ABCDEFGH, ..." +
         (meant.empty() ? std::string() : "; did you mean " + meant + "?");
}

std::string share_fault(std::string_view text) {
  return parse_share(text) ? "" : "expected a share of 0.1 % to 50 %, like 5 %";
}

std::string url_fault(std::string_view url) {
  const Result<Endpoint> endpoint = parse_url(url);
  return endpoint ? "" : endpoint.error().what;
}

const config::Fields<WriteConfig>& write_fields() {
  static const config::Fields<WriteConfig> fields =
      config::Fields<WriteConfig>("write", "That and within which limits a point may be written.")
          .optional("min", &WriteConfig::min, {.sentence = "The least value that may be written.", .example = "10"})
          .optional("max", &WriteConfig::max, {.sentence = "The greatest value that may be written.", .example = "90"})
          .optional("step", &WriteConfig::step,
                    {.sentence = "Only min (or 0) and whole steps from there.", .example = "0.5"})
          .raw("values", &WriteConfig::values,
               {.sentence = "The list of the only values that may be written.", .example = "[ 0, 1, 4 ]"})
          .choice("function", &WriteConfig::function,
                  {{"auto", WriteFunction::automatic},
                   {"multiple", WriteFunction::multiple},
                   {"read_write", WriteFunction::read_write}},
                  {.sentence = "How: 5, 6, 15, 16 and 22 as they fit; multiple: 15 and 16 also for one; read_write: 23 "
                               "where it is read back."})
          .optional("verify", &WriteConfig::verify, {.sentence = "Read back what was written."});
  return fields;
}

const config::Fields<ClampConfig>& clamp_fields() {
  static const config::Fields<ClampConfig> fields =
      config::Fields<ClampConfig>("clamp", "Limits of a value, after scale and offset.")
          .optional("min", &ClampConfig::min, {.sentence = "What is below becomes this.", .example = "0"})
          .optional("max", &ClampConfig::max, {.sentence = "What is above becomes this.", .example = "100"});
  return fields;
}

const config::Fields<PointConfig>& point_fields() {
  static const config::Fields<PointConfig> fields =
      config::Fields<PointConfig>("point", "One value of a device: where it is, what it is, how often it is read.")
          .optional(
              "holding", &PointConfig::holding,
              {.sentence = "Holding register (function 3), as `addressing` counts.", .example = "30", .max = 465536})
          .optional("input", &PointConfig::input,
                    {.sentence = "Input register (function 4).", .example = "0", .max = 465536})
          .optional("coil", &PointConfig::coil, {.sentence = "Coil (function 1).", .example = "4", .max = 465536})
          .optional("discrete", &PointConfig::discrete,
                    {.sentence = "Discrete input (function 2).", .example = "7", .max = 465536})
          .choice("type", &PointConfig::type,
                  {{"bool", Type::boolean},
                   {"int8", Type::int8},
                   {"uint8", Type::uint8},
                   {"int16", Type::int16},
                   {"uint16", Type::uint16},
                   {"int32", Type::int32},
                   {"uint32", Type::uint32},
                   {"int48", Type::int48},
                   {"uint48", Type::uint48},
                   {"int64", Type::int64},
                   {"uint64", Type::uint64},
                   {"float16", Type::float16},
                   {"float32", Type::float32},
                   {"float64", Type::float64},
                   {"bcd16", Type::bcd16},
                   {"bcd32", Type::bcd32},
                   {"bcd48", Type::bcd48},
                   {"bcd64", Type::bcd64},
                   {"mod10k32", Type::mod10k32},
                   {"mod10k48", Type::mod10k48},
                   {"mod10k64", Type::mod10k64},
                   {"string", Type::string},
                   {"unix32", Type::unix32},
                   {"unix64", Type::unix64},
                   {"unix64_ms", Type::unix64_ms},
                   {"cp56", Type::cp56},
                   {"s7_time", Type::s7_time},
                   {"date_bytes", Type::date_bytes},
                   {"date_words", Type::date_words},
                   {"acc16", Type::acc16},
                   {"acc32", Type::acc32},
                   {"acc64", Type::acc64},
                   {"enum16", Type::enum16},
                   {"enum32", Type::enum32},
                   {"bitfield16", Type::bitfield16},
                   {"bitfield32", Type::bitfield32},
                   {"bitfield64", Type::bitfield64},
                   {"sunssf", Type::sunssf},
                   {"ipaddr", Type::ipaddr},
                   {"ipv6addr", Type::ipv6addr},
                   {"eui48", Type::eui48}},
                  {.sentence = "What the registers hold. Coils, discrete inputs and a `bit` are bool by themselves.",
                   .example = "float32",
                   .meant = type_meant})
          .optional("order", &PointConfig::order,
                    {.sentence = "The order in which the registers carry the value's bytes; A is the most significant. "
                                 "Any permutation. Default: ABCD...; of 8 bit types B, the low byte.",
                     .example = "CDAB",
                     .check = order_fault})
          .optional("bit", &PointConfig::bit,
                    {.sentence = "One bit of the value, 0 the least significant: a bool.", .example = "3", .max = 63})
          .raw("bits", &PointConfig::bits,
               {.sentence = "A field of bits of the value, as a number; or names for its bits, which make it a map: a "
                            "single bit is a bool, several are a number.",
                .example = "{0: running, 1: fault, 4..7: mode}"})
          .optional("enum", &PointConfig::names,
                    {.sentence = "Names of the numbers (decimal or 0x...): the value is the name, or the digits of a "
                                 "number without one.",
                     .example = "{1: off, 2: on}"})
          .raw(
              "absent", &PointConfig::absent,
              {.sentence = "What the device sends for `not implemented`: a number or its bits as 0x..., nan, empty, or "
                           "sunspec for what SunSpec lays down for the type; or a list. The point is absent then.",
               .example = "0x8000"})
          .optional("count", &PointConfig::count,
                    {.sentence = "So many, one behind the other: the value is a list.",
                     .example = "12",
                     .min = 1,
                     .max = kBitsMax})
          .optional("length", &PointConfig::length,
                    {.sentence = "Of a string.", .example = "16", .min = 1, .max = 250, .unit = "bytes"})
          .optional(
              "scale", &PointConfig::scale,
              {.sentence = "The value is the number read times this, rounded once: 73 x 0.1 is 7.3.", .example = "0.1"})
          .optional("offset", &PointConfig::offset, {.sentence = "Added after the scale.", .example = "-40"})
          .optional("scale_from", &PointConfig::scale_from,
                    {.sentence = "The point of this device that holds the power of ten of this one (SunSpec's sunssf). "
                                 "Both are read together.",
                     .example = "power_sf"})
          .table("clamp", &PointConfig::clamp, clamp_fields(), {.sentence = "Limits of the value."})
          .optional("hidden", &PointConfig::hidden, {.sentence = "Read, but no part of the reading."})
          .optional("unit", &PointConfig::unit, {.sentence = "For people.", .example = "\"°C\""})
          .optional("every", &PointConfig::every,
                    {.sentence = "How often; otherwise as the device. Points with a rate of their own make readings of "
                                 "their own.",
                     .example = "100 ms",
                     .min = "10 ms",
                     .max = "24 h"})
          .table("write", &PointConfig::write, write_fields(), {.sentence = "The point may be written."})
          .exactly_one({"holding", "input", "coil", "discrete"})
          .at_most_one({"bit", "bits"})
          .meant(point_field_meant);
  return fields;
}

constexpr std::string_view kAddressing =
    "How the vendor's manual counts: from zero, from one, or modicon (40001 is holding register 0).";

template <class Config>
config::Fields<Config> with_limits(config::Fields<Config> fields) {
  return fields
      .optional("max_gap", &Config::max_gap,
                {.sentence = "Holes up to this size are read through to save a request (default 10); of coils and "
                             "discrete inputs 16 times as many.",
                 .example = "0",
                 .max = 124,
                 .unit = "registers"})
      .optional("max_registers", &Config::max_registers,
                {.sentence = "The most that the device gives in one request (default 125).",
                 .example = "80",
                 .min = 4,
                 .max = kRegistersMax,
                 .unit = "registers"})
      .optional("max_bits", &Config::max_bits,
                {.sentence = "The most coils or discrete inputs in one request (default 2000).",
                 .example = "256",
                 .min = 1,
                 .max = kBitsMax,
                 .unit = "bits"})
      .optional("forbidden", &Config::forbidden,
                {.sentence = "Addresses that no request may touch, as `addressing` counts: holes are not read across "
                             "them. A table (holding, input, coil, discrete) and a range.",
                 .example = "[holding 100..199, input 7]"});
}

const config::Fields<RepeatConfig>& repeat_fields() {
  static const config::Fields<RepeatConfig> fields =
      config::Fields<RepeatConfig>(
          "repeated block",
          "Points that stand several times at equal distances. They are named after the block, "
          "its number and the point: string1_current, string2_current.")
          .required("count", &RepeatConfig::count, {.sentence = "How many.", .example = "4", .min = 1, .max = 1000})
          .required("stride", &RepeatConfig::stride,
                    {.sentence = "From one to the next.", .example = "20", .min = 1, .unit = "registers"})
          .optional("first", &RepeatConfig::first, {.sentence = "The number of the first one.", .example = "0"})
          .table("points", &RepeatConfig::points, point_fields(),
                 {.sentence = "Those of the first one, by name.",
                  .required = true,
                  .not_empty = true,
                  .key_check = config::name_fault});
  return fields;
}

const config::Fields<PlacedModelConfig>& placed_model_fields() {
  static const config::Fields<PlacedModelConfig> fields =
      config::Fields<PlacedModelConfig>("placed model", "A model at its place in a device.")
          .required("model", &PlacedModelConfig::model, {.sentence = "Under `models`.", .example = "sunspec-common"})
          .optional(
              "offset", &PlacedModelConfig::offset,
              {.sentence = "Added to the addresses of its points. Without it a model that says `sunspec` is looked "
                           "for on the device.",
               .example = "40002",
               .min = -65535,
               .max = 65535,
               .unit = "registers"})
          .optional("instance", &PlacedModelConfig::instance,
                    {.sentence = "Which one, where the device has several of this SunSpec model.",
                     .example = "2",
                     .min = 1,
                     .max = 200})
          .optional("prefix", &PlacedModelConfig::prefix,
                    {.sentence = "Put before the names of its points.", .example = "common_"});
  return fields;
}

const config::Fields<DeviceConfig>& device_fields() {
  static const config::Fields<DeviceConfig> fields =
      with_limits(config::Fields<DeviceConfig>("Modbus device", "One unit on a link."))
          .optional("model", &DeviceConfig::model,
                    {.sentence = "A table of points under `models` that many devices share.", .example = "sdm630"})
          .optional("offset", &DeviceConfig::offset,
                    {.sentence = "Added to the addresses of the model's points.",
                     .example = "1000",
                     .min = -65535,
                     .max = 65535,
                     .unit = "registers"})
          .table("models", &DeviceConfig::models, placed_model_fields(),
                 {.sentence = "Several models, each at its place."})
          .optional("url", &DeviceConfig::url,
                    {.sentence = "Where it is, if not at the source's url.",
                     .example = "tcp://10.0.0.18:502",
                     .check = url_fault})
          .optional("unit_id", &DeviceConfig::unit_id,
                    {.sentence = "Unit identifier (slave address).", .example = "7", .max = 255})
          .optional("every", &DeviceConfig::every,
                    {.sentence = "How often its points are read.", .example = "5 s", .min = "10 ms", .max = "24 h"})
          .optional("timeout", &DeviceConfig::timeout,
                    {.sentence = "How long to wait for an answer, if not as the source.",
                     .example = "2 s",
                     .min = "10 ms",
                     .max = "60 s"})
          .optional("response", &DeviceConfig::response,
                    {.sentence = "How long it usually thinks before it answers: for the bus time of `check --plan`.",
                     .min = "0 ms",
                     .max = "10 s"})
          .choice("addressing", &DeviceConfig::addressing,
                  {{"zero", Addressing::zero}, {"one", Addressing::one}, {"modicon", Addressing::modicon}},
                  {.sentence = kAddressing})
          .choice("absent", &DeviceConfig::absent, {{"none", Sentinels::none}, {"sunspec", Sentinels::sunspec}},
                  {.sentence = "sunspec: every point may be `not implemented` in SunSpec's way, by its type."})
          .table("points", &DeviceConfig::points, point_fields(),
                 {.sentence = "By name; beside those of the model, or instead of one of the same name.",
                  .key_check = config::name_fault})
          .table("repeat", &DeviceConfig::repeat, repeat_fields(),
                 {.sentence = "Blocks of points that stand several times, by name.", .key_check = config::name_fault})
          .at_most_one({"model", "models"})
          .meant(device_field_meant);
  return fields;
}

}  // namespace

const config::Fields<SourceConfig>& source_fields() {
  static const config::Fields<SourceConfig> fields =
      config::Fields<SourceConfig>("modbus source",
                                   "Reads devices over Modbus TCP, TLS, RTU over TCP and serial lines.")
          .optional("url", &SourceConfig::url,
                    {.sentence = "Where the devices are that name no url of their own.",
                     .example = "tcp://10.0.0.17:502",
                     .check = url_fault})
          .optional("timeout", &SourceConfig::timeout,
                    {.sentence = "How long to wait for an answer.", .min = "10 ms", .max = "60 s"})
          .optional("connect_timeout", &SourceConfig::connect_timeout,
                    {.sentence = "How long a connection may take to come about.", .min = "100 ms", .max = "60 s"})
          .optional(
              "failures", &SourceConfig::failures,
              {.sentence = "So many requests in a row without answer make a device down; one, if it never answered.",
               .min = 1,
               .max = 100})
          .optional(
              "probe", &SourceConfig::probe,
              {.sentence = "A device that is down is asked again at least this often.", .min = "1 s", .max = "24 h"})
          .optional("probe_share", &SourceConfig::probe_share,
                    {.sentence = "The most of a link's time that asking for devices that are down may cost.",
                     .example = "5 %",
                     .check = share_fault})
          .optional("pipeline", &SourceConfig::pipeline,
                    {.sentence = "Requests that may be out at the same time on one TCP or TLS link. Many devices and "
                                 "gateways know only one.",
                     .example = "4",
                     .min = 1,
                     .max = 16})
          .table("tls", &SourceConfig::tls, tls::option_fields(), {.sentence = "For urls with tls://."})
          .table("devices", &SourceConfig::devices, device_fields(),
                 {.sentence = "By name.", .required = true, .not_empty = true, .key_check = config::name_fault})
          .meant(source_field_meant);
  return fields;
}

const config::Fields<ModelConfig>& model_fields() {
  static const config::Fields<ModelConfig> fields =
      with_limits(config::Fields<ModelConfig>("device model", "A table of points that many devices share."))
          .optional("file", &ModelConfig::file,
                    {.sentence = "The model stands in a file of its own.", .example = "devices/eastron-sdm630.yaml"})
          .optional("description", &ModelConfig::description, {.sentence = "For people."})
          .optional("source", &ModelConfig::source, {.sentence = "The vendor's document it was taken from."})
          .choice("addressing", &ModelConfig::addressing,
                  {{"zero", Addressing::zero}, {"one", Addressing::one}, {"modicon", Addressing::modicon}},
                  {.sentence = kAddressing})
          .choice("absent", &ModelConfig::absent, {{"none", Sentinels::none}, {"sunspec", Sentinels::sunspec}},
                  {.sentence = "sunspec: every point may be `not implemented` in SunSpec's way, by its type."})
          .optional("sunspec", &ModelConfig::sunspec,
                    {.sentence = "The identifiers by which the model is found in a SunSpec device's chain of models; "
                                 "addresses then count from the register that holds the identifier.",
                     .example = "[101, 102, 103]",
                     .min = 1,
                     .max = 65534})
          .table("points", &ModelConfig::points, point_fields(),
                 {.sentence = "By name.", .key_check = config::name_fault})
          .table("repeat", &ModelConfig::repeat, repeat_fields(),
                 {.sentence = "Blocks of points that stand several times, by name.", .key_check = config::name_fault})
          .at_most_one({"file", "points"})
          .at_most_one({"file", "repeat"});
  return fields;
}

std::optional<Range> parse_range(std::string_view text, Addressing addressing, std::int32_t shift) {
  const std::size_t blank = text.find(' ');
  const std::string_view name = text.substr(0, blank);
  for (const Table table : {Table::coil, Table::discrete, Table::holding, Table::input}) {
    if (name != name_of(table) || blank == std::string_view::npos) continue;
    const std::string_view range = base::trim(text.substr(blank));
    const std::size_t dots = range.find("..");
    const auto first = base::parse_uint(base::trim(range.substr(0, dots)));
    const auto last = dots == std::string_view::npos ? first : base::parse_uint(base::trim(range.substr(dots + 2)));
    if (!first || !last || *first > *last || *last > 1'000'000) return std::nullopt;
    const auto from = resolve_address(static_cast<std::uint32_t>(*first), table, addressing);
    const auto to = resolve_address(static_cast<std::uint32_t>(*last), table, addressing);
    if (!from || !to || *from + shift < 0 || *to + shift > 65535 || *to - *from >= 65535) return std::nullopt;
    return Range{.table = table,
                 .first = static_cast<std::uint16_t>(*from + shift),
                 .count = static_cast<std::uint16_t>(*to - *from + 1)};
  }
  return std::nullopt;
}

std::optional<double> parse_share(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto percent = base::parse_double(base::trim(text.substr(0, text.size() - 1)));
  if (!percent || *percent < 0.1 || *percent > 50) return std::nullopt;
  return *percent / 100;
}

Result<std::uint16_t> resolve_address(std::uint32_t written, Table table, Addressing addressing) {
  if (addressing == Addressing::zero) {
    if (written <= 65535) return static_cast<std::uint16_t>(written);
    return fail(Errc::invalid, "addresses are 0..65535");
  }
  if (addressing == Addressing::one) {
    if (written >= 1 && written <= 65536) return static_cast<std::uint16_t>(written - 1);
    return fail(Errc::invalid, "with addressing: one, addresses are 1..65536");
  }
  const std::uint32_t digit = table == Table::coil ? 0 : table == Table::discrete ? 1 : table == Table::input ? 3 : 4;
  const std::uint32_t five = digit * 10'000;
  const std::uint32_t six = digit * 100'000;
  if (written > five && written <= five + 9'999) return static_cast<std::uint16_t>(written - five - 1);
  if (written > six && written <= six + 65'536) return static_cast<std::uint16_t>(written - six - 1);
  const auto range = [](std::uint32_t base, std::uint32_t count) {
    return std::to_string(base + 1) + ".." + std::to_string(base + count);
  };
  const std::string name(name_of(table));
  return fail(Errc::invalid, "with addressing: modicon, " + name + " addresses are " +
                                 (digit == 0 ? range(0, 65'536) : range(five, 9'999) + " or " + range(six, 65'536)));
}

}  // namespace railhead::modbus
