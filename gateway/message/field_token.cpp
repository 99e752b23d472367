#include "gateway/message/field_token.h"

namespace railhead {

void write_token(const std::optional<FieldToken>& token, base::ByteWriter& writer) {
  writer.u8(token ? 1 : 0);
  if (!token) return;
  writer.u64(token->session);
  writer.u16(token->packet_id);
  writer.u64(token->content_hash);
  writer.u8(token->qos);
  writer.u8(token->spools);
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
