#pragma once

namespace railhead::app {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace railhead::app
