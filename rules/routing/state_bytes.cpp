#include "rules/routing/state_bytes.h"

#include <bit>

namespace railhead::routing {
namespace {

constexpr int kDepthMax = 64;
constexpr std::uint8_t kTrusted = 1;
constexpr std::uint8_t kMaybeRepeatBit = 2;

void write(const Value& value, base::ByteWriter& writer) {
  writer.u8(static_cast<std::uint8_t>(value.kind()));
  switch (value.kind()) {
    case Kind::null:
    case Kind::optional: return;  // no program gives one
    case Kind::boolean: writer.u8(value.as_boolean() ? 1 : 0); return;
    case Kind::integer: writer.i64(value.as_integer()); return;
    case Kind::uinteger: writer.u64(value.as_uinteger()); return;
    case Kind::real: writer.u64(std::bit_cast<std::uint64_t>(value.as_real())); return;
    case Kind::duration: writer.i64(value.as_duration().count()); return;
    case Kind::timestamp:
      writer.i64(value.timestamp_seconds());
      writer.u32(value.timestamp_nanoseconds());
      return;
    case Kind::string:
    case Kind::bytes:
    case Kind::type:
    case Kind::address:
    case Kind::network:
    case Kind::error: writer.text(value.as_text()); return;
    case Kind::list:
      writer.varint(value.as_list().size());
      for (const Value& item : value.as_list()) write(item, writer);
      return;
    case Kind::map:
      writer.varint(value.as_map().size());
      for (const auto& [key, item] : value.as_map()) {
        write(key, writer);
        write(item, writer);
      }
      return;
  }
}

std::optional<Value> read(base::ByteReader& reader, int depth) {
  if (depth > kDepthMax) return {};
  const auto kind = static_cast<Kind>(reader.u8());
  if (!reader.ok()) return {};
  Value value;
  switch (kind) {
    case Kind::null: break;
    case Kind::boolean: value = Value::boolean(reader.u8() != 0); break;
    case Kind::integer: value = Value::integer(reader.i64()); break;
    case Kind::uinteger: value = Value::uinteger(reader.u64()); break;
    case Kind::real: value = Value::real(std::bit_cast<double>(reader.u64())); break;
    case Kind::duration: value = Value::duration(Duration{reader.i64()}); break;
    case Kind::timestamp: {
      const std::int64_t seconds = reader.i64();
      const std::uint32_t nanoseconds = reader.u32();
      value = Value::timestamp(seconds, nanoseconds);
      break;
    }
    case Kind::string: value = Value::text(reader.text()); break;
    case Kind::bytes: value = Value::bytes(reader.text()); break;
    case Kind::type: value = Value::type(reader.text()); break;
    case Kind::error: value = Value::error(reader.text()); break;
    case Kind::address: value = Value::address(reader.text()); break;
    case Kind::network: value = Value::network(reader.text()); break;
    case Kind::list: {
      Value::List items;
      for (std::uint64_t left = reader.varint(); left > 0; --left) {
        std::optional<Value> item = read(reader, depth + 1);
        if (!item) return {};
        items.push_back(std::move(*item));
      }
      value = Value::list(std::move(items));
      break;
    }
    case Kind::map: {
      Value::Entries entries;
      for (std::uint64_t left = reader.varint(); left > 0; --left) {
        std::optional<Value> key = read(reader, depth + 1);
        std::optional<Value> item = key ? read(reader, depth + 1) : std::nullopt;
        if (!item) return {};
        entries.emplace_back(std::move(*key), std::move(*item));
      }
      value = Value::map(std::move(entries));
      break;
    }
    default: return {};
  }
  if (!reader.ok()) return {};
  return value;
}

}  // namespace

void write_value(const Value& value, std::string& out) {
  base::ByteWriter writer(out);
  write(value, writer);
}

std::optional<Value> read_value(base::ByteReader& reader) { return read(reader, 0); }

void write_reading(const Reading& reading, std::string& out) {
  base::ByteWriter writer(out);
  writer.text(reading.source);
  writer.text(reading.device);
  writer.i64(reading.time.time_since_epoch().count());
  writer.u8(
      static_cast<std::uint8_t>((reading.clock_trusted ? kTrusted : 0) | (reading.maybe_repeat ? kMaybeRepeatBit : 0)));
  writer.u8(static_cast<std::uint8_t>(reading.quality));
  write(reading.value, writer);
  write(reading.bad, writer);
  write(reading.attributes, writer);
}

std::optional<Reading> read_reading(base::ByteReader& reader) {
  Reading reading;
  reading.source = reader.text();
  reading.device = reader.text();
  reading.time = Time{Duration{reader.i64()}};
  const std::uint8_t flags = reader.u8();
  reading.clock_trusted = (flags & kTrusted) != 0;
  reading.maybe_repeat = (flags & kMaybeRepeatBit) != 0;
  const std::uint8_t quality = reader.u8();
  if (!reader.ok() || quality > static_cast<std::uint8_t>(Quality::bad)) return {};
  reading.quality = static_cast<Quality>(quality);
  for (Value* value : {&reading.value, &reading.bad, &reading.attributes}) {
    std::optional<Value> read = read_value(reader);
    if (!read) return {};
    *value = std::move(*read);
  }
  return reading;
}

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t from) noexcept {
  for (const char byte : bytes) from = (from ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return from;
}

void write_time(Time time, std::string& out) { base::ByteWriter(out).i64(time.time_since_epoch().count()); }

}  // namespace railhead::routing
