// Every adapter there is. A new one is a folder under adapters/ and a line in catalogue.cpp.
#pragma once

#include <span>

#include "gateway/ports/adapter.h"

namespace railhead::app {

[[nodiscard]] std::span<const ports::SourceKind* const> source_kinds();
[[nodiscard]] std::span<const ports::SinkKind* const> sink_kinds();

}  // namespace railhead::app
