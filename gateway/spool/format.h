// The bytes of a segment: pure encoding and decoding, no I/O. README.md has the grammar and a worked example.
// All integers are little-endian. Format version 2; version 1 had no generation, no features and is read as well.
//
// A segment is two equal copies of its header, then frames, then zeros (where it is preallocated) up to the end.
// Header    offset | size | field
//                0 |    8 | magic "RHSPOOL\n"
//                8 |    4 | format version; a reader refuses a greater one and touches nothing
//               12 |    4 | mandatory features, a bit each; a reader refuses bits it does not know: 1 compacted,
//                  |      | 2 the file was used before: behind the frames and kTerminatorBytes zeros lie its old bytes
//               16 |    4 | H, bytes of one copy, a multiple of 512; frames begin at 2 H
//               20 |    4 | crc32c of the copy with this field zero
//               24 |    8 | epoch (S1)
//               32 |    8 | segment number; also the file's name
//               40 |    8 | first sequence: what an older segment holds at or beyond it does not count
//               48 |    8 | made: wall clock, ns since 1970
//               56 |    8 | machine: hash of /etc/machine-id
//               64 |    2 | number of boot ids B
//               66 |    2 | number of lane names L
//               68 |    4 | generation: how often compaction rewrote it; part of the file's name when not zero
//               72 | 16 B | kernel boot ids
//                  |      | L times: length (1 byte), lane name
//                  |      | compacted only: last sequence covered (8), L times: records of the lane (4)
//                  |      | zeros up to H
// A compacted segment has gaps in its sequences, which are no damage. It was whole and durable before it got its name,
// holds all that was left of the sequences it covers, and replaces every segment with a lower number or generation that
// begins within them.
// A blank is a file made ahead of its use: the magic "RHBLANK\n", its number (8), crc32c of both (4), then zeros or old
// bytes. It holds nothing, whatever follows.
// Frame     offset | size | field; a frame begins at a multiple of 4
//                0 |    4 | n, bytes of payload
//                4 |    4 | crc32c of: epoch, segment number, generation (if not 0), n, everything behind this field
//                (so a copied, misplaced or
//                  |      | left-over frame never verifies)
//                8 |    1 | flags: 1 group begins, 2 group ends, 4 internal, 8 clock trusted, 16+32 class; others zero
//                9 |    1 | boot: index into the header's boot ids
//               10 |    2 | lane: index into the header's lane names
//               12 |    8 | sequence
//               20 |    8 | durable_through: the highest sequence known durable when this was written (S8)
//               28 |    8 | appended: wall clock, ns since 1970
//               36 |    8 | appended: boot time, ns
//               44 |    n | payload, then zeros up to a multiple of 4 (not covered by the crc)
// A group (S6) lies in one segment.
// Errors: Errc::damaged, Errc::unsupported. Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/base/strong.h"
#include "gateway/base/time.h"

namespace railhead::spool {

inline constexpr std::uint32_t kFormatVersion = 2;
inline constexpr std::size_t kFrameHeaderBytes = 44;
inline constexpr std::size_t kFrameAlignment = 4;
inline constexpr std::size_t kHeaderAlignment = 512;
inline constexpr std::string_view kSegmentMagic = "RHSPOOL\n";
inline constexpr std::size_t kTerminatorBytes = 64;
inline constexpr std::size_t kBlankBytes = 20;

// A frame's flags.
enum : std::uint8_t { kGroupBegins = 1, kGroupEnds = 2, kInternal = 4, kClockTrusted = 8, kClassShift = 4 };

// A file takes room in blocks of this size.
inline constexpr std::uint64_t kDiskBlockBytes = 4096;
[[nodiscard]] constexpr std::uint64_t in_disk_blocks(std::uint64_t bytes) {
  return (bytes + kDiskBlockBytes - 1) / kDiskBlockBytes * kDiskBlockBytes;
}

using BootId = std::array<std::uint8_t, 16>;

// Of no kernel: where it is not known.
inline constexpr BootId kNoBoot{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct SegmentHeader {
  Epoch epoch;
  std::uint64_t number = 0;
  Sequence first;
  Time made;
  std::uint64_t machine = 0;
  std::vector<BootId> boots;
  std::vector<std::string> lanes;
  std::uint32_t generation = 0;
  bool reused = false;  // old bytes may lie behind the terminator
  bool compacted = false;
  Sequence last;                      // compacted: the highest sequence covered
  std::vector<std::uint32_t> counts;  // compacted: records, per lane of `lanes`
  std::uint32_t copy_bytes = 0;       // H; set by encode and decode

  [[nodiscard]] std::uint64_t frames_begin() const { return std::uint64_t{copy_bytes} * 2; }
};

// Both copies.
[[nodiscard]] std::string encode_header(SegmentHeader& header);
// `bytes` is the beginning of a file; tries the first copy, then the second. Short input is damage.
[[nodiscard]] Result<SegmentHeader> decode_header(std::string_view bytes);
// How much of a file's beginning decode_header may need.
inline constexpr std::size_t kHeaderBytesMax = std::size_t{4} * 1024 * 1024;

struct FrameHeader {
  std::uint32_t payload_bytes = 0;
  std::uint32_t crc = 0;
  bool group_begins = false;
  bool group_ends = false;
  bool internal = false;
  bool clock_trusted = false;
  std::uint8_t klass = 0;
  std::uint8_t boot = 0;
  std::uint16_t lane = 0;
  Sequence sequence;
  Sequence durable_through;
  Time appended;
  Duration appended_boot{};

  [[nodiscard]] std::size_t frame_bytes() const;
};

[[nodiscard]] constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + kFrameAlignment - 1) & ~(kFrameAlignment - 1);
}
inline std::size_t FrameHeader::frame_bytes() const { return spool::frame_bytes(payload_bytes); }

