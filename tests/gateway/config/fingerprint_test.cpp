#include "gateway/config/fingerprint.h"

#include <doctest/doctest.h>

#include <string>

#include "gateway/config/diagnostics.h"

namespace railhead::config {
namespace {

Fingerprint of(const std::string& text) {
  Diagnostics diagnostics;
  const Document document = Document::parse(text, "c.yaml", diagnostics);
  CAPTURE(text);
  CHECK_FALSE(diagnostics.has_errors());
  return fingerprint(document.root());
}

TEST_CASE("layout, comments, quotes around a text and the order of members say nothing") {
  const Fingerprint one = of("name: hot\nwhen: value.t > 80\nsend:\n  - to: up\n    topic: a/b\n");
  CHECK(of("{ when: \"value.t > 80\", name: 'hot', send: [ { topic: a/b, to: up } ] }  # as it was") == one);
  CHECK(of("name: hot\nwhen: value.t > 81\nsend: [ { to: up, topic: a/b } ]") != one);
  CHECK(of("name: hot\nsend: [ { to: up, topic: a/b } ]") != one);
  CHECK(of("send: [ { to: up }, { to: down } ]") != of("send: [ { to: down }, { to: up } ]"));
  // A value under another name.
  CHECK(of("{ a: x, b: y }") != of("{ a: y, b: x }"));
  CHECK(of("{ a: { b: x }, c: { d: y } }") != of("{ a: { d: y }, c: { b: x } }"));
}

TEST_CASE("quotes that make a text of a number, a truth or nothing count, and so does an order that is kept") {
  for (const char* scalar : {"30", "-1", "1e3", ".5", "true", "No", "NULL", "~"}) {
    CAPTURE(std::string(scalar));
    CHECK(of("a: " + std::string(scalar)) != of("a: \"" + std::string(scalar) + "\""));
  }
  for (const char* member : {"let", "body", "headers"}) {
    CAPTURE(std::string(member));
    const std::string name(member);
    CHECK(of(name + ": { a: \"1\", b: \"2\" }") != of(name + ": { b: \"2\", a: \"1\" }"));
    CHECK(of(name + ": { c: { a: x, b: y } }") != of(name + ": { c: { b: y, a: x } }"));
  }
}

}  // namespace
}  // namespace railhead::config
