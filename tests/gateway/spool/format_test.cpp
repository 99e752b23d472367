#include "gateway/spool/format.h"

#include <cstring>
#include <string>

#include <doctest/doctest.h>
#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/lane_state.h"
#include "gateway/spool/segment_reader.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::spool {
namespace {

constexpr Time kExampleTime{std::chrono::seconds{1767225600}};

SegmentHeader example_header() {
  SegmentHeader header;
  header.epoch = Epoch(0x1122334455667788);
  header.number = 1;
  header.first = Sequence(1);
  header.made = kExampleTime;
  header.machine = machine_hash("0123456789abcdef0123456789abcdef");
  header.boots = {parse_boot_id("00112233-4455-6677-8899-aabbccddeeff")};
  header.lanes = {"kafka"};
  return header;
}

std::string example_frame(std::uint64_t sequence = 1, const std::string& payload = "hello") {
  FrameHeader header;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.group_begins = true;
  header.group_ends = true;
  header.clock_trusted = true;
  header.klass = 1;
  header.sequence = Sequence(sequence);
  header.appended = kExampleTime;
  header.appended_boot = std::chrono::seconds{100};
  std::string frame(header.frame_bytes(), '\0');
  encode_frame_header(header, frame.data());
  frame.replace(kFrameHeaderBytes, payload.size(), payload);
  finish_frame(frame_seed(Epoch(0x1122334455667788), 1), frame.data(), Sequence(sequence - 1));
  return frame;
}

// The bytes of the n-th block of the README's worked example: hex pairs at the beginning of each line.
std::string readme_bytes(int block) {
  const std::string readme = test::read_file(test::source_directory() + "/gateway/spool/README.md");
  std::size_t at = readme.find("### A worked example");
  REQUIRE(at != std::string::npos);
  for (int i = 0; i <= block * 2; ++i) at = readme.find("```\n", at) + 4;
  const std::string text = readme.substr(at, readme.find("```", at) - at);
  std::string hex;
  for (std::size_t line = 0; line < text.size(); line = text.find('\n', line) + 1) {
    hex += text.substr(line, 47) + " ";
    if (text.find('\n', line) == std::string::npos) break;
  }
  const std::optional<std::string> bytes = base::from_hex(hex);
  REQUIRE_MESSAGE(bytes.has_value(), hex);
  return *bytes;
}

TEST_CASE("the worked example of the README is what the code writes, and reads back") {
  SegmentHeader header = example_header();
  const std::string encoded = encode_header(header);
  REQUIRE(encoded.size() == 1024);
  const std::string shown = readme_bytes(0);
  CHECK(base::to_hex(encoded.substr(0, shown.size())) == base::to_hex(shown));
  CHECK(shown.size() == 512 - 418);
  CHECK(all_zero(std::string_view(encoded).substr(shown.size(), 418)));
  CHECK(encoded.substr(0, 512) == encoded.substr(512));
  CHECK(base::to_hex(example_frame()) == base::to_hex(readme_bytes(1)));

  const std::string bytes = encoded + readme_bytes(1);
  const Result<SegmentHeader> read = decode_header(bytes);
  REQUIRE(read.has_value());
  CHECK(read->epoch == header.epoch);
  CHECK(read->lanes == header.lanes);
  CHECK(read->boots == header.boots);
  SegmentReader reader(bytes, *read);
  REQUIRE(reader.next() == SegmentReader::Item::frame);
  CHECK(reader.payload() == "hello");
  CHECK(reader.header().sequence == Sequence(1));
  CHECK(reader.header().clock_trusted);
  CHECK(reader.header().klass == 1);
  CHECK(reader.header().appended == kExampleTime);
  CHECK(reader.next() == SegmentReader::Item::end);
}

TEST_CASE("a header of format version 1 reads as well") {
  SegmentHeader header = example_header();
  std::string old = encode_header(header);
  old[8] = 1;
  std::string copy = old.substr(0, 512);
  std::memset(copy.data() + 20, 0, 4);
  base::store_le(old.data() + 20, base::crc32c(copy));
  const Result<SegmentHeader> read = decode_header(std::string_view(old).substr(0, 512));
  REQUIRE(read.has_value());
  CHECK(read->number == 1);
  CHECK_FALSE(read->compacted);
}

TEST_CASE("a compacted segment's header says what it covers and holds; its frames verify in its generation alone") {
  SegmentHeader header = example_header();
  header.generation = 3;
  header.compacted = true;
  header.last = Sequence(500);
  header.counts = {7};
  const Result<SegmentHeader> read = decode_header(encode_header(header));
  REQUIRE(read.has_value());
  CHECK(read->compacted);
  CHECK(read->generation == 3);
  CHECK(read->last == Sequence(500));
  CHECK(read->counts == std::vector<std::uint32_t>{7});
  CHECK_FALSE(decode_frame(frame_seed(*read), example_frame()).has_value());
  CHECK(segment_name(*read) == "0000000000000001.00000003.seg");
  CHECK(segment_number("0000000000000001.00000003.seg") == 1);
  CHECK(segment_generation("0000000000000001.00000003.seg") == 3);
  CHECK(segment_generation("0000000000000001.seg") == 0);
  CHECK_FALSE(segment_number("0000000000000001.00000000.seg").has_value());
}

TEST_CASE("a blank is known by its whole beginning") {
  const std::string blank = encode_blank(9);
  CHECK(blank.size() == kBlankBytes);
  CHECK(is_blank(blank + std::string(500, 'x')));
  for (std::size_t at = 0; at < blank.size(); ++at) {
    std::string spoilt = blank;
    spoilt[at] ^= 1;
    CHECK_FALSE(is_blank(spoilt));
    CHECK_FALSE(is_blank(std::string_view(blank).substr(0, at)));
  }
}

TEST_CASE("a frame verifies only in its own epoch and segment") {
  const std::string frame = example_frame();
  CHECK(decode_frame(frame_seed(Epoch(0x1122334455667788), 1), frame).has_value());
  CHECK_FALSE(decode_frame(frame_seed(Epoch(0x1122334455667788), 2), frame).has_value());
  CHECK_FALSE(decode_frame(frame_seed(Epoch(0x1122334455667789), 1), frame).has_value());
}

TEST_CASE("any flipped bit of a frame is noticed; the padding is not covered") {
  const std::uint32_t seed = frame_seed(Epoch(0x1122334455667788), 1);
  const std::string whole = example_frame();
  for (std::size_t at = 0; at < kFrameHeaderBytes + 5; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string frame = whole;
      frame[at] = static_cast<char>(frame[at] ^ (1 << bit));
      CHECK_FALSE(decode_frame(seed, frame).has_value());
    }
  }
}

