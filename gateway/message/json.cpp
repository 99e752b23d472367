#include "gateway/message/json.h"

#include <simdjson.h>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/container_builder.h"
#include "gateway/message/json_numbers.h"

namespace railhead {
namespace {

constexpr std::size_t kDepthMax = 64;

// Values straight from simdjson's tape (its doc/tape.md): a word holds the type in its highest byte and a payload.
class TapeReader {
 public:
  explicit TapeReader(const simdjson::dom::document& document)
      : tape_(document.tape.get()), texts_(reinterpret_cast<const char*>(document.string_buf.get())) {}

  // The whole document: behind the root's own word.
  Value root() {
    at_ = 1;
    return value();
  }

 private:
  static constexpr std::uint64_t kPayload = ~std::uint64_t{0} >> 8;
  // A list's or map's word says where it ends and how many parts it has, if they are not more than this.
  static constexpr std::uint64_t kCountMax = 0xffffff;

  Value value() {
    const std::uint64_t word = tape_[at_++];
    switch (static_cast<char>(word >> 56)) {
      case '"': return text(word);
      case 'l': return Value::integer(static_cast<std::int64_t>(tape_[at_++]));
      case 'u': return Value::uinteger(tape_[at_++]);
      case 'd': return Value::real(std::bit_cast<double>(tape_[at_++]));
      case 't': return Value::boolean(true);
      case 'f': return Value::boolean(false);
      case 'n': return {};
      case '[': return list(word);
      case '{': return map(word);
      default: RAILHEAD_ASSERT(false); return {};
    }
  }
  Value text(std::uint64_t word) const {
    const char* const from = texts_ + (word & kPayload);  // the length, the characters; padding ends the buffer
    return Value::text_read_behind(from + 4, base::load_le<std::uint32_t>(from));
  }
  [[nodiscard]] static std::size_t count_of(std::uint64_t word) { return (word >> 32) & kCountMax; }
  [[nodiscard]] static std::size_t end_of(std::uint64_t word) { return static_cast<std::uint32_t>(word) - 1; }

  Value list(std::uint64_t word) {
    Value::ListBuilder items(count_of(word));
    while (at_ != end_of(word)) items.add(value());
    ++at_;
    return items.finish();
  }
  Value map(std::uint64_t word) {
    Value::MapBuilder entries(count_of(word));
    while (at_ != end_of(word)) {
      const std::uint64_t key = tape_[at_++];
      entries.add_made([&] { return text(key); }, [&] { return value(); });
    }
    ++at_;
    return entries.finish();
  }

