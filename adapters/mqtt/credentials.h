// The password as MQTT can carry it. Errors: invalid, besides those of reading the secret. Threads: pure.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "gateway/base/result.h"
#include "gateway/config/scalars.h"

namespace railhead::mqtt {

// nullopt: none is configured. Binary data of at most 65,535 bytes [5 3.1.3.6].
[[nodiscard]] inline Result<std::optional<std::string>> password_of(const config::Secret& secret) {
  if (!secret.present()) return std::optional<std::string>();
  Result<std::string> read = secret.read();
  if (!read) return fail(read.error().in("password"));
  if (read->size() > 0xffff) return fail(Errc::invalid, "password: longer than the 65,535 bytes that MQTT can carry");
  return std::optional<std::string>(std::move(*read));
}

}  // namespace railhead::mqtt
