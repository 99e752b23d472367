// What a user may say of a file sink.
#pragma once

#include <cstdint>
#include <filesystem>

#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::file {

struct FileOptions {
  std::filesystem::path path;
  config::ByteSize rotate{64 * 1024 * 1024};  // 0: never
  std::uint32_t keep = 5;
  Envelope envelope = Envelope::headers;
};

[[nodiscard]] const config::Fields<FileOptions>& file_fields();

}  // namespace railhead::file
