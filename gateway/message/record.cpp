#include "gateway/message/record.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "gateway/base/bytes.h"
#include "gateway/message/field_token.h"

namespace railhead {
namespace {
constexpr std::uint8_t kRecordVersion = 2;
constexpr std::uint64_t kHeadersMax = 4096;
constexpr std::size_t kVarintMax = 10;
constexpr std::size_t kFixedMax = 11 * kVarintMax + 8;  // all of a record's rest but the characters of its texts

// Writes where there is room.
class Pen {
 public:
  explicit Pen(char* at) : at_(at) {}
  [[nodiscard]] char* at() const { return at_; }
  void raw(std::string_view bytes) {
    const char* const from = bytes.data();
    const std::size_t size = bytes.size();
    if (size > 16) {
      std::memcpy(at_, from, size);
    } else if (size >= 8) {  // names are short: two words that may overlap cost less than a call
      std::memcpy(at_, from, 8);
      std::memcpy(at_ + size - 8, from + size - 8, 8);
    } else {
      for (std::size_t i = 0; i < size; ++i) at_[i] = from[i];
    }
    at_ += size;
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
    *at_++ = static_cast<char>(value);
  }
  void i64(std::int64_t value) {
    base::store_le(at_, static_cast<std::uint64_t>(value));
    at_ += sizeof value;
  }
  void text(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }

 private:
  char* at_;
};

}  // namespace

std::string_view name_of(Priority priority) noexcept {
  switch (priority) {
    case Priority::low: return "low";
    case Priority::normal: return "normal";
    case Priority::high: return "high";
    case Priority::alarm: return "alarm";
  }
  return "normal";
}

RecordHead::RecordHead(const Fields& fields) : priority_(fields.priority) {
  base::ByteWriter writer(bytes_);
  writer.u8(kRecordVersion);
  writer.u8(static_cast<std::uint8_t>(fields.priority));
  writer.i64(fields.ttl.count());
  writer.text(fields.sink);
  sink_size_ = fields.sink.size();
  sink_from_ = bytes_.size() - sink_size_;
  writer.text(fields.type);
  writer.text(fields.content_type);
}

RecordHead head_of(const Record& record) {
  return RecordHead({.sink = record.sink,
                     .priority = record.priority,
                     .ttl = record.ttl,
                     .type = record.type,
                     .content_type = record.content_type});
}

RecordRest rest_of(const Record& record) {
  return {.flags = record.flags,
          .time = record.time,
          .source = record.source,
          .device = record.device,
          .quality = record.quality,
          .identity = record.identity,
          .key = record.key,
          .topic = record.topic,
          .routing_key = record.routing_key,
          .headers = record.headers,
          .body = record.body};
}

// Why not ByteWriter: this is done for every record, and one look at the room is enough for all of it.
std::size_t encoded_room(const RecordHead& head, const RecordRest& rest) {
  std::size_t room = head.bytes().size() + kFixedMax + rest.source.size() + rest.device.size() + rest.quality.size() +
                     rest.identity.size() + (rest.key ? rest.key->size() : 0) + rest.topic.size() +
                     rest.routing_key.size() + rest.body.size();
  for (const Header& header : rest.headers) room += 2 * kVarintMax + header.name.size() + header.value.size();
  return room;
}

char* encode(const RecordHead& head, const RecordRest& rest, char* to) {
  Pen pen(to);
  pen.raw(head.bytes());
  pen.varint(rest.flags);
  pen.i64(rest.time.time_since_epoch().count());
  pen.text(rest.source);
  pen.text(rest.device);
  pen.text(rest.quality);
  pen.text(rest.identity);
  pen.varint(rest.key ? 1 : 0);
  if (rest.key) pen.text(*rest.key);
  pen.text(rest.topic);
  pen.text(rest.routing_key);
  pen.varint(rest.headers.size());
  for (const Header& header : rest.headers) {
    pen.text(header.name);
    pen.text(header.value);
  }
  pen.text(rest.body);
  return pen.at();
}

void encode(const Record& record, std::string& out) {
  const RecordHead head = head_of(record);
  const RecordRest rest = rest_of(record);
  const std::size_t from = out.size();
  out.resize(from + encoded_room(head, rest));
  out.resize(static_cast<std::size_t>(encode(head, rest, out.data() + from) - out.data()));
  base::ByteWriter writer(out);
  write_token(record.token, writer);
}

Result<Record> decode_record(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != kRecordVersion) {
    return fail(Errc::unsupported, "a record of version " + std::to_string(version) + ", this program reads version " +
                                       std::to_string(kRecordVersion));
  }
  Record record;
  const std::uint8_t priority = reader.u8();
  record.ttl = Duration{reader.i64()};
  record.sink = reader.text();
  record.type = reader.text();
  record.content_type = reader.text();
  record.flags = static_cast<std::uint8_t>(reader.varint());
  record.time = Time{Duration{reader.i64()}};
  record.source = reader.text();
  record.device = reader.text();
  record.quality = reader.text();
  record.identity = reader.text();
  if (reader.u8() != 0) record.key = std::string(reader.text());
  record.topic = reader.text();
  record.routing_key = reader.text();
  const std::uint64_t headers = reader.varint();
  if (headers > kHeadersMax) return fail(Errc::damaged, "record with an impossible number of headers");
  for (std::uint64_t i = 0; i < headers && reader.ok(); ++i) {
    Header header;
    header.name = reader.text();
    header.value = reader.text();
    record.headers.push_back(std::move(header));
  }
  record.body = reader.text();
  record.token = read_token(reader);
  if (!reader.ok() || !reader.at_end() || priority > static_cast<std::uint8_t>(Priority::alarm)) {
    return fail(Errc::damaged, "record does not decode");
  }
  record.priority = static_cast<Priority>(priority);
  return record;
}

