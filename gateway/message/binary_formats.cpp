#include "gateway/message/binary_formats.h"

#include <bit>
#include <cstdint>

#include "gateway/base/bytes.h"
#include "gateway/base/time.h"
#include "gateway/message/json.h"

namespace railhead {
namespace {

// The last `bytes` of the value's eight, the most significant first, behind `room` characters of `text`.
template <std::size_t room>
void put(std::uint64_t value, std::size_t bytes, char (&text)[room + 8], std::string& out) {
  base::store_le(text + room, __builtin_bswap64(value << (8 * (8 - bytes))));
  out.append(text, room + bytes);
}

void big_endian(std::uint64_t value, std::size_t bytes, std::string& out) {
  char text[8];
  put<0>(value, bytes, text, out);
}

void lead(std::uint8_t byte, std::uint64_t value, std::size_t bytes, std::string& out) {
  char text[9] = {static_cast<char>(byte)};
  put<1>(value, bytes, text, out);
}

// The nanoseconds and seconds of a timestamp as MessagePack's extension -1.
void messagepack_timestamp(const Value& value, std::string& out) {
  const std::int64_t seconds = value.timestamp_seconds();
  const std::uint32_t nanoseconds = value.timestamp_nanoseconds();
  const auto unsigned_seconds = static_cast<std::uint64_t>(seconds);
  if ((unsigned_seconds >> 34) != 0) {
    out += "\xc7\x0c\xff";
    big_endian(nanoseconds, 4, out);
    big_endian(unsigned_seconds, 8, out);
  } else if (nanoseconds == 0 && (unsigned_seconds >> 32) == 0) {
    out += "\xd6\xff";
    big_endian(unsigned_seconds, 4, out);
  } else {
    out += "\xd7\xff";
    big_endian(std::uint64_t{nanoseconds} << 34 | unsigned_seconds, 8, out);
  }
}

void messagepack_unsigned(std::uint64_t value, std::string& out) {
  if (value < 0x80) {
    out.push_back(static_cast<char>(value));
  } else if (value <= 0xff) {
    lead(0xcc, value, 1, out);
  } else if (value <= 0xffff) {
    lead(0xcd, value, 2, out);
  } else if (value <= 0xffffffff) {
    lead(0xce, value, 4, out);
  } else {
    lead(0xcf, value, 8, out);
  }
}

void messagepack_signed(std::int64_t value, std::string& out) {
  const auto bits = static_cast<std::uint64_t>(value);
  if (value >= 0) {
    messagepack_unsigned(bits, out);
  } else if (value >= -32) {
    out.push_back(static_cast<char>(value));
  } else if (value >= INT8_MIN) {
    lead(0xd0, bits, 1, out);
  } else if (value >= INT16_MIN) {
    lead(0xd1, bits, 2, out);
  } else if (value >= INT32_MIN) {
    lead(0xd2, bits, 4, out);
  } else {
    lead(0xd3, bits, 8, out);
  }
}

// Lengths have a form within the first byte up to `small_max`, and 8 (if `byte8`), 16 and 32 bit forms.
struct Lengths {
  std::uint8_t small;
  std::size_t small_max;
  std::uint8_t byte8;  // 0: there is none
  std::uint8_t byte16;
  std::uint8_t byte32;
};
constexpr Lengths kString{0xa0, 31, 0xd9, 0xda, 0xdb};
constexpr Lengths kBytes{0, 0, 0xc4, 0xc5, 0xc6};
constexpr Lengths kList{0x90, 15, 0, 0xdc, 0xdd};
constexpr Lengths kMap{0x80, 15, 0, 0xde, 0xdf};

void messagepack_length(std::size_t length, const Lengths& form, std::string& out) {
  if (form.small != 0 && length <= form.small_max) {
    out.push_back(static_cast<char>(form.small | length));
  } else if (form.byte8 != 0 && length <= 0xff) {
    lead(form.byte8, length, 1, out);
  } else if (length <= 0xffff) {
    lead(form.byte16, length, 2, out);
  } else {
    lead(form.byte32, length, 4, out);
  }
}

void messagepack_text(std::string_view text, std::string& out) {
  messagepack_length(text.size(), kString, out);
  out += text;
}

// RFC 8949 section 3: major type and argument.
void cbor_head(unsigned major, std::uint64_t argument, std::string& out) {
  const auto type = static_cast<std::uint8_t>(major << 5);
  if (argument < 24) {
    out.push_back(static_cast<char>(type | argument));
  } else if (argument <= 0xff) {
    lead(type | 24, argument, 1, out);
  } else if (argument <= 0xffff) {
    lead(type | 25, argument, 2, out);
  } else if (argument <= 0xffffffff) {
    lead(type | 26, argument, 4, out);
  } else {
    lead(type | 27, argument, 8, out);
  }
}

void cbor_text(std::string_view text, std::string& out) {
  cbor_head(3, text.size(), out);
  out += text;
}

}  // namespace

void begin_messagepack_list(std::size_t items, std::string& out) { messagepack_length(items, kList, out); }
void begin_messagepack_map(std::size_t entries, std::string& out) { messagepack_length(entries, kMap, out); }
void begin_cbor_list(std::size_t items, std::string& out) { cbor_head(4, items, out); }
void begin_cbor_map(std::size_t entries, std::string& out) { cbor_head(5, entries, out); }

void write_messagepack(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
    case Kind::optional:
    case Kind::error: out.push_back('\xc0'); break;
    case Kind::boolean: out.push_back(value.as_boolean() ? '\xc3' : '\xc2'); break;
    case Kind::integer: messagepack_signed(value.as_integer(), out); break;
    case Kind::uinteger: messagepack_unsigned(value.as_uinteger(), out); break;
    case Kind::real: lead(0xcb, std::bit_cast<std::uint64_t>(value.as_real()), 8, out); break;
    case Kind::string:
    case Kind::type:
    case Kind::address:
    case Kind::network: messagepack_text(value.as_text(), out); break;
    case Kind::bytes:
      messagepack_length(value.as_text().size(), kBytes, out);
      out += value.as_text();
      break;
    case Kind::timestamp: messagepack_timestamp(value, out); break;
    case Kind::duration: messagepack_text(duration_text(value.as_duration()), out); break;
    case Kind::list:
      messagepack_length(value.as_list().size(), kList, out);
      for (const Value& item : value.as_list()) write_messagepack(item, out);
      break;
    case Kind::map:
      messagepack_length(value.as_map().size(), kMap, out);
      for (const auto& [key, member] : value.as_map()) {
        write_messagepack(key, out);
        write_messagepack(member, out);
      }
  }
}

