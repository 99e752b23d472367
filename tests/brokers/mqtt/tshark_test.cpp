// What this client sends, judged by Wireshark's dissector: each packet in a TCP segment of a capture file.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/session.h"
#include "gateway/base/text.h"
#include "tests/support/process.h"
#include "tests/support/tcp_capture.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;

struct Silent final : Session::Listener {
  void on_connected(bool) override {}
  void on_subscribed(std::size_t, std::uint8_t) override {}
  void on_acknowledged(std::span<const std::uint16_t>) override {}
  void on_all_answered(const std::vector<std::string>&) override {}
  void on_quota_exceeded() override {}
};

// Everything the source's session ever sends, a packet a segment. Gives how many there are.
std::size_t talk(Version version, test::TcpCapture& capture) {
  Session::Options options;
  options.client_id = "railhead-plant-7";
  options.user = "user";
  options.password = "password";
  options.session_expiry_seconds = 3600;
  options.subscription_identifiers = true;
  options.subscriptions = {{"plant/+/#", 1}, {"$share/group/a/+", 2}, {"b", 0}};
  Silent silent;
  Session session(options, silent);
  const BootTime now{1000s};
  std::size_t packets = 0;
  const auto take = [&] {
    while (!session.output().empty()) {
      const auto header = decode_header(session.output());
      REQUIRE(header);
      REQUIRE(*header);
      const std::size_t size = (*header)->header_bytes + (*header)->remaining_length;
      capture.add(session.output().substr(0, size));
      session.sent(size, now);
      ++packets;
    }
  };
  const auto receive = [&](const auto& packet) {
    std::string bytes;
    encode(version, packet, bytes);
    REQUIRE(session.receive(bytes, now));
    session.clear_inbox();
  };
  session.set_unwanted({"plant/#", "$share/group/b"});
  session.open(version, now);
  take();
  receive(Connack{true, 0, {}});
  take();
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{0xffff}}) {
    for (const PacketType type : {PacketType::puback, PacketType::pubrec, PacketType::pubcomp}) {
      session.acknowledge(type, id, {});
    }
  }
  session.release({});
  take();
  PropertyWriter properties;
  properties.text(PropertyId::response_topic, "answers/7")
      .text(PropertyId::correlation_data, std::string_view("\0\xff", 2));
  Publish request;
  request.properties = properties.bytes();
  session.answer(request, R"({"error":"not JSON"})");
  REQUIRE(session.tick(now + 31s, false));
  take();
  session.disconnect(version == Version::v5 ? reason::kMalformed : reason::kSuccess);
  take();
  return packets;
}

TEST_CASE("tshark accepts every packet this client sends, in both versions") {
  test::TemporaryDirectory directory;
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    CAPTURE(int(version));
    test::TcpCapture capture(static_cast<std::uint16_t>(40'000 + int(version)), 1883);
    const std::size_t packets = talk(version, capture);
    CHECK(packets >= 12);
    const std::string file = directory.write("packets.pcap", capture.bytes());
    const test::Ran ran = test::run({"tshark", "-n", "-r", file, "-T", "fields", "-e", "mqtt.msgtype", "-e",
                                     "_ws.malformed", "-e", "_ws.expert.message"},
                                    60s);
    REQUIRE(ran.status == 0);
    std::size_t dissected = 0;
    for (const std::string_view line : base::split(ran.output, '\n')) {
      if (line.empty() || line.find("Running as user") != std::string_view::npos) continue;
      ++dissected;
      const std::string shown(line);
      CAPTURE(shown);
      // A type, and neither malformed nor anything to remark.
      CHECK(base::trim(line.substr(0, line.find('\t'))).find_first_not_of("0123456789") == std::string_view::npos);
      CHECK(line.front() != '\t');
      CHECK(line.find("alformed") == std::string_view::npos);
    }
    CHECK(dissected == packets);

    // The dissector does see what is wrong.
    capture.add(std::string_view("\x82\x05\x00\x01\x00\x09x", 7));
    const std::string broken = directory.write("broken.pcap", capture.bytes());
    const test::Ran seen = test::run({"tshark", "-n", "-r", broken, "-Y", "_ws.malformed"}, 60s);
    CHECK(seen.output.find("MQTT") != std::string::npos);
  }
}

}  // namespace
}  // namespace railhead::mqtt
