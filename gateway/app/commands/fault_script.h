// The fault script of `railhead simulate`: what goes wrong on purpose. A YAML file with one list:
//   faults:
//     - { device: meter-1, table: holding, addresses: 30..31, exception: 2 }
//     - { device: "pump-*", silent: true, after: 10 s, for: 5 s }
#pragma once

#include <filesystem>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/ports/simulation.h"

namespace railhead::app {

// Everything that is wrong goes to `diagnostics`.
[[nodiscard]] std::vector<ports::Fault> read_faults(const std::filesystem::path& path,
                                                    config::Diagnostics& diagnostics);

}  // namespace railhead::app
