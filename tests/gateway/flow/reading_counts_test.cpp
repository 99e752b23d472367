#include "gateway/flow/reading_counts.h"

#include <doctest/doctest.h>

using namespace railhead;
using flow::ReadingCounts;

TEST_CASE("counts come back from their note, and a garbled note is no count at all") {
  ReadingCounts counts;
  counts.add("sensors", {.in = 5, .redelivered = 1, .routed = 4}, BootTime{});
  counts.add("sensors", {.in = 1, .unrouted = 1}, BootTime{});
  counts.add("meter", {.in = 300, .filtered = 300}, BootTime{});
  const std::string note = counts.note();
  ReadingCounts back;
  back.restore(note);
  CHECK(back.all().at("sensors").in == 6);
  CHECK(back.all().at("sensors").routed == 4);
  CHECK(back.all().at("sensors").adds_up());
  CHECK(back.all().at("meter").filtered == 300);
  for (std::size_t size = 0; size < note.size(); ++size) {
    ReadingCounts cut;
    cut.restore(std::string_view(note).substr(0, size));
    CHECK(cut.all().empty());
  }
}
