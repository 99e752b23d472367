// The bytes of an optional FieldToken inside records and dead letters:
//   u8 0 none, 1 + u64 session + u16 packet id + u64 content hash + u8 qos + u8 spools
#pragma once

#include <optional>

#include "gateway/base/bytes.h"
#include "gateway/message/reading.h"

namespace railhead {

void write_token(const std::optional<FieldToken>& token, base::ByteWriter& writer);
[[nodiscard]] std::optional<FieldToken> read_token(base::ByteReader& reader);

}  // namespace railhead
