#include "gateway/flow/state_entry.h"

#include "gateway/base/bytes.h"
#include "gateway/message/field_token.h"

namespace railhead::flow {
namespace {

constexpr std::uint8_t kEntryVersion = 1;

}  // namespace

void encode(const StateEntry& entry, std::string& out) {
  base::ByteWriter writer(out);
  writer.u8(kEntryVersion);
  writer.u8(static_cast<std::uint8_t>(entry.kind));
  switch (entry.kind) {
    case StateEntry::Kind::open:
    case StateEntry::Kind::close: write_token(entry.token, writer); break;
    case StateEntry::Kind::rules:
      write_token(entry.token, writer);
      writer.u8(static_cast<std::uint8_t>(entry.part));
      writer.text(entry.source);
      writer.raw(entry.rules);
      break;
    case StateEntry::Kind::done: writer.u64(entry.identity); break;
    case StateEntry::Kind::started:
      writer.u64(entry.record.value());
      writer.text(entry.sink);
      break;
    case StateEntry::Kind::note:
      writer.text(entry.source);
      writer.raw(entry.note);
      break;
  }
}

std::optional<StateEntry> decode_state_entry(std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (reader.u8() != kEntryVersion) return {};
  StateEntry entry;
  entry.kind = static_cast<StateEntry::Kind>(reader.u8());
  switch (entry.kind) {
    case StateEntry::Kind::open:
    case StateEntry::Kind::close:
      entry.token = read_token(reader);
      if (!entry.token) return {};
      break;
    case StateEntry::Kind::rules:
      entry.token = read_token(reader);
      entry.part = static_cast<StateEntry::Part>(reader.u8());
      if (entry.part > StateEntry::Part::ends) return {};
      entry.source = reader.text();
      entry.rules = reader.rest();
      break;
    case StateEntry::Kind::done: entry.identity = reader.u64(); break;
    case StateEntry::Kind::started:
      entry.record = Sequence(reader.u64());
      entry.sink = reader.text();
      break;
    case StateEntry::Kind::note:
      entry.source = reader.text();
      entry.note = reader.rest();
      break;
    default: return {};
  }
  if (!reader.ok()) return {};
  return entry;
}

}  // namespace railhead::flow
