// What a configuration says of the pipeline: spools, bounds, dead letters.
#pragma once

#include "gateway/app/configuration.h"
#include "gateway/flow/pipeline.h"

namespace railhead::app {

// Looks at the file system the spools lie in, for keep_free's default (S12).
[[nodiscard]] flow::PipelineOptions pipeline_options(const Configuration& configuration);

}  // namespace railhead::app
