// The MQTT adapter's rows for the catalogue.
#pragma once

#include "gateway/ports/adapter.h"

namespace railhead::mqtt {

[[nodiscard]] const ports::SourceKind& source_kind();
[[nodiscard]] const ports::SinkKind& sink_kind();

}  // namespace railhead::mqtt
