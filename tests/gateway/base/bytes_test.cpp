#include "gateway/base/bytes.h"

#include <doctest/doctest.h>

#include <random>

#include "gateway/base/crc32c.h"

using namespace railhead::base;

TEST_CASE("what a writer wrote a reader reads, and short input is not read beyond its end") {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.u8(7);
  writer.u16(0x1234);
  writer.u32(0xdeadbeef);
  writer.u64(0x0123456789abcdef);
  writer.i64(-5);
  writer.varint(300);
  writer.varint(~0ull);
  writer.text("hello");
  CHECK(to_hex(bytes).starts_with("073412efbeadde"));
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    const bool same = reader.u8() == 7 && reader.u16() == 0x1234 && reader.u32() == 0xdeadbeef &&
                      reader.u64() == 0x0123456789abcdef && reader.i64() == -5 && reader.varint() == 300 &&
                      reader.varint() == ~0ull && reader.text() == "hello";
    CHECK(reader.ok() == (size == bytes.size()));
    if (size == bytes.size()) CHECK(same);
  }
}

TEST_CASE("a varint of more than 64 bits is refused") {
  ByteReader reader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
  CHECK(reader.varint() == 0);
  CHECK_FALSE(reader.ok());
}

TEST_CASE("hex and base64 come back, and refuse what they are not") {
  CHECK(from_hex("de ad BE ef") == std::string("\xde\xad\xbe\xef"));
  CHECK_FALSE(from_hex("abc"));
  CHECK_FALSE(from_hex("zz"));
  CHECK(to_base64("") == "");
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foo") == "Zm9v");
  CHECK(to_base64("foobar") == "Zm9vYmFy");
  CHECK(from_base64("Zm9vYg==") == "foob");
  CHECK(from_base64("Zm8") == "fo");
  CHECK_FALSE(from_base64("Z"));
  CHECK_FALSE(from_base64("Zm9*"));
}

TEST_CASE("UTF-8: no overlong forms, no surrogates, no truncation") {
  CHECK(is_utf8("°C ✓ 😀"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xf5\x80\x80\x80"));
  CHECK_FALSE(is_utf8("a\xe2\x82"));
  CHECK_FALSE(is_utf8("\x80"));
  for (std::size_t size = 1; size < 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      CHECK(is_utf8(text));
      text[at] = '\xff';
      CHECK_FALSE(is_utf8(text));
      if (at + 1 == size) continue;
      text.replace(at, 2, "é");
      CHECK(is_utf8(text));
    }
  }
}

TEST_CASE("CRC-32C agrees with RFC 3720 B.4 and the hardware with the table") {
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("123456789") == 0xe3069283);
  std::mt19937 random(1);
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    CHECK(crc32c(bytes) == crc32c_portable(bytes));
    const std::size_t half = bytes.size() / 2;
    CHECK(crc32c(std::string_view(bytes).substr(half), crc32c(std::string_view(bytes).substr(0, half))) ==
          crc32c(bytes));
    bytes.push_back(static_cast<char>(random()));
  }
  for (int i = 0; i < 5000; ++i) bytes.push_back(static_cast<char>(random()));
  for (std::size_t size = 300; size < bytes.size(); size += 37) {  // long input goes in strands
    const std::string_view part = std::string_view(bytes).substr(0, size);
    CHECK(crc32c(part, 7) == crc32c_portable(part, 7));
  }
}
