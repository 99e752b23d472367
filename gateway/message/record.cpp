#include "gateway/message/record.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include "gateway/base/bytes.h"
#include "gateway/message/field_token.h"

namespace railhead {
namespace {
constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kHeadersMax = 4096;
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

void encode(const Record& record, std::string& out) {
  base::ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u8(static_cast<std::uint8_t>(record.priority));
  writer.varint(record.flags);
  writer.text(record.sink);
  writer.text(record.topic);
  writer.text(record.routing_key);
  writer.u8(record.key ? 1 : 0);
  if (record.key) writer.text(*record.key);
  writer.i64(record.time.time_since_epoch().count());
  writer.i64(record.ttl.count());
  writer.text(record.source);
  writer.text(record.device);
  writer.text(record.type);
  writer.text(record.content_type);
  writer.text(record.quality);
  writer.text(record.identity);
  write_token(record.token, writer);
  writer.varint(record.headers.size());
  for (const Header& header : record.headers) {
    writer.text(header.name);
    writer.text(header.value);
  }
  writer.text(record.body);
}

Result<Record> decode_record(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version > kVersion) return fail(Errc::unsupported, "record of version " + std::to_string(version));
  Record record;
  const std::uint8_t priority = reader.u8();
  record.flags = static_cast<std::uint8_t>(reader.varint());
  record.sink = reader.text();
  record.topic = reader.text();
  record.routing_key = reader.text();
  if (reader.u8() != 0) record.key = std::string(reader.text());
  record.time = Time{Duration{reader.i64()}};
  record.ttl = Duration{reader.i64()};
  record.source = reader.text();
  record.device = reader.text();
  record.type = reader.text();
  record.content_type = reader.text();
  record.quality = reader.text();
  record.identity = reader.text();
  record.token = read_token(reader);
  const std::uint64_t headers = reader.varint();
  if (headers > kHeadersMax) return fail(Errc::damaged, "record with an impossible number of headers");
  for (std::uint64_t i = 0; i < headers && reader.ok(); ++i) {
    Header header;
    header.name = reader.text();
    header.value = reader.text();
    record.headers.push_back(std::move(header));
  }
  record.body = reader.text();
  if (!reader.ok() || !reader.at_end() || version == 0 || priority > static_cast<std::uint8_t>(Priority::alarm)) {
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
