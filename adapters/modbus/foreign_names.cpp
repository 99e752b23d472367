#include "adapters/modbus/foreign_names.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "adapters/modbus/points.h"

namespace railhead::modbus {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Small letters, without separators.
constexpr Pair kForeignTypes[] = {
    {"bit", "bool"},
    {"boolean", "bool"},
    {"flag", "bool"},
    {"sint", "int8"},
    {"i8", "int8"},
    {"s8", "int8"},
    {"usint", "uint8"},
    {"byte", "uint8"},
    {"u8", "uint8"},
    {"int", "int16"},
    {"short", "int16"},
    {"i16", "int16"},
    {"s16", "int16"},
    {"sint16", "int16"},
    {"uint", "uint16"},
    {"word", "uint16"},
    {"ushort", "uint16"},
    {"u16", "uint16"},
    {"raw16", "uint16"},
    {"raw", "uint16"},
    {"pad", "uint16"},
    {"count", "uint16"},  // SunSpec's, of the blocks that follow
    {"register", "uint16"},
    {"hex", "uint16"},
    {"integer", "int16"},
    {"signed", "int16"},
    {"unsigned", "uint16"},
    {"int24", "int32"},
    {"uint24", "uint32"},
    {"dint", "int32"},
    {"long", "int32"},
    {"i32", "int32"},
    {"s32", "int32"},
    {"sint32", "int32"},
    {"udint", "uint32"},
    {"dword", "uint32"},
    {"ulong", "uint32"},
    {"u32", "uint32"},
    {"counter", "uint32"},
    {"lint", "int64"},
    {"i64", "int64"},
    {"s64", "int64"},
    {"ulint", "uint64"},
    {"lword", "uint64"},
    {"qword", "uint64"},
    {"u64", "uint64"},
    {"half", "float16"},
    {"f16", "float16"},
    {"float", "float32"},
    {"single", "float32"},
    {"real", "float32"},
    {"f32", "float32"},
    {"double", "float64"},
    {"lreal", "float64"},
    {"f64", "float64"},
    {"bcd", "bcd16"},
    {"mod10", "mod10k32"},
    {"mod10k", "mod10k32"},
    {"text", "string"},
    {"str", "string"},
    {"ascii", "string"},
    {"char", "string"},
    {"utf8", "string"},
    {"enum", "enum16"},
    {"bitfield", "bitfield16"},
    {"bits", "bitfield16"},
    {"flags", "bitfield16"},
    {"scalefactor", "sunssf"},
    {"sf", "sunssf"},
    {"unix", "unix32"},
    {"unixtime", "unix32"},
    {"epoch", "unix32"},
    {"timestamp", "unix32"},
    {"time", "unix32"},
    {"timet", "unix32"},
    {"datetime", "cp56"},
    {"date", "cp56"},
    {"cp56time2a", "cp56"},
    {"iec870", "cp56"},
    {"dateandtime", "s7_time"},
    {"dt", "s7_time"},
    {"ip", "ipaddr"},
    {"ipv4", "ipaddr"},
    {"ipv6", "ipv6addr"},
    {"mac", "eui48"},
};

constexpr Pair kForeignFields[] = {
    {"register", "holding"},
    {"holdingregister", "holding"},
    {"address", "holding"},
    {"hr", "holding"},
    {"inputregister", "input"},
    {"ir", "input"},
    {"discreteinput", "discrete"},
    {"di", "discrete"},
    {"datatype", "type"},
    {"format", "type"},
    {"byteorder", "order"},
    {"wordorder", "order"},
    {"endianness", "order"},
    {"swap", "order"},
    {"multiplier", "scale"},
    {"factor", "scale"},
    {"gain", "scale"},
    {"divisor", "scale"},
    {"divide", "scale"},
    {"div", "scale"},
    {"resolution", "scale"},
    {"decimals", "scale"},
    {"precision", "scale"},
    {"sf", "scale_from"},
    {"sunssf", "scale_from"},
    {"scalefactor", "scale_from"},
    {"scaleregister", "scale_from"},
    {"min", "clamp"},
    {"max", "clamp"},
    {"limit", "clamp"},
    {"names", "enum"},
    {"values", "enum"},
    {"map", "enum"},
    {"mask", "bits"},
    {"bitfield", "bits"},
    {"flags", "bits"},
    {"nan", "absent"},
    {"notimplemented", "absent"},
    {"sentinel", "absent"},
    {"invalid", "absent"},
    {"null", "absent"},
    {"size", "length"},
    // The field that says why a number needs none: others count the registers of a value, count here makes a list.
    {"registers", "length"},
    {"registercount", "length"},
    {"wordcount", "length"},
    {"quantity", "length"},
    {"bytes", "length"},
    {"len", "length"},
    {"array", "count"},
    {"elements", "count"},
    {"units", "unit"},
    {"interval", "every"},
    {"poll", "every"},
    {"rate", "every"},
    {"writable", "write"},
    {"access", "write"},
};

constexpr Pair kForeignDeviceFields[] = {
    {"unit", "unit_id"},
    {"unitidentifier", "unit_id"},
    {"slave", "unit_id"},
    {"slaveid", "unit_id"},
    {"slaveaddress", "unit_id"},
    {"id", "unit_id"},
    {"station", "unit_id"},
    {"node", "unit_id"},
    {"address", "unit_id"},
    {"deviceid", "unit_id"},
    {"host", "url"},
    {"ip", "url"},
    {"port", "url"},
    {"endpoint", "url"},
    {"interval", "every"},
    {"poll", "every"},
    {"rate", "every"},
    {"pollinterval", "every"},
    {"scanrate", "every"},
    {"registers", "points"},
    {"tags", "points"},
    {"values", "points"},
    {"template", "model"},
    {"profile", "model"},
    {"base", "addressing"},
    {"zerobased", "addressing"},
    {"gap", "max_gap"},
    {"maxcount", "max_registers"},
};

constexpr Pair kForeignSourceFields[] = {
    {"host", "url"}, {"ip", "url"},     {"address", "url"}, {"port", "url"},       {"endpoint", "url"},
    {"uri", "url"},  {"serial", "url"}, {"device", "url"},  {"slaves", "devices"}, {"units", "devices"},
};

constexpr Pair kForeignOrders[] = {
    {"big", "ABCD"},
    {"bigendian", "ABCD"},
    {"be", "ABCD"},
    {"msb", "ABCD"},
    {"msw", "ABCD"},
    {"highwordfirst", "ABCD"},
    {"normal", "ABCD"},
    {"network", "ABCD"},
    {"little", "DCBA"},
    {"littleendian", "DCBA"},
    {"le", "DCBA"},
    {"lsb", "DCBA"},
    {"reverse", "DCBA"},
    {"reversed", "DCBA"},
    {"word", "CDAB"},
    {"words", "CDAB"},
    {"wordswap", "CDAB"},
    {"swapwords", "CDAB"},
    {"swap", "CDAB"},
    {"swapped", "CDAB"},
    {"lsw", "CDAB"},
    {"lowwordfirst", "CDAB"},
    {"inverse", "CDAB"},
    {"littleendianbyteswap", "CDAB"},
    {"littleendianswap", "CDAB"},
    {"byte", "BADC"},
    {"bytes", "BADC"},
    {"byteswap", "BADC"},
    {"swapbytes", "BADC"},
    {"bigendianbyteswap", "BADC"},
    {"bigendianswap", "BADC"},
    {"midbig", "BADC"},
    {"midlittle", "CDAB"},
    {"wordbyte", "DCBA"},
};

std::string plain_of(std::string_view foreign) {
  std::string plain;
  for (const char c : foreign) {
    if (c == '_' || c == '-' || c == ' ') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return plain;
}

std::string_view find(std::span<const Pair> pairs, const std::string& plain) {
  const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& pair) { return pair.first == plain; });
  return found == pairs.end() ? std::string_view{} : found->second;
}

}  // namespace

