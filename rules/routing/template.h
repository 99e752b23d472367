// Templates: text with ${expressions}, for topics, keys, routing keys and headers. `$${` is a literal `${`; any other
// `$` is itself. This file only finds the parts; expression_reader.h turns the expressions into programs.
// An expression ends at the `}` that no bracket and no string literal of its own holds: "${ {'a': '}'}['a'] }" is one.
// Threads: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::routing {

struct TemplatePart {
  enum class Kind : unsigned char { text, expression } kind = Kind::text;
  std::string text;        // with escapes undone, or the expression without ${ and }
  std::size_t offset = 0;  // where it begins in the scalar
  friend bool operator==(const TemplatePart&, const TemplatePart&) = default;
};

struct TemplateFault {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string_view sentence;  // empty: none
  std::string_view hint;
};

// Parts in order; neighbouring texts are one. On a fault the parts before it.
[[nodiscard]] std::vector<TemplatePart> split_template(std::string_view text, TemplateFault& fault);

}  // namespace railhead::routing
