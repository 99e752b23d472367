#include "adapters/mqtt/servers.h"

#include <doctest/doctest.h>

namespace railhead::mqtt {
namespace {

std::vector<Url> urls(std::initializer_list<const char*> texts) {
  std::vector<Url> made;
  for (const char* text : texts) made.push_back(*parse_url(text));
  return made;
}

TEST_CASE("the configured servers are tried in turn") {
  Servers servers(urls({"mqtt://a", "mqtts://b", "ws://c"}), false);
  CHECK(servers.current().text() == "mqtt://a:1883");
  servers.advance();
  CHECK(servers.current().text() == "mqtts://b:8883");
  servers.advance();
  CHECK(servers.current().text() == "ws://c:80/mqtt");
  servers.advance();
  CHECK(servers.current().text() == "mqtt://a:1883");
}

TEST_CASE("a redirection for now lasts until it does not serve; one for good becomes the first server") {
  Servers servers(urls({"mqtts://a"}), true);
  REQUIRE(servers.redirect("b:9999", false));
  CHECK(servers.current().text() == "mqtts://b:9999");
  servers.advance();
  CHECK(servers.current().text() == "mqtts://a:8883");
  servers.lived();
  REQUIRE(servers.redirect("[::1]:5 d", true));
  CHECK(servers.current().text() == "mqtts://[::1]:5");
  servers.advance();
  CHECK(servers.current().text() == "mqtts://a:8883");
  servers.advance();
  CHECK(servers.current().text() == "mqtts://[::1]:5");
  REQUIRE(servers.redirect("e", true));
  servers.advance();
  CHECK(servers.current().text() == "mqtts://a:8883");
}

TEST_CASE("a redirection keeps the kind of connection, its path too") {
  Servers servers(urls({"wss://a/broker?x=1"}), true);
  REQUIRE(servers.redirect("b:444", false));
  CHECK(servers.current().text() == "wss://b:444/broker?x=1");
}

// Error paths

TEST_CASE("redirections that are not allowed, not readable or too many are not followed") {
  Servers strict(urls({"mqtt://a"}), false);
  CHECK_FALSE(strict.redirect("b", false));
  Servers servers(urls({"mqtt://a"}), true);
  for (const char* reference : {"", " ", "b:0", "tcp://b:1", "b/x", "u@b"}) {
    CAPTURE(reference);
    CHECK_FALSE(servers.redirect(reference, false));
  }
  // After each chain there is a wait; then what serves by now is found.
  for (int chain = 0; chain < 3; ++chain) {
    for (unsigned i = 0; i < Servers::kRedirectionsMax; ++i) CHECK(servers.redirect("b", false));
    CHECK_FALSE(servers.redirect("b", false));
  }
  // A connection that lived ends one.
  for (unsigned i = 0; i < Servers::kRedirectionsMax * 2; ++i) {
    CHECK(servers.redirect("b", false));
    servers.lived();
  }
}

TEST_CASE("each reason code asks for something of the next connection") {
  for (const int code : {0x88, 0x89, 0x8b}) CHECK(advice_of(static_cast<std::uint8_t>(code)) == Advice::next_server);
  for (const int code : {0x8a, 0x8e, 0x96, 0x97, 0x98, 0x9f}) {
    CHECK(advice_of(static_cast<std::uint8_t>(code)) == Advice::later);
  }
  for (const int code : {0x9c, 0x9d}) CHECK(advice_of(static_cast<std::uint8_t>(code)) == Advice::other_server);
  for (const int code : {0x00, 0x80, 0x81, 0x82, 0x83, 0x86, 0x87, 0x8d, 0x93, 0x94, 0x95, 0xa0, 0xff}) {
    CHECK(advice_of(static_cast<std::uint8_t>(code)) == Advice::again);
  }
}

}  // namespace
}  // namespace railhead::mqtt