  const std::uint64_t* const tape_;
  const char* const texts_;
  std::size_t at_ = 0;
};

constexpr double kSmallest = 0.001;
constexpr double kLargestWhole = 1e5;

// The number in most readings: at most 15 digits, of which some are a fraction, and no exponent. Such a decimal is the
// only one of so few digits that reads back as its double, so it is the shortest. False, and nothing is written, for
// others.
bool write_decimal(double number, std::string& out) {
  constexpr std::array<double, 19> kPowers{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                           1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
  constexpr std::size_t kDigits = 15;
  const double size = std::fabs(number);
  if (!(size >= kSmallest && size < kLargestWhole)) return false;
  std::size_t whole_digits = 0;
  while (size >= kPowers[whole_digits]) ++whole_digits;
  // Few places first: most numbers were measured.
  for (std::size_t places : {std::size_t{4}, kDigits - whole_digits}) {
    auto digits = static_cast<std::int64_t>(size * kPowers[places] + 0.5);
    if (static_cast<double>(digits) / kPowers[places] != size) continue;
    if (digits >= 1'000'000'000'000'000) return false;
    while (places > 1 && digits % 10 == 0) {
      digits /= 10;
      --places;
    }
    std::array<char, 24> text{};
    char* at = text.data() + text.size();
    for (; places > 0; --places, digits /= 10) *--at = static_cast<char>('0' + digits % 10);
    *--at = '.';
    do {
      *--at = static_cast<char>('0' + digits % 10);
      digits /= 10;
    } while (digits > 0);
    if (number < 0) *--at = '-';
    out.append(at, text.data() + text.size());
    return true;
  }
  return false;
}

void write_number(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  if (write_decimal(number, out)) return;
  const std::string digits = base::shortest(number);
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

template <class Integer>
void write_integer(Integer number, std::string& out) {
  std::array<char, 24> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  RAILHEAD_ASSERT(error == std::errc{});
  out.append(text.data(), end);
}

std::string key_text(const Value& key) {
  if (key.is(Kind::string)) return std::string(key.as_text());
  std::string text;
  write_json(key, text);
  return text;
}

}  // namespace

struct JsonParser::State {
  [[nodiscard]] Result<Value> parse(std::string_view text);
  simdjson::dom::parser parser;
};

JsonParser::JsonParser() : state_(std::make_unique<State>()) {}
JsonParser::~JsonParser() = default;

Result<Value> JsonParser::parse(std::string_view text) {
  constexpr std::size_t kKeptBytes = 256 * 1024;  // the room for a larger text is given back
  Result<Value> value = state_->parse(text);
  if (state_->parser.capacity() > kKeptBytes) state_ = std::make_unique<State>();
  return value;
}

Result<Value> JsonParser::State::parse(std::string_view text) {
  if (parser.max_depth() != kDepthMax) {
    const auto allocated = parser.allocate(std::max<std::size_t>(text.size(), 4096), kDepthMax);
    if (allocated) return fail(Errc::invalid, simdjson::error_message(allocated));
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark may be ignored [RFC 8259 8.1]
  simdjson::error_code error = parser.parse(text.data(), text.size()).error();
  if (error == simdjson::NUMBER_ERROR) {
    const Result<std::string> mended = with_large_integers_as_doubles(text);
    if (!mended) return fail(mended.error());
    error = parser.parse(*mended).error();
  }
  if (error != simdjson::SUCCESS) return fail(Errc::invalid, simdjson::error_message(error));
  return TapeReader(parser.doc).root();
}

std::string duration_text(Duration duration) {
  const std::int64_t count = duration.count();
  const std::uint64_t magnitude = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  std::string text = count < 0 ? "-" : "";
  text += std::to_string(magnitude / 1'000'000'000);
  if (const std::uint64_t fraction = magnitude % 1'000'000'000; fraction != 0) {
    std::string digits = std::to_string(1'000'000'000 + fraction).substr(1);
    while (digits.back() == '0') digits.pop_back();
    text += "." + digits;
  }
  return text + "s";
}

void write_json(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
    case Kind::optional:
    case Kind::error: out += "null"; return;
    case Kind::boolean: out += value.as_boolean() ? "true" : "false"; return;
    case Kind::integer: write_integer(value.as_integer(), out); return;
    case Kind::uinteger: write_integer(value.as_uinteger(), out); return;
    case Kind::real: write_number(value.as_real(), out); return;
    case Kind::string:
    case Kind::type:
    case Kind::address:
    case Kind::network: write_json_text(value.as_text(), out); return;
    case Kind::bytes: write_json_text(base::to_base64(value.as_text()), out); return;
    case Kind::timestamp:
      write_json_text(to_rfc3339(value.timestamp_seconds(), value.timestamp_nanoseconds()), out);
      return;
    case Kind::duration: write_json_text(duration_text(value.as_duration()), out); return;
    case Kind::list: {
      out.push_back('[');
      bool first = true;
      for (const Value& item : value.as_list()) {
        if (!first) out.push_back(',');
        first = false;
        write_json(item, out);
      }
      out.push_back(']');
      return;
    }
    case Kind::map: {
      out.push_back('{');
      bool first = true;
      for (const auto& [key, member] : value.as_map()) {
        if (!first) out.push_back(',');
        first = false;
        if (key.is(Kind::string)) {
          write_json_text(key.as_text(), out);
        } else {
          write_json_text(key_text(key), out);
        }
        out.push_back(':');
        write_json(member, out);
      }
      out.push_back('}');
      return;
    }
  }
}

std::string to_json(const Value& value) {
  std::string text;
  write_json(value, text);
  return text;
}

}  // namespace railhead