TEST_CASE("every shortening of a frame and of a header is noticed") {
  const std::uint32_t seed = frame_seed(Epoch(0x1122334455667788), 1);
  const std::string frame = example_frame();
  for (std::size_t size = 0; size < kFrameHeaderBytes + 5; ++size) {
    CHECK_FALSE(decode_frame(seed, std::string_view(frame).substr(0, size)).has_value());
  }
  SegmentHeader header = example_header();
  const std::string encoded = encode_header(header);
  for (std::size_t size = 0; size < 512; size += 3) {
    CHECK_FALSE(decode_header(std::string_view(encoded).substr(0, size)).has_value());
  }
}

TEST_CASE("one broken copy of the header is no loss, two are damage") {
  SegmentHeader header = example_header();
  std::string encoded = encode_header(header);
  encoded[30] ^= 1;
  REQUIRE(decode_header(encoded).has_value());
  encoded[512 + 200] ^= 1;
  const Result<SegmentHeader> read = decode_header(encoded);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == Errc::damaged);
}

TEST_CASE("the reader steps over bad bytes to the next frame and tells where they were") {
  SegmentHeader header = example_header();
  const std::string head = encode_header(header);
  const std::string first = example_frame(1, "one");
  const std::string second = example_frame(2, "two, and then some more");
  const std::string third = example_frame(3, "three");
  std::string bytes = head + first + second + third + std::string(4096, '\0');
  bytes[head.size() + first.size() + 50] ^= 1;
  SegmentReader reader(bytes, header);
  REQUIRE(reader.next() == SegmentReader::Item::frame);
  REQUIRE(reader.next() == SegmentReader::Item::bad);
  CHECK(reader.bad_begin() == head.size() + first.size());
  CHECK(reader.bad_end() == head.size() + first.size() + second.size());
  REQUIRE(reader.next() == SegmentReader::Item::frame);
  CHECK(reader.payload() == "three");
  CHECK(reader.next() == SegmentReader::Item::end);
}

TEST_CASE("a segment's name is its number") {
  CHECK(segment_name(0x1a2b) == "0000000000001a2b.seg");
  CHECK(segment_number("0000000000001a2b.seg") == 0x1a2b);
  for (const char* name : {"", "lanes", "1a2b.seg", "0000000000001A2B.seg", "0000000000001a2b.segx"}) {
    CHECK_FALSE(segment_number(name).has_value());
  }
}

TEST_CASE("lane states read back as they were written, and any flipped bit is noticed") {
  StoredState state;
  state.epoch = Epoch(7);
  state.earlier = {Epoch(5), Epoch(6)};
  state.machine = 99;
  state.durable = Sequence(1000);
  state.next_segment = 12;
  status::LaneLedger ledger;
  ledger.accepted = 10;
  ledger.delivered = 7;
  ledger.spooled = 2;
  ledger.dropped = 1;
  ledger.dropped_full = 1;
  state.lanes = {{"kafka", Sequence(40), ledger}, {"amqp", Sequence(1001), {}}};
  SettledBits bits;
  for (const std::uint64_t place : {2, 0, 127, 70'000}) bits.set(place);
  state.segments = {{3, Sequence(30), Sequence(80'000), {LaneId(1)}, bits}};
  state.note = std::string("opaque\0bytes", 12);
  const std::string bytes = encode_state(state);
  const Result<StoredState> read = decode_state(bytes);
  REQUIRE(read.has_value());
  CHECK(read->earlier == state.earlier);
  CHECK(read->durable == state.durable);
  REQUIRE(read->lanes.size() == 2);
  CHECK(read->lanes[0].low_water == Sequence(40));
  CHECK(read->lanes[0].ledger.delivered == 7);
  CHECK(read->lanes[0].ledger.dropped_full == 1);
  REQUIRE(read->segments.size() == 1);
  CHECK(read->segments[0].full == state.segments[0].full);
  CHECK(read->segments[0].last == Sequence(80'000));
  CHECK(read->segments[0].bits.words() == bits.words());
  CHECK(read->note == state.note);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string spoilt = bytes;
    spoilt[at] ^= 0x10;
    CHECK_FALSE(decode_state(spoilt).has_value());
    CHECK_FALSE(decode_state(std::string_view(bytes).substr(0, at)).has_value());
  }
}

}  // namespace
}  // namespace railhead::spool
