#include "gateway/message/dead_letter.h"

#include "gateway/base/bytes.h"
#include "gateway/message/field_token.h"

namespace railhead {
namespace {
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kCut = 0x80;
}  // namespace

std::string_view name_of(DeadLetter::Kind kind) noexcept {
  switch (kind) {
    case DeadLetter::Kind::raw: return "raw";
    case DeadLetter::Kind::reading: return "reading";
    case DeadLetter::Kind::record: return "record";
  }
  return "raw";
}

void encode(const DeadLetter& letter, std::string& out) {
  base::ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(letter.kind) | (letter.cut ? kCut : 0)));
  writer.i64(letter.time.time_since_epoch().count());
  for (const std::string* text :
       {&letter.source, &letter.device, &letter.topic, &letter.rule, &letter.sink, &letter.reason, &letter.identity}) {
    writer.text(*text);
  }
  write_token(letter.token, writer);
  writer.text(letter.payload);
}

Result<DeadLetter> decode_dead_letter(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version > kVersion)
    return fail(Errc::unsupported, "dead letter of version " + std::to_string(version));
  DeadLetter letter;
  const std::uint8_t first = reader.u8();
  const auto kind = static_cast<std::uint8_t>(first & ~kCut);
  letter.cut = (first & kCut) != 0;
  letter.time = Time{Duration{reader.i64()}};
  for (std::string* text :
       {&letter.source, &letter.device, &letter.topic, &letter.rule, &letter.sink, &letter.reason, &letter.identity}) {
    *text = reader.text();
  }
  letter.token = read_token(reader);
  letter.payload = reader.text();
  if (!reader.ok() || !reader.at_end() || version == 0 || kind > static_cast<std::uint8_t>(DeadLetter::Kind::record)) {
    return fail(Errc::damaged, "dead letter does not decode");
  }
  letter.kind = static_cast<DeadLetter::Kind>(kind);
  return letter;
}

Value describe(const DeadLetter& letter) {
  Value::Entries entries;
  const auto add = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) entries.emplace_back(Value::text(name), Value::text(text));
  };
  add("kind", name_of(letter.kind));
  entries.emplace_back(Value::text("time"), Value::timestamp(letter.time));
  add("source", letter.source);
  add("device", letter.device);
  add("topic", letter.topic);
  add("rule", letter.rule);
  add("sink", letter.sink);
  add("reason", letter.reason);
  add("identity", letter.identity);
  if (base::is_utf8(letter.payload) && letter.kind != DeadLetter::Kind::record) {
    entries.emplace_back(Value::text("payload"), Value::text(letter.payload));
  } else {
    entries.emplace_back(Value::text("payload_base64"), Value::text(base::to_base64(letter.payload)));
  }
  return Value::map(std::move(entries));
}

}  // namespace railhead
