#include "gateway/spool/format.h"

#include <algorithm>
#include <cstring>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"

namespace railhead::spool {
namespace {

using base::load_le;
using base::store_le;

constexpr std::size_t kFixedHeaderBytes = 72;
constexpr std::size_t kCrcAt = 20;
constexpr std::uint64_t kSequenceMost = std::uint64_t{1} << 62;
constexpr std::string_view kBlankMagic = "RHBLANK\n";

enum : std::uint32_t { kFeatureCompacted = 1, kFeatureReused = 2 };

std::uint32_t header_crc(std::string_view copy) {
  const char zeros[4] = {};
  std::uint32_t crc = base::crc32c(copy.substr(0, kCrcAt));
  crc = base::crc32c(std::string_view(zeros, 4), crc);
  return base::crc32c(copy.substr(kCrcAt + 4), crc);
}

Result<SegmentHeader> decode_copy(std::string_view bytes) {
  if (bytes.size() < kFixedHeaderBytes) return fail(Errc::damaged, "segment header is short");
  if (bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) return fail(Errc::damaged, "no segment header");
  const std::uint32_t copy_bytes = load_le<std::uint32_t>(bytes.data() + 16);
  if (copy_bytes < kFixedHeaderBytes || copy_bytes % kHeaderAlignment != 0 || copy_bytes > bytes.size()) {
    return fail(Errc::damaged, "segment header has a wrong length");
  }
  const std::string_view copy = bytes.substr(0, copy_bytes);
  if (load_le<std::uint32_t>(copy.data() + kCrcAt) != header_crc(copy)) {  // durable: crc check
    return fail(Errc::damaged, "segment header fails its checksum");
  }
  const std::uint32_t version = load_le<std::uint32_t>(copy.data() + 8);
  if (version > kFormatVersion) {
    return fail(Errc::unsupported, "segment has format version " + std::to_string(version) + ", this program knows " +
                                       std::to_string(kFormatVersion));
  }
  const std::uint32_t features = load_le<std::uint32_t>(copy.data() + 12);
  if ((features & ~std::uint32_t{kFeatureCompacted | kFeatureReused}) != 0) {
    return fail(Errc::unsupported, "segment uses a feature this program does not know");
  }
  SegmentHeader header;
  header.copy_bytes = copy_bytes;
  base::ByteReader reader(copy.substr(24));
  header.epoch = Epoch(reader.u64());
  header.number = reader.u64();
  header.first = Sequence(reader.u64());
  header.made = Time{Duration{reader.i64()}};
  header.machine = reader.u64();
  const std::uint16_t boots = reader.u16();
  const std::uint16_t lanes = reader.u16();
  header.generation = reader.u32();
  header.compacted = (features & kFeatureCompacted) != 0;
  header.reused = (features & kFeatureReused) != 0;
  for (std::uint16_t i = 0; i < boots && reader.ok(); ++i) {
    const std::string_view id = reader.raw(16);
    BootId boot{};
    if (id.size() == boot.size()) std::memcpy(boot.data(), id.data(), boot.size());
    header.boots.push_back(boot);
  }
  for (std::uint16_t i = 0; i < lanes && reader.ok(); ++i) header.lanes.emplace_back(reader.raw(reader.u8()));
  if (header.compacted) {
    header.last = Sequence(reader.u64());
    for (std::uint16_t i = 0; i < lanes && reader.ok(); ++i) header.counts.push_back(reader.u32());
    if (header.last < header.first) return fail(Errc::damaged, "segment header is malformed");
  }
  // Sequences begin at 1 (S4) and never come near the end of their numbers: what is calculated from them must not wrap.
  if (!reader.ok() || header.first.value() == 0 || std::max(header.first, header.last).value() > kSequenceMost) {
    return fail(Errc::damaged, "segment header is malformed");
  }
  return header;
}

}  // namespace

std::string encode_header(SegmentHeader& header) {
  std::string copy(kSegmentMagic);
  base::ByteWriter writer(copy);
  writer.u32(kFormatVersion);
  writer.u32((header.compacted ? kFeatureCompacted : 0U) | (header.reused ? kFeatureReused : 0U));
  writer.u32(0);
  writer.u32(0);
  writer.u64(header.epoch.value());
  writer.u64(header.number);
  writer.u64(header.first.value());
  writer.i64(header.made.time_since_epoch().count());
  writer.u64(header.machine);
  writer.u16(static_cast<std::uint16_t>(header.boots.size()));
  writer.u16(static_cast<std::uint16_t>(header.lanes.size()));
  writer.u32(header.generation);
  for (const BootId& boot : header.boots) {
    writer.raw(std::string_view(reinterpret_cast<const char*>(boot.data()), boot.size()));
  }
  for (const std::string& lane : header.lanes) {
    RAILHEAD_ASSERT(!lane.empty() && lane.size() <= 255);
    writer.u8(static_cast<std::uint8_t>(lane.size()));
    writer.raw(lane);
  }
  if (header.compacted) {
    RAILHEAD_ASSERT(header.counts.size() == header.lanes.size());
    writer.u64(header.last.value());
    for (const std::uint32_t count : header.counts) writer.u32(count);
  }
  copy.resize((copy.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, '\0');
  header.copy_bytes = static_cast<std::uint32_t>(copy.size());
  store_le(copy.data() + 16, header.copy_bytes);
  store_le(copy.data() + kCrcAt, header_crc(copy));
  return copy + copy;
}

Result<SegmentHeader> decode_header(std::string_view bytes) {
  Result<SegmentHeader> first = decode_copy(bytes);
  if (first || first.error().code == Errc::unsupported) return first;
  // The first copy is broken, so its length may be too: the second begins at a multiple of the alignment.
  for (std::size_t at = kHeaderAlignment; at < bytes.size() && at <= kHeaderBytesMax / 2; at += kHeaderAlignment) {
    if (bytes.substr(at, kSegmentMagic.size()) != kSegmentMagic) continue;
    Result<SegmentHeader> second = decode_copy(bytes.substr(at));
    if (second && second->copy_bytes != at) continue;
    if (second || second.error().code == Errc::unsupported) return second;
  }
  return first;
}

void encode_frame_header(const FrameHeader& header, char* to) {
  store_le(to, header.payload_bytes);
  store_le(to + 4, std::uint32_t{0});
  to[8] = static_cast<char>((header.group_begins ? kGroupBegins : 0) | (header.group_ends ? kGroupEnds : 0) |
                            (header.internal ? kInternal : 0) | (header.clock_trusted ? kClockTrusted : 0) |
                            (header.klass & 3) << kClassShift);
  to[9] = static_cast<char>(header.boot);
  store_le(to + 10, header.lane);
  store_le(to + 12, header.sequence.value());
  store_le(to + 20, header.durable_through.value());
  store_le(to + 28, static_cast<std::uint64_t>(header.appended.time_since_epoch().count()));
  store_le(to + 36, static_cast<std::uint64_t>(header.appended_boot.count()));
}

std::uint32_t frame_seed(Epoch epoch, std::uint64_t segment_number, std::uint32_t generation) {
  char place[20];
  store_le(place, epoch.value());
  store_le(place + 8, segment_number);
  store_le(place + 16, generation);
  return base::crc32c(std::string_view(place, generation == 0 ? 16 : sizeof place));
}

std::uint32_t frame_crc(std::uint32_t seed, const char* frame, std::size_t payload_bytes) {
  const std::uint32_t crc = base::crc32c(std::string_view(frame, 4), seed);
  return base::crc32c(std::string_view(frame + 8, kFrameHeaderBytes - 8 + payload_bytes), crc);
}

void finish_frame(std::uint32_t seed, char* frame, Sequence durable_through) {
  store_le(frame + 20, durable_through.value());
  store_le(frame + 4, frame_crc(seed, frame, load_le<std::uint32_t>(frame)));
}

bool frame_verifies(std::uint32_t seed, std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return false;
  const std::uint32_t payload_bytes = load_le<std::uint32_t>(bytes.data());
  if (payload_bytes > bytes.size() - kFrameHeaderBytes) return false;
  const std::uint32_t crc = load_le<std::uint32_t>(bytes.data() + 4);
  if (crc != frame_crc(seed, bytes.data(), payload_bytes)) return false;  // durable: crc check
  return load_le<std::uint64_t>(bytes.data() + 12) != 0;
}

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string to_hex_digits(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 4) text[i] = kHexDigits[number & 15];
  return text;
}

std::optional<std::uint64_t> from_hex_digits(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) {
    const std::size_t digit = kHexDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    number = number << 4 | digit;
  }
  return number;
}

}  // namespace

