// Where an expression is due: its text, and the places where YAML takes it for something else (S29). What breaks YAML
// itself ("a" == b, a ? b : c, !value.on, f(x, y) inside braces) is reported when the document is loaded.
#pragma once

#include <optional>
#include <string>

#include "gateway/config/document.h"

namespace railhead::config {

// The text of the expression in `node`, also from `{ env: NAME }` and `{ file: path }`; plain numbers, booleans and
// null are expressions too. nullopt after reporting what stands there instead: nothing, a list, a map, an expression
// that a comment cuts short. Silent for absent and broken nodes. Node::mark_at() leads back from an offset to the file.
[[nodiscard]] std::optional<std::string> expression_text(const Node& node, Diagnostics& diagnostics);

// For "unknown name 'alarm'" in `kind: "alarm"`: YAML took the quotes, so a text needs its own. "" if that is not it.
[[nodiscard]] std::string literal_hint(const Node& node);

}  // namespace railhead::config
