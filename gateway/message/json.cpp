#include "gateway/message/json.h"

#include <simdjson.h>
#include <array>
#include <charconv>
#include <cmath>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead {
namespace {

constexpr std::size_t kDepthMax = 64;

Value convert(const simdjson::dom::element& element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::NULL_VALUE: return {};
    case element_type::BOOL: return Value::boolean(bool(element));
    case element_type::INT64: return Value::integer(std::int64_t(element));
    case element_type::UINT64: return Value::uinteger(std::uint64_t(element));
    case element_type::DOUBLE: return Value::real(double(element));
    case element_type::STRING: return Value::text(std::string_view(element));
    case element_type::ARRAY: {
      Value::List items;
      const simdjson::dom::array array = element;
      for (const simdjson::dom::element item : array) items.push_back(convert(item));
      return Value::list(std::move(items));
    }
    case element_type::OBJECT: {
      Value::Entries entries;
      const simdjson::dom::object object = element;
      entries.reserve(object.size());
      for (const simdjson::dom::key_value_pair field : object) {
        entries.emplace_back(Value::text(field.key), convert(field.value));
      }
      return Value::map(std::move(entries));
    }
  }
  return {};
}

void write_number(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 40> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  RAILHEAD_ASSERT(error == std::errc{});
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
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
  simdjson::dom::parser parser;
};

JsonParser::JsonParser() : state_(std::make_unique<State>()) {}
JsonParser::~JsonParser() = default;

Result<Value> JsonParser::parse(std::string_view text) {
  if (state_->parser.max_depth() != kDepthMax) {
    const auto allocated = state_->parser.allocate(std::max<std::size_t>(text.size(), 4096), kDepthMax);
    if (allocated) return fail(Errc::invalid, simdjson::error_message(allocated));
  }
  const auto parsed = state_->parser.parse(text.data(), text.size());
  if (parsed.error() != simdjson::SUCCESS) return fail(Errc::invalid, simdjson::error_message(parsed.error()));
  return convert(parsed.value_unsafe());
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
    case Kind::error: out += "null"; return;
    case Kind::boolean: out += value.as_boolean() ? "true" : "false"; return;
    case Kind::integer: write_integer(value.as_integer(), out); return;
    case Kind::uinteger: write_integer(value.as_uinteger(), out); return;
    case Kind::real: write_number(value.as_real(), out); return;
    case Kind::string:
    case Kind::type: write_json_text(value.as_text(), out); return;
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