std::string segment_name(std::uint64_t number, std::uint32_t generation) {
  std::string name = to_hex_digits(number, 16);
  if (generation != 0) name += "." + to_hex_digits(generation, 8);
  return name + ".seg";
}

std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (name.size() == 29) {
    const std::optional<std::uint64_t> generation = from_hex_digits(name.substr(17, 8));
    if (name[16] != '.' || !generation || *generation == 0) return std::nullopt;
  } else if (name.size() != 20) {
    return std::nullopt;
  }
  if (name.substr(name.size() - 4) != ".seg") return std::nullopt;
  return from_hex_digits(name.substr(0, 16));
}

std::uint32_t segment_generation(std::string_view name) {
  if (name.size() != 29) return 0;
  return static_cast<std::uint32_t>(from_hex_digits(name.substr(17, 8)).value_or(0));
}

std::string spare_name(std::uint64_t number) { return to_hex_digits(number, 16) + ".spare"; }

bool is_spare_name(std::string_view name) {
  return name.size() == 22 && name.substr(16) == ".spare" && from_hex_digits(name.substr(0, 16)).has_value();
}

std::string encode_blank(std::uint64_t number) {
  std::string blank(kBlankMagic);
  base::ByteWriter writer(blank);
  writer.u64(number);
  writer.u32(base::crc32c(blank));
  return blank;
}

bool is_blank(std::string_view bytes) {
  return bytes.size() >= kBlankBytes && bytes.substr(0, kBlankMagic.size()) == kBlankMagic &&
         load_le<std::uint32_t>(bytes.data() + 16) == base::crc32c(bytes.substr(0, 16));
}

std::uint64_t machine_hash(std::string_view machine_id) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : machine_id) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

BootId parse_boot_id(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits.push_back(c);
  }
  BootId id{};
  const std::optional<std::string> bytes = base::from_hex(digits);
  if (bytes && bytes->size() == id.size()) std::memcpy(id.data(), bytes->data(), id.size());
  return id;
}

}  // namespace railhead::spool
