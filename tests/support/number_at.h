// A number anywhere in a JSON document: number_at(status, {"lanes", "0", "records", "accepted"}). -1: there is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/message/value.h"

namespace railhead::test {

[[nodiscard]] std::int64_t number_at(const Value& document, const std::vector<std::string>& path);

}  // namespace railhead::test