std::string identity_of(std::string_view gateway, Epoch epoch, Sequence sequence) {
  std::array<char, 48> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "/%016llx/%llu", static_cast<unsigned long long>(epoch.value()),
                    static_cast<unsigned long long>(sequence.value()));
  return std::string(gateway) + std::string(text.data(), static_cast<std::size_t>(length));
}

std::vector<Header> attributes_of(const Record& record, const HeaderContext& context) {
  std::vector<Header> headers;
  headers.reserve(record.headers.size() + 11);
  const auto cloud_event = [&](std::string_view name, std::string value) {
    headers.push_back({std::string(context.prefix) + std::string(name), std::move(value)});
  };
  cloud_event("specversion", "1.0");
  cloud_event("id", std::string(context.identity));
  cloud_event("source", "/railhead/" + std::string(context.gateway) + "/" + record.source);
  cloud_event("type", record.type);
  if (!record.device.empty()) cloud_event("subject", record.device);
  cloud_event("time", to_rfc3339(record.time));
  headers.push_back({"content-type", record.content_type});
  if ((record.flags & kMaybeRepeat) != 0) headers.push_back({"rh-dup", "1"});
  if (context.late) headers.push_back({"rh-late", "1"});
  if ((record.flags & kClockUnsynced) != 0) headers.push_back({"rh-clock", "unsynced"});
  if (!record.quality.empty() && record.quality != "good") headers.push_back({"rh-quality", record.quality});
  if (context.with_key && record.key) headers.push_back({"rh-key", *record.key});
  return headers;
}

void append_own_headers(const Record& record, std::vector<Header>& to) {
  std::copy_if(record.headers.begin(), record.headers.end(), std::back_inserter(to),
               [](const Header& header) { return header.name != kAmqpPriorityHeader; });
}

std::vector<Header> headers_of(const Record& record, const HeaderContext& context) {
  std::vector<Header> headers = attributes_of(record, context);
  append_own_headers(record, headers);
  return headers;
}

}  // namespace railhead
