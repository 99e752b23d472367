#include "gateway/spool/frame_buffer.h"

#include <doctest/doctest.h>

#include <string>

namespace railhead::spool {
namespace {

FrameBuffer of(std::size_t bytes) {
  FrameBuffer buffer;
  buffer.assign(std::string(bytes, 'x'));
  return buffer;
}

TEST_CASE("a buffer that was given back is taken again where it fits; small ones are not kept, of large ones four") {
  FrameBuffers buffers;
  buffers.give(of(100));
  CHECK(buffers.take(100).capacity() == 0);
  for (const std::size_t kib : {40, 256, 80, 512, 160}) buffers.give(of(kib << 10));
  FrameBuffer taken = buffers.take(60 << 10);
  CHECK(taken.capacity() == 80 << 10);  // the 40 KiB gave way
  taken.assign("frame");
  CHECK(taken.view() == "frame");
  CHECK(buffers.take(10).capacity() == 0);  // far too large for it
  CHECK(buffers.take_largest().capacity() == 512 << 10);
  CHECK(buffers.take(100 << 10).capacity() == 160 << 10);
  buffers.give(of(3 << 20));
  buffers.give(of(2 << 20));
  CHECK(buffers.take(2 << 20).capacity() == 3 << 20);  // they are too much together
  buffers.clear();
  CHECK(buffers.take_largest().capacity() == 0);
}

}  // namespace
}  // namespace railhead::spool
