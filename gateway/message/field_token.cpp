#include "gateway/message/field_token.h"

namespace railhead {

void write_token(const std::optional<FieldToken>& token, base::ByteWriter& writer) {
  if (!token) return writer.u8(0);
  // In one piece: this is done for every record.
  char bytes[1 + 8 + 2 + 8 + 1 + 1];
  bytes[0] = 1;
  base::store_le(bytes + 1, token->session);
  base::store_le(bytes + 9, token->packet_id);
  base::store_le(bytes + 11, token->content_hash);
  bytes[19] = static_cast<char>(token->qos);
  bytes[20] = static_cast<char>(token->spools);
  writer.raw({bytes, sizeof bytes});
}

std::optional<FieldToken> read_token(base::ByteReader& reader) {
  if (reader.u8() == 0) return std::nullopt;
  FieldToken token;
  token.session = reader.u64();
  token.packet_id = reader.u16();
  token.content_hash = reader.u64();
  token.qos = reader.u8();
  token.spools = reader.u8();
  return token;
}

}  // namespace railhead
