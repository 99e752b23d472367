// Code points in UTF-8: positions in strings count these. Input is well-formed (base::is_utf8) unless said otherwise.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::expression {

// Bytes of the character that begins at `offset`, by its first byte and what is left; 1 for a byte that begins none.
[[nodiscard]] std::size_t utf8_length_at(std::string_view text, std::size_t offset) noexcept;
// The character that begins at `offset`.
[[nodiscard]] std::uint32_t utf8_decode(std::string_view text, std::size_t offset) noexcept;
void append_utf8(std::uint32_t code_point, std::string& out);
[[nodiscard]] std::size_t utf8_count(std::string_view text) noexcept;
// Byte offset of the `index`th character; text.size() if it is the end; npos beyond.
[[nodiscard]] std::size_t utf8_offset(std::string_view text, std::size_t index) noexcept;
// Whole characters of at most so many bytes, for a sentence that quotes it.
[[nodiscard]] std::string_view shortened(std::string_view text, std::size_t bytes) noexcept;
// Length of the well-formed sequence at `offset` of arbitrary bytes; 0 if there is none.
[[nodiscard]] std::size_t utf8_valid_length_at(std::string_view bytes, std::size_t offset) noexcept;

}  // namespace railhead::expression
