// `railhead try`: one reading a line in, the records that would leave out. Never connects.
// In:  the canonical document {"source","device","time","quality","value","attributes",...}; what is missing comes from
//      the defaults. Any other JSON is taken for the value of a reading of the default source.
// Out: {"sink","topic","routing_key","key","headers","body"} for a record. An absent topic or routing key is left out,
//      a keyless record has "key":null, headers are the user's, a body that is not JSON is a text, one that is no text
//      is base64. {"error","rule"} where a rule failed, {"error","line"} where a line is no reading. A reading that
//      becomes no record gives no line.
// Threads: one caller.
#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include "gateway/base/time.h"
#include "gateway/ports/router.h"
#include "rules/routing/routing.h"

namespace railhead::routing {

struct TryOptions {
  std::string source;                         // of readings that name none
  std::string device = "";                    // likewise
  Time time{};                                // likewise: usually now
  std::span<const KnownSource> sources = {};  // all there are; empty: not checked
};

// Returns the exit code: 0, 1 if a line was no reading, 2 if the output cannot be written.
int try_lines(const ports::Router& router, const TryOptions& options, std::istream& in, std::ostream& out);

// One line of the output, without line end; also what the file sink's format looks like.
[[nodiscard]] std::string record_line(const Record& record);

}  // namespace railhead::routing
