#include "tests/support/places.h"

namespace railhead::test {

std::string source_directory() { return RAILHEAD_SOURCE_DIR; }
std::string build_directory() { return RAILHEAD_BUILD_DIR; }

}  // namespace railhead::test
