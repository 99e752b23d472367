#include "rules/expression/functions/utf8.h"

#include <algorithm>

#include "gateway/base/bytes.h"

namespace railhead::expression {
namespace {

std::size_t length_by(unsigned char first) {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return 4;
}

}  // namespace

std::size_t utf8_length_at(std::string_view text, std::size_t offset) noexcept {
  if (offset >= text.size()) return 0;
  return std::min(length_by(static_cast<unsigned char>(text[offset])), text.size() - offset);
}

std::uint32_t utf8_decode(std::string_view text, std::size_t offset) noexcept {
  const std::size_t length = utf8_length_at(text, offset);
  if (length == 0) return 0;
  const auto first = static_cast<unsigned char>(text[offset]);
  if (length == 1) return first;
  std::uint32_t code = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(text[offset + i]) & 0x3fu);
  return code;
}

void append_utf8(std::uint32_t code_point, std::string& out) {
  const auto tail = [&](unsigned shift) { out.push_back(static_cast<char>(0x80 | ((code_point >> shift) & 0x3f))); };
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (code_point >> 6)));
    tail(0);
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (code_point >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | (code_point >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t utf8_count(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::size_t utf8_offset(std::string_view text, std::size_t index) noexcept {
  std::size_t offset = 0;
  for (; index > 0; --index) {
    if (offset >= text.size()) return std::string_view::npos;
    offset += utf8_length_at(text, offset);
  }
  return offset;
}

std::string_view shortened(std::string_view text, std::size_t bytes) noexcept {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) --bytes;
  return text.substr(0, bytes);
}

std::size_t utf8_valid_length_at(std::string_view bytes, std::size_t offset) noexcept {
  if (offset >= bytes.size()) return 0;
  const std::size_t length = length_by(static_cast<unsigned char>(bytes[offset]));
  if (length > bytes.size() - offset || !base::is_utf8(bytes.substr(offset, length))) return 0;
  return length;
}

}  // namespace railhead::expression
