// The last good configuration: all the files it was read from, in one file of the spool's directory, so that a gateway
// whose files were broken since (a half-written file, a bad edit before a reboot) still starts, and says so (S31).
// Written beside, synced, renamed; mode 0600, because it may hold secrets written plainly. Only when it changed.
// Threads: main's.
#pragma once

#include <filesystem>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/config/file_store.h"

namespace railhead::app {

[[nodiscard]] Result<void> keep_last_good(const std::filesystem::path& spool, const config::FileStore& files);
// Errc::io if there is none, Errc::invalid if it is damaged.
[[nodiscard]] Result<config::FileStore> last_good(const std::filesystem::path& spool);

// Where the spool of a configuration lies, for the start that cannot read it there (the file is empty, cut off, gone):
// in a hidden file beside the configuration, or where that cannot be written in $STATE_DIRECTORY. Only when it changed.
[[nodiscard]] Result<void> remember_spool(const std::filesystem::path& configuration,
                                          const std::filesystem::path& spool);
// Those remembered that exist, the likeliest first.
[[nodiscard]] std::vector<std::filesystem::path> remembered_spools(const std::filesystem::path& configuration);

}  // namespace railhead::app