// Writes the header (its crc field is left zero) into the 44 bytes at `to`.
void encode_frame_header(const FrameHeader& header, char* to);
// Reads 44 bytes without checking anything.
[[nodiscard]] inline FrameHeader decode_frame_header(const char* from) {
  FrameHeader header;
  header.payload_bytes = base::load_le<std::uint32_t>(from);
  header.crc = base::load_le<std::uint32_t>(from + 4);
  const std::uint8_t flags = static_cast<std::uint8_t>(from[8]);
  header.group_begins = (flags & kGroupBegins) != 0;
  header.group_ends = (flags & kGroupEnds) != 0;
  header.internal = (flags & kInternal) != 0;
  header.clock_trusted = (flags & kClockTrusted) != 0;
  header.klass = static_cast<std::uint8_t>((flags >> kClassShift) & 3);
  header.boot = static_cast<std::uint8_t>(from[9]);
  header.lane = base::load_le<std::uint16_t>(from + 10);
  header.sequence = Sequence(base::load_le<std::uint64_t>(from + 12));
  header.durable_through = Sequence(base::load_le<std::uint64_t>(from + 20));
  header.appended = Time{Duration{static_cast<std::int64_t>(base::load_le<std::uint64_t>(from + 28))}};
  header.appended_boot = Duration{static_cast<std::int64_t>(base::load_le<std::uint64_t>(from + 36))};
  return header;
}

// What the committer fills in when it knows the segment: durable_through, then the crc over the whole frame at `frame`.
[[nodiscard]] std::uint32_t frame_seed(Epoch epoch, std::uint64_t segment_number, std::uint32_t generation = 0);
[[nodiscard]] inline std::uint32_t frame_seed(const SegmentHeader& header) {
  return frame_seed(header.epoch, header.number, header.generation);
}
[[nodiscard]] std::uint32_t frame_crc(std::uint32_t seed, const char* frame, std::size_t payload_bytes);
void finish_frame(std::uint32_t seed, char* frame, Sequence durable_through);

// Whether a whole frame that verifies is at the beginning of `bytes`.
[[nodiscard]] bool frame_verifies(std::uint32_t seed, std::string_view bytes);
[[nodiscard]] inline std::optional<FrameHeader> decode_frame(std::uint32_t seed, std::string_view bytes) {
  if (!frame_verifies(seed, bytes)) return std::nullopt;
  return decode_frame_header(bytes.data());
}

// "0000000000000001.seg", from generation 1 on "0000000000000001.00000001.seg", and back (nothing for other names).
[[nodiscard]] std::string segment_name(std::uint64_t number, std::uint32_t generation = 0);
[[nodiscard]] inline std::string segment_name(const SegmentHeader& header) {
  return segment_name(header.number, header.generation);
}
[[nodiscard]] std::optional<std::uint64_t> segment_number(std::string_view name);
[[nodiscard]] std::uint32_t segment_generation(std::string_view name);  // REQUIRES a segment's name

// "0000000000000001.spare": the file of a segment that was trimmed, kept to be used again.
[[nodiscard]] std::string spare_name(std::uint64_t number);
[[nodiscard]] bool is_spare_name(std::string_view name);
[[nodiscard]] std::string encode_blank(std::uint64_t number);
[[nodiscard]] bool is_blank(std::string_view bytes);

// FNV-1a of the machine id.
[[nodiscard]] std::uint64_t machine_hash(std::string_view machine_id);
// The 16 bytes of "6b3c..-...." (zeros where there is none).
[[nodiscard]] BootId parse_boot_id(std::string_view text);

}  // namespace railhead::spool
