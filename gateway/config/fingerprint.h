// Fingerprint of a part of a configuration: equal when it says the same, whatever its layout, comments, quotes around
// what is text anyway, and the order of its members where that says nothing; so a reload knows what did not change
// (S31). What stands in another place counts with its value: `{ env: NAME }`, the bytes of a `file`, and of the
// certificates and keys that ca, cert and key name (S32). 64 bits of FNV-1a. Threads: pure but for the files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "gateway/config/document.h"

namespace railhead::config {

using Fingerprint = std::uint64_t;

// The order of members counts within `let`, `body` and `headers`. An absent node has a fingerprint of its own.
[[nodiscard]] Fingerprint fingerprint(const Node& node);
// Of a source: also what the models it names say.
[[nodiscard]] Fingerprint fingerprint(const Node& node, const Node& models);
// The files whose bytes count in it.
[[nodiscard]] std::vector<std::filesystem::path> referenced_files(const Node& node);

}  // namespace railhead::config
