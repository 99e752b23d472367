// `railhead eval`: expressions from a terminal or, for conformance suites and editors, typed JSON lines.
// In:     {"expr":"v*2","vars":{"v":{"type":"int","value":"21"}}}
// Out:    {"type":"int","value":"42"} or {"error":"..."}, one line per line read, flushed, until the input ends.
// Values: int and uint as decimal strings; double as a number or "NaN" "Infinity" "-Infinity"; bool; string; bytes as
// base64;
//         null; list as an array of typed values; map as an array of [key, value] pairs of typed values; timestamp as
//         RFC 3339; duration as "3.5s"; type as its name. null is {"type":"null","value":null}.
// Errors: whatever is wrong with a line is the answer to that line; the stream goes on.
#pragma once

#include <iosfwd>
#include <string_view>

namespace railhead::expression {

// Returns the exit code: 0 when the input ended, 2 when the output cannot be written.
int eval_lines(std::istream& in, std::ostream& out);
// One expression without variables: prints its value as JSON (diagnostics with a caret to `problems`). Returns the exit
// code: 0, 1 if the expression is wrong or fails.
int eval_text(std::string_view expression, std::ostream& out, std::ostream& problems);

}  // namespace railhead::expression