std::string_view type_meant(std::string_view foreign) {
  std::string plain = plain_of(foreign);
  if (const std::string_view known = find(kForeignTypes, plain); !known.empty()) return known;
  // "signed int 16", "int16u", "Float32 (CDAB)", "STRING[16]"
  plain = plain.substr(0, plain.find_first_of("([{"));
  if (plain.starts_with("unsigned") && plain.size() > 8) plain = "u" + plain.substr(8);
  if (plain.starts_with("signed") && plain.size() > 6) plain = plain.substr(6);
  if (plain.starts_with("int") && plain.ends_with('u')) plain = "u" + plain.substr(0, plain.size() - 1);
  for (const std::string_view order : {"abcd", "cdab", "badc", "dcba", "inverse", "swapped", "be", "le"}) {
    if (plain.size() > order.size() && plain.ends_with(order)) plain.resize(plain.size() - order.size());
  }
  // "Float32"
  if (const std::optional<Type> type = type_named(plain)) return name_of(*type);
  return find(kForeignTypes, plain);
}

std::string_view point_field_meant(std::string_view foreign) { return find(kForeignFields, plain_of(foreign)); }

std::string_view device_field_meant(std::string_view foreign) { return find(kForeignDeviceFields, plain_of(foreign)); }

std::string_view source_field_meant(std::string_view foreign) { return find(kForeignSourceFields, plain_of(foreign)); }

std::string order_meant(std::string_view foreign) {
  const std::string plain = plain_of(foreign);
  if (const std::string_view known = find(kForeignOrders, plain); !known.empty()) return std::string(known);
  // "cdab", "3412", "2-3-0-1"
  const bool from_zero = plain.find('0') != std::string::npos;
  std::string letters;
  for (const char c : plain) {
    if (c >= '0' && c <= '9') {
      letters += static_cast<char>(c - '0' + (from_zero ? 'A' : 'A' - 1));
    } else {
      letters += static_cast<char>(c & ~0x20);
    }
  }
  return ByteOrder::parse(letters) ? letters : std::string();
}

}  // namespace railhead::modbus
