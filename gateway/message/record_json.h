// How people see the body of a record in a line of JSON. Threads: those of the parser.
#pragma once

#include <string>
#include <string_view>

#include "gateway/message/json.h"

namespace railhead {

// Appends `,"body":` with JSON as it stands and other texts as a JSON text, or `,"body_base64":` with bytes that are
// no text. What says to be JSON and is none is a text; line breaks of JSON become blanks.
void append_body_member(JsonParser& parser, std::string_view body, std::string_view content_type, std::string& line);

}  // namespace railhead
