// Where the tests find the tree and what was built: as text, so that only one file depends on the machine's paths.
#pragma once

#include <string>

namespace railhead::test {

[[nodiscard]] std::string source_directory();  // of the project
[[nodiscard]] std::string build_directory();   // of this build

}  // namespace railhead::test