void write_cbor(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
    case Kind::optional:
    case Kind::error: out.push_back('\xf6'); break;
    case Kind::boolean: out.push_back(value.as_boolean() ? '\xf5' : '\xf4'); break;
    case Kind::integer: {
      const std::int64_t number = value.as_integer();
      // -1 - n, which is ~number, for negative ones.
      cbor_head(number < 0 ? 1 : 0, static_cast<std::uint64_t>(number < 0 ? ~number : number), out);
      break;
    }
    case Kind::uinteger: cbor_head(0, value.as_uinteger(), out); break;
    case Kind::real: lead(0xfb, std::bit_cast<std::uint64_t>(value.as_real()), 8, out); break;
    case Kind::string:
    case Kind::type:
    case Kind::address:
    case Kind::network: cbor_text(value.as_text(), out); break;
    case Kind::bytes:
      cbor_head(2, value.as_text().size(), out);
      out += value.as_text();
      break;
    case Kind::timestamp:
      cbor_head(6, 0, out);
      cbor_text(to_rfc3339(value.timestamp_seconds(), value.timestamp_nanoseconds()), out);
      break;
    case Kind::duration: cbor_text(duration_text(value.as_duration()), out); break;
    case Kind::list:
      cbor_head(4, value.as_list().size(), out);
      for (const Value& item : value.as_list()) write_cbor(item, out);
      break;
    case Kind::map:
      cbor_head(5, value.as_map().size(), out);
      for (const auto& [key, member] : value.as_map()) {
        write_cbor(key, out);
        write_cbor(member, out);
      }
  }
}

}  // namespace railhead
