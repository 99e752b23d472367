// The catalogue's row of this adapter.
#pragma once

#include "gateway/ports/adapter.h"

namespace railhead::modbus {

[[nodiscard]] const ports::SourceKind& source_kind();
[[nodiscard]] const ports::SinkKind& sink_kind();

}  // namespace railhead::modbus
