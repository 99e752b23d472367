#include "adapters/mqtt/session.h"

#include <doctest/doctest.h>

#include <array>

#include "adapters/mqtt/properties.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;

constexpr Version k3 = Version::v3_1_1;
constexpr Version k5 = Version::v5;

ports::Ticket ticket(std::uint64_t sequence) {
  ports::Ticket made;
  made.through[0] = Sequence(sequence);
  return made;
}

struct Listens final : Session::Listener {
  std::vector<std::string> heard;
  void on_connected(bool session_present) override {
    heard.push_back(session_present ? "connected: kept" : "connected: new");
  }
  void on_subscribed(std::size_t index, std::uint8_t reason) override {
    heard.push_back("subscribed " + std::to_string(index) + ": " + std::to_string(reason));
  }
  void on_acknowledged(std::span<const std::uint16_t> packet_ids) override {
    for (const std::uint16_t packet_id : packet_ids) heard.push_back("acknowledged " + std::to_string(packet_id));
  }
  void on_all_answered(const std::vector<std::string>& left) override {
    ++all_answered;
    kept = left;
  }
  void on_quota_exceeded() override { ++quota_exceeded; }
  int all_answered = 0;
  std::vector<std::string> kept;
  int quota_exceeded = 0;
};

// A session and the broker's side of it in plain words.
struct Script {
  explicit Script(Version spoken = k3, Session::Options options = with_topics({"a/#"}))
      : version(spoken), session(std::move(options), listens) {
    session.open(version, now);
    output();
  }
  static Session::Options with_topics(std::vector<std::string> topics) {
    Session::Options options;
    options.client_id = "gw";
    for (std::string& topic : topics) options.subscriptions.push_back({std::move(topic), 1});
    return options;
  }

  // What the client sent since, as hex; all of it leaves.
  std::string output() {
    const std::string hex = base::to_hex(session.output());
    session.sent(session.output().size(), now);
    return hex;
  }
  template <class P>
  std::string packet(const P& one) const {
    std::string bytes;
    encode(version, one, bytes);
    return bytes;
  }
  std::string publish(std::uint8_t qos, std::uint16_t id, std::string_view payload,
                      std::string_view topic = "a/b") const {
    Publish one;
    one.qos = qos;
    one.packet_id = id;
    one.topic = topic;
    one.payload = payload;
    return packet(one);
  }
  std::string pubrel(std::uint16_t id) const { return packet(Ack{PacketType::pubrel, id, 0, {}}); }

  Result<std::size_t> receive(std::string bytes) {
    held = std::move(bytes);
    return session.receive(held, now);
  }
  void connect(bool present = false) {
    REQUIRE(receive(packet(Connack{present, 0, {}})));
    session.clear_inbox();
    std::string subscribed = output();
    if (subscribed.empty()) return;
    REQUIRE(receive(packet(Suback{1, {}, std::string_view("\x01", 1)})));
  }

  Version version;
  BootTime now{1000s};
  Listens listens;
  Session session;
  std::string held;
};

TEST_CASE("CONNECT asks for a kept session, and at MQTT 5 for its expiry and a receive maximum") {
  Listens listens;
  Session::Options options = Script::with_topics({});
  options.user = "u";
  options.password = "p";
  options.session_expiry_seconds = 3600;
  options.receive_maximum = 100;
  Session session(options, listens);
  session.open(k5, BootTime{});
  CHECK(base::to_hex(session.output()) == "102000044d51545405c0003c0b1100000e1021006422004000026777000175000170");
  session.close();
  session.open(k3, BootTime{});
  CHECK(base::to_hex(session.output()) == "101400044d51545404c0003c00026777000175000170");
}

TEST_CASE("CONNECT has a user and a password by their flags, and no field without a flag") {
  Listens listens;
  Session::Options options = Script::with_topics({});
  const auto connect = [&](Version version, std::optional<std::string> user, std::optional<std::string> password) {
    options.user = std::move(user);
    options.password = std::move(password);
    Session session(options, listens);
    session.open(version, BootTime{});
    return base::to_hex(session.output());
  };
  CHECK(connect(k3, {}, {}) == "100e00044d5154540400003c00026777");
  CHECK(connect(k3, "u", {}) == "101100044d5154540480003c00026777000175");
  CHECK(connect(k3, "u", "p") == "101400044d51545404c0003c00026777000175000170");
  CHECK(connect(k3, {}, "p") == "100e00044d5154540400003c00026777");  // 3.1.1 has no password without a user
  const std::string properties = "06211000220040";                    // receive maximum 4,096, topic alias maximum 64
  CHECK(connect(k5, {}, {}) == "101500044d5154540500003c" + properties + "00026777");
  CHECK(connect(k5, {}, "p") == "101800044d5154540540003c" + properties + "00026777000170");
}

TEST_CASE("after CONNACK it subscribes once; a kept session is not subscribed again by the same process") {
  Script script;
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  CHECK(script.output() == "820800010003612f2301");
  REQUIRE(script.receive(script.packet(Suback{1, {}, std::string_view("\x01", 1)})));
  CHECK(script.listens.heard == std::vector<std::string>{"connected: new", "subscribed 0: 1"});

  script.session.close();
  script.session.open(k3, script.now);
  script.output();
  REQUIRE(script.receive(script.packet(Connack{true, 0, {}})));
  CHECK(script.output().empty());

  script.session.close();
  script.session.open(k3, script.now);
  script.output();
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  CHECK(script.output() == "820800020003612f2301");

  // The connection ended before the broker read that: its new session has no subscription.
  script.session.close();
  script.session.open(k3, script.now);
  script.output();
  REQUIRE(script.receive(script.packet(Connack{true, 0, {}})));
  CHECK(script.output() == "820800030003612f2301");
}

TEST_CASE("a refused subscription is asked for again: after a minute, then less often, and at every connection") {
  Session::Options options = Script::with_topics({"a", "b", "c"});
  options.keep_alive_seconds = 0;
  Script script(k5, options);
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  script.output();
  REQUIRE(script.receive(script.packet(Suback{1, {}, std::string_view("\x01\x87\x01", 3)})));
  const auto asks_after = [&](Duration wait, std::string_view packet) {
    CHECK(script.session.next_due(true) == script.now + wait);
    script.now += wait - 1s;
    REQUIRE(script.session.tick(script.now, true));
    CHECK(script.output().empty());
    script.now += 1s;
    REQUIRE(script.session.tick(script.now, true));
    CHECK(script.output() == packet);
  };
  std::uint16_t id = 2;
  for (const auto& wait : {1min, 2min, 4min, 8min, 10min, 10min}) {
    CAPTURE(id);
    asks_after(wait, "820700" + base::to_hex(std::string(1, static_cast<char>(id))) + "0000016211");
    REQUIRE(script.receive(script.packet(Suback{id++, {}, std::string_view("\x87", 1)})));
  }
  script.session.close();
  script.session.open(k5, script.now);
  script.output();
  REQUIRE(script.receive(script.packet(Connack{true, 0, {}})));
  CHECK(script.output() ==
        "8207000800000162"
        "11");
  script.listens.heard.clear();
  REQUIRE(script.receive(script.packet(Suback{8, {}, std::string_view("\x01", 1)})));
  CHECK(script.listens.heard == std::vector<std::string>{"subscribed 1: 1"});
  CHECK_FALSE(script.session.next_due(true));
}

TEST_CASE("packet identifiers go round without 0") {
  Script script;
  std::uint16_t last = 0;
  for (int times = 0; times < 65'540; ++times) {
    script.session.close();
    script.session.open(k3, script.now);
    script.output();
    REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
    const std::string subscribe(script.session.output());
    const auto id = static_cast<std::uint16_t>(static_cast<unsigned char>(subscribe.at(2)) << 8 |
                                               static_cast<unsigned char>(subscribe.at(3)));
    REQUIRE(id == (last == 0xffff ? 1 : last + 1));
    last = id;
  }
}

TEST_CASE("a SUBSCRIBE has a filter: without subscriptions there is none") {
  for (const Version version : {k3, k5}) {
    Script script(version, Script::with_topics({}));
    REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
    CHECK(script.output().empty());
  }
}

TEST_CASE("SUBACK answers in the order of the filters") {
  for (const Version version : {k3, k5}) {
    Script script(version, Script::with_topics({"a", "b", "c"}));
    REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
    script.output();
    REQUIRE(script.receive(script.packet(Suback{1, {}, std::string_view("\x00\x80\x01", 3)})));
    CHECK(script.listens.heard ==
          std::vector<std::string>{"connected: new", "subscribed 0: 0", "subscribed 1: 128", "subscribed 2: 1"});
  }
}

TEST_CASE("many subscriptions go out in packets of a few") {
  std::vector<std::string> topics;
  for (int i = 0; i < 20; ++i) topics.push_back("t" + std::to_string(i));
  Script script(k5, Script::with_topics(topics));
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  int packets = 0;
  std::string_view rest = script.session.output();
  while (!rest.empty()) {
    const auto header = decode_header(rest);
    REQUIRE(header);
    rest.remove_prefix((*header)->header_bytes + (*header)->remaining_length);
    ++packets;
  }
  CHECK(packets == 3);
}

TEST_CASE("an acknowledgement waits for its ticket, leaves in order, and is told when its bytes have left") {
  Script script;
  script.connect();
  script.listens.heard.clear();
  REQUIRE(script.receive(script.publish(1, 7, "x") + script.publish(1, 8, "y") + script.publish(0, 0, "z")));
  REQUIRE(script.session.inbox().size() == 3);
  CHECK(script.session.inbox()[1].publish.payload == "y");
  script.session.acknowledge(PacketType::puback, 7, ticket(10));
  script.session.acknowledge(PacketType::puback, 8, ticket(11));
  script.session.clear_inbox();
  script.session.release(ticket(9));
  CHECK(script.output().empty());
  script.session.release(ticket(10));
  CHECK(base::to_hex(script.session.output()) == "40020007");
  script.session.sent(3, script.now);
  CHECK(script.listens.heard.empty());
  script.session.sent(1, script.now);
  CHECK(script.listens.heard == std::vector<std::string>{"acknowledged 7"});
  script.session.release(ticket(11));
  CHECK(script.output() == "40020008");
}

TEST_CASE("what was not sent before the connection ended is not sent on the next one") {
  Script script;
  script.connect();
  REQUIRE(script.receive(script.publish(1, 7, "x")));
  script.session.acknowledge(PacketType::puback, 7, ticket(10));
  script.session.close();
  script.session.clear_inbox();
  script.session.open(k3, script.now);
  script.output();
  script.session.release(ticket(10));
  CHECK(script.output().empty());
}

TEST_CASE("a batch taken after the connection ended is acknowledged nowhere") {
  Script script;
  script.connect();
  script.listens.heard.clear();
  REQUIRE(script.receive(script.publish(1, 7, "x")));
  script.session.close();
  REQUIRE(script.session.inbox().size() == 1);
  script.session.acknowledge(PacketType::puback, 7, ticket(0));
  script.session.clear_inbox();
  script.session.release(ticket(99));
  CHECK(script.session.output().empty());
  CHECK(script.listens.heard.empty());
}

TEST_CASE("QoS 2: PUBREC, then PUBCOMP for the PUBREL, each after its ticket") {
  Script script(k5);
  script.connect();
  REQUIRE(script.receive(script.publish(2, 5, "x")));
  script.session.acknowledge(PacketType::pubrec, 5, ticket(1));
  script.session.clear_inbox();
  script.session.release(ticket(1));
  CHECK(script.output() == "50020005");
  REQUIRE(script.receive(script.pubrel(5)));
  REQUIRE(script.session.inbox().size() == 1);
  CHECK(script.session.inbox()[0].kind == Session::Inbound::Kind::release);
  CHECK(script.session.inbox()[0].packet_id == 5);
  script.session.acknowledge(PacketType::pubcomp, 5, ticket(2));
  script.session.clear_inbox();
  script.session.release(ticket(1));
  CHECK(script.output().empty());
  script.session.release(ticket(2));
  CHECK(script.output() == "70020005");
}

TEST_CASE("PUBRECs and PUBCOMPs leave in the order of what they answer") {
  for (const Version version : {k3, k5}) {
    Script script(version);
    script.connect();
    REQUIRE(script.receive(script.publish(2, 9, "x") + script.publish(2, 3, "y") + script.publish(2, 5, "z")));
    for (const std::uint16_t id : std::array<std::uint16_t, 3>{9, 3, 5})
      script.session.acknowledge(PacketType::pubrec, id, ticket(id));
    script.session.clear_inbox();
    script.session.release(ticket(8));  // what is durable already waits for what came before it
    CHECK(script.output().empty());
    script.session.release(ticket(9));
    CHECK(script.output() == "500200095002000350020005");
    REQUIRE(script.receive(script.pubrel(3) + script.pubrel(9)));
    for (const std::uint16_t id : std::array<std::uint16_t, 2>{3, 9})
      script.session.acknowledge(PacketType::pubcomp, id, ticket(10));
    script.session.clear_inbox();
    script.session.release(ticket(10));
    CHECK(script.output() == "7002000370020009");
  }
}

TEST_CASE("a QoS 2 identifier comes once in a batch, so that what follows sees what became of it") {
  Script script;
  script.connect();
  const std::string first = script.publish(2, 5, "x") + script.pubrel(6);
  const std::string again = script.publish(2, 5, "x");
  const Result<std::size_t> taken = script.receive(first + again);
  REQUIRE(taken);
  CHECK(*taken == first.size());
  CHECK(script.session.inbox().size() == 2);
  script.session.clear_inbox();
  const std::string other = script.publish(2, 6, "y");
  REQUIRE(script.receive(again + other));
  CHECK(script.session.inbox().size() == 2);
}

TEST_CASE("packets cut anywhere are taken whole") {
  Script whole;
  whole.connect();
  const std::string stream =
      whole.publish(1, 1, "one") + whole.publish(0, 0, "two") + whole.pubrel(9) + whole.publish(2, 3, "four");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Script script;
    script.connect();
    std::string buffer = stream.substr(0, cut);
    std::size_t items = 0;
    for (int part = 0; part < 2; ++part) {
      const Result<std::size_t> taken = script.session.receive(buffer, script.now);
      REQUIRE(taken);
      items += script.session.inbox().size();
      script.session.clear_inbox();
      buffer.erase(0, *taken);
      if (part == 0) buffer += stream.substr(cut);
    }
    CHECK(items == 4);
    CHECK(buffer.empty());
  }
}

TEST_CASE("a PUBLISH above the limit is delivered by its beginning, the rest is thrown away") {
  Session::Options options = Script::with_topics({});
  options.packet_bytes_max = 100;
  Script script(k3, options);
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  const std::string large = script.publish(1, 4, std::string(1000, 'x'));
  const std::string next = script.publish(1, 5, "y");
  std::string buffer = large.substr(0, 500);
  Result<std::size_t> taken = script.session.receive(buffer, script.now);
  REQUIRE(taken);
  CHECK(*taken == 500);
  REQUIRE(script.session.inbox().size() == 1);
  CHECK(script.session.inbox()[0].kind == Session::Inbound::Kind::oversized);
  CHECK(script.session.inbox()[0].publish.packet_id == 4);
  CHECK(script.session.inbox()[0].publish.topic == "a/b");
  CHECK(script.session.inbox()[0].publish.payload.size() == 100 - 7);
  script.session.clear_inbox();
  buffer = large.substr(500) + next;
  taken = script.session.receive(buffer, script.now);
  REQUIRE(taken);
  CHECK(*taken == buffer.size());
  REQUIRE(script.session.inbox().size() == 1);
  CHECK(script.session.inbox()[0].publish.payload == "y");
}

TEST_CASE("a PUBLISH whose topic or properties are beyond what is kept is delivered by topic and payload alone") {
  Session::Options options = Script::with_topics({});
  options.packet_bytes_max = 100;
  const auto made = [](const Script& script, std::string_view topic, std::size_t user_bytes, std::uint32_t alias,
                       std::string_view payload, std::uint16_t id) {
    PropertyWriter properties;
    if (script.version == k5 && user_bytes > 0) {
      properties.user("a", std::string(user_bytes / 2, 'u')).user("b", std::string(user_bytes / 2, 'u'));
    }
    if (alias > 0) properties.number(PropertyId::topic_alias, alias);
    Publish one;
    one.qos = 1;
    one.packet_id = id;
    one.topic = topic;
    one.properties = properties.bytes();
    one.payload = payload;
    return script.packet(one);
  };
  const std::string long_topic(0xffff, 't');
  const std::string payload(1000, 'x');
  struct Row {
    const char* what;
    Version version;
    std::string_view topic;
    std::size_t user_bytes;
    std::uint32_t alias;
    std::string_view payload;
  };
  const Row rows[] = {
      {"properties above the limit", k5, "a/b", 3000, 0, payload},
      {"properties far above what is kept", k5, "a/b", 130'000, 0, payload},
      {"no payload", k5, "a/b", 3000, 0, ""},
      {"a payload that is kept whole", k5, "a/b", 3000, 0, "xyz"},
      {"the longest topic there is", k3, long_topic, 0, 0, payload},
      {"the longest topic there is, and properties", k5, long_topic, 3000, 0, ""},
      {"an alias behind them", k5, "a/b", 3000, 3, payload},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece : {1u, 7u, 4096u, 1'000'000u}) {
      if (piece == 1 && row.topic.size() + row.user_bytes > 10'000) continue;
      CAPTURE(row.what);
      CAPTURE(piece);
      Script script(row.version, options);
      REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
      std::string stream =
          script.publish(1, 1, "before", "a") + made(script, row.topic, row.user_bytes, row.alias, row.payload, 2) +
          made(script, row.topic, row.user_bytes, row.alias, row.payload, 3) + script.publish(1, 4, "behind", "a");
      if (row.alias > 0)
        stream += made(script, "", 3000, row.alias, row.payload, 5) + made(script, "", 0, row.alias, "y", 6);
      std::vector<std::uint16_t> ids;
      std::string buffer;
      std::size_t fed = 0;
      for (;;) {
        const Result<std::size_t> taken = script.session.receive(buffer, script.now);
        REQUIRE_MESSAGE(taken, taken.error().what);
        for (const Session::Inbound& inbound : script.session.inbox()) {
          ids.push_back(inbound.packet_id);
          const bool large = inbound.packet_id == 2 || inbound.packet_id == 3 || inbound.packet_id == 5;
          CHECK((inbound.kind == Session::Inbound::Kind::oversized) == large);
          if (!large) continue;
          CHECK(inbound.publish.topic == row.topic);
          CHECK(inbound.publish.payload == row.payload.substr(0, 100));
          CHECK(inbound.whole_bytes > 100);
        }
        const bool idle = *taken == 0 && script.session.inbox().empty();
        script.session.clear_inbox();
        buffer.erase(0, *taken);
        CHECK(buffer.size() < 66'000 + piece);
        if (idle) {
          if (fed == stream.size()) break;
          buffer += stream.substr(fed, piece);
          fed = std::min(stream.size(), fed + piece);
        }
      }
      CHECK(buffer.empty());
      CHECK(ids ==
            (row.alias > 0 ? std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6} : std::vector<std::uint16_t>{1, 2, 3, 4}));
    }
  }
}

TEST_CASE("a PUBLISH above the limit that is malformed ends the connection as any other") {
  struct Row {
    const char* what;
    const char* hex;
  };
  const Row rows[] = {
      {"properties longer than the packet", "32 90 01 0001 61 0001 ff ff 03"},
      {"a property that is none", "32 90 01 0001 61 0001 80 01 04 00"},
      {"identifier 0", "32 90 01 0001 61 0000 80 01 26 0001"},
      {"a wildcard", "32 90 01 0001 23 0001 80 01 26 0001"},
      {"no topic and no alias", "32 90 01 0000 0001 80 01 26 0001 61 007a"},
      {"a topic longer than the packet", "32 90 01 0100"},
      {"a length of five bytes", "32 90 01 0001 61 0001 ff ff ff ff 01"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Session::Options options = Script::with_topics({});
    options.packet_bytes_max = 100;
    Script script(k5, options);
    REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
    std::string hex = row.hex;
    std::erase(hex, ' ');
    std::string bytes = *base::from_hex(hex);
    bytes.resize(3 + 144, 'u');
    std::size_t at = 0;
    Result<std::size_t> taken = std::size_t{0};
    do {
      taken = script.receive(bytes.substr(at));
      if (taken) at += *taken;
    } while (taken && *taken > 0);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Errc::protocol);
    CHECK(script.output() == "e00181");
  }
}

TEST_CASE("a topic alias stands for the topic it was told with, until it is told another") {
  Script script(k5);
  script.connect();
  const auto aliased = [&](std::string_view topic, std::uint32_t alias) {
    PropertyWriter properties;
    properties.number(PropertyId::topic_alias, alias);
    Publish one;
    one.topic = topic;
    one.properties = properties.bytes();
    one.payload = "x";
    return script.packet(one);
  };
  const std::string first =
      aliased("a/b", 1) + aliased("", 1) + aliased("a/c", 64) + aliased("", 64) + aliased("a/b", 1);
  const std::string second = aliased("a/d", 1) + aliased("", 1);
  Result<std::size_t> taken = script.receive(first + second);
  REQUIRE(taken);
  // What the inbox looks at stays as it is: the new meaning waits for the next batch.
  CHECK(*taken == first.size());
  REQUIRE(script.session.inbox().size() == 5);
  CHECK(script.session.inbox()[1].publish.topic == "a/b");
  CHECK(script.session.inbox()[3].publish.topic == "a/c");
  script.session.clear_inbox();
  REQUIRE(script.receive(second));
  REQUIRE(script.session.inbox().size() == 2);
  CHECK(script.session.inbox()[1].publish.topic == "a/d");
  script.session.clear_inbox();

  // They end with the connection.
  script.session.close();
  script.session.open(k5, script.now);
  script.output();
  REQUIRE(script.receive(script.packet(Connack{true, 0, {}})));
  taken = script.receive(aliased("", 1));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::protocol);
}

TEST_CASE("subscription identifiers are asked for one filter a packet, and name one or several") {
  Session::Options options = Script::with_topics({"a/#", "a/b"});
  options.subscription_identifiers = true;
  Script script(k5, options);
  REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
  CHECK(script.output() == "820b0001020b010003612f2301820b0002020b020003612f6201");
  Publish one;
  one.topic = "a/b";
  const auto identified = [&](const std::vector<std::uint32_t>& identifiers) {
    PropertyWriter properties;
    for (const std::uint32_t identifier : identifiers) {
      properties.number(PropertyId::subscription_identifier, identifier);
    }
    one.properties = properties.bytes();
    return script.packet(one);
  };
  REQUIRE(script.receive(identified({2}) + identified({2, 1}) + identified({}) + identified({77})));
  REQUIRE(script.session.inbox().size() == 4);
  CHECK(script.session.inbox()[0].subscription == 1);
  CHECK_FALSE(script.session.inbox()[1].subscription);
  CHECK_FALSE(script.session.inbox()[2].subscription);
  CHECK_FALSE(script.session.inbox()[3].subscription);
}

TEST_CASE("MQTT 5: what the broker says it cannot do is not asked for") {
  struct Row {
    const char* what;
    PropertyId property;
    std::uint32_t value;
    std::string sent;
    std::vector<std::string> heard;
  };
  const Row rows[] = {
      {"wildcards",
       PropertyId::wildcard_subscription_available,
       0,
       "8207000100000162"
       "01",
       {"connected: new", "subscribed 0: 162", "subscribed 2: 162"}},
      {"shared",
       PropertyId::shared_subscription_available,
       0,
       "820d0001000003612f2301000162"
       "01",
       {"connected: new", "subscribed 2: 158"}},
      {"large packets",
       PropertyId::maximum_packet_size,
       22,
       "8209000100"
       "0003612f2301"
       "8207000200"
       "00016201",
       {"connected: new", "subscribed 2: 149"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Script script(k5, Script::with_topics({"a/#", "b", "$share/g/c/#"}));
    PropertyWriter properties;
    properties.number(row.property, row.value);
    REQUIRE(script.receive(script.packet(Connack{false, 0, properties.bytes()})));
    CHECK(script.output() == row.sent);
    CHECK(script.listens.heard == row.heard);
  }
  Session::Options options = Script::with_topics({"a/#"});
  options.subscription_identifiers = true;
  Script script(k5, options);
  PropertyWriter properties;
  properties.number(PropertyId::subscription_identifier_available, 0);
  REQUIRE(script.receive(script.packet(Connack{false, 0, properties.bytes()})));
  CHECK(script.output() ==
        "820900010000"
        "03612f2301");
}

TEST_CASE("MQTT 5: where a broker sends us and how long it keeps the session is known") {
  Script script(k5);
  PropertyWriter properties;
  properties.text(PropertyId::server_reference, "other:1884");
  const Result<std::size_t> taken = script.receive(script.packet(Connack{false, 0x9d, properties.bytes()}));
  REQUIRE_FALSE(taken);
  CHECK(script.session.broker_reason() == 0x9d);
  CHECK(script.session.server_reference() == "other:1884");

  Script second(k5);
  PropertyWriter shorter;
  shorter.number(PropertyId::session_expiry, 60);
  REQUIRE(second.receive(second.packet(Connack{false, 0, shorter.bytes()})));
  CHECK(second.session.broker_session_expiry() == 60u);
}

// Error paths

TEST_CASE("enhanced authentication that nobody asked for is refused") {
  Script script(k5);
  CHECK_FALSE(script.receive(*base::from_hex("f0 00")));
  Script second(k5);
  PropertyWriter properties;
  properties.text(PropertyId::authentication_method, "SCRAM");
  const Result<std::size_t> taken = second.receive(second.packet(Connack{false, 0, properties.bytes()}));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::protocol);
  Script third(k5);
  const Result<std::size_t> wanted = third.receive(third.packet(Connack{false, 0x8c, {}}));
  REQUIRE_FALSE(wanted);
  CHECK(wanted.error().code == Errc::denied);
  CHECK(wanted.error().what.find("enhanced authentication") != std::string::npos);
}

TEST_CASE("what an earlier configuration subscribed is unsubscribed behind the SUBSCRIBE, if the session is present") {
  for (const Version version : {k3, k5}) {
    CAPTURE(int(version));
    Script script(version);
    const auto reconnect = [&](bool present) {
      script.session.close();
      script.session.set_unwanted({"b/+", "c"});
      script.session.open(version, script.now);
      script.output();
      REQUIRE(script.receive(script.packet(Connack{present, 0, {}})));
      return script.output();
    };
    const auto hex = [&](const auto& packet) { return base::to_hex(script.packet(packet)); };
    const std::string subscribe = reconnect(false);  // a new session has nothing
    CHECK(subscribe == hex(Subscribe{1, {}, {{"a/#", 1}}}));
    const std::string both = reconnect(true);
    CHECK(both.substr(4) == hex(Subscribe{2, {}, {{"a/#", 1, false, false, std::uint8_t{1}}}}).substr(4) +
                                hex(Unsubscribe{3, {}, {"b/+"}}) + hex(Unsubscribe{4, {}, {"c"}}));
    REQUIRE(script.receive(script.packet(Suback{2, {}, std::string_view("\x01", 1)})));
    REQUIRE(script.receive(script.packet(Unsuback{4, {}, version == k5 ? std::string_view("\x80", 1) : ""})));
    CHECK(script.listens.all_answered == 0);
    REQUIRE(script.receive(script.packet(Unsuback{3, {}, version == k5 ? std::string_view("\x11", 1) : ""})));
    CHECK(script.listens.all_answered == 1);
    CHECK(script.listens.kept == (version == k5 ? std::vector<std::string>{"c"} : std::vector<std::string>{}));
    // Nobody answers.
    reconnect(true);
    CHECK(script.session.next_due(true) <= script.now + 20s);
    const Result<void> late = script.session.tick(script.now + 20s, true);
    REQUIRE_FALSE(late);
    CHECK(late.error().what.find("UNSUBACK") != std::string::npos);
  }
}

TEST_CASE("what a broker may not do ends the connection with a reason") {
  struct Row {
    const char* what;
    const char* hex;
    Errc code;
    const char* sent;
  };
  const Row rows[] = {
      {"malformed", "30 02 0005", Errc::protocol, "e00181"},
      {"a packet for brokers", "c0 00", Errc::protocol, "e00182"},
      {"a second CONNACK", "20 03 00 00 00", Errc::protocol, "e00182"},
      {"AUTH unasked", "f0 00", Errc::protocol, "e00182"},
      {"SUBACK unasked", "90 04 0063 00 01", Errc::protocol, "e00182"},
      {"UNSUBACK unasked", "b0 04 0063 00 00", Errc::protocol, "e00182"},
      {"a topic alias above the maximum", "30 08 0001 61 03 23 0041 68", Errc::protocol, "e00194"},
      {"a topic alias never told", "30 07 0000 03 23 0001 68", Errc::protocol, "e00182"},
      {"DISCONNECT: taken over", "e0 01 8e", Errc::unavailable, ""},
      {"DISCONNECT with flags", "e1 00", Errc::protocol, "e00181"},
      {"AUTH with flags", "f1 00", Errc::protocol, "e00181"},
      {"DISCONNECT: a session expiry", "e0 07 8e 05 11 0000 0000", Errc::unavailable, ""},
      {"a PINGRESP that is too large", "d0 ff ff ff 7f", Errc::protocol, "e00195"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Script script(k5);
    script.connect();
    const Result<std::size_t> taken = script.receive(*base::from_hex(row.hex));
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == row.code);
    CHECK(script.output() == row.sent);
  }
}

TEST_CASE("a SUBACK or UNSUBACK that does not answer each filter ends the connection") {
  const auto answered_by = [](Version version, const auto& answer) {
    CAPTURE(int(version));
    Script script(version, Script::with_topics({"a", "b"}));
    script.session.close();
    script.session.set_unwanted({"c"});
    script.session.open(version, script.now);
    script.output();
    REQUIRE(script.receive(script.packet(Connack{true, 0, {}})));
    script.output();
    const Result<std::size_t> taken = script.receive(script.packet(answer));
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Errc::protocol);
    CHECK(script.output() == (version == k5 ? "e00182" : ""));
  };
  for (const Version version : {k3, k5}) {
    answered_by(version, Suback{1, {}, std::string_view("\x01", 1)});
    answered_by(version, Suback{1, {}, std::string_view("\x01\x01\x01", 3)});
    answered_by(version, Suback{2, {}, std::string_view("\x01\x01", 2)});  // that was an UNSUBSCRIBE
  }
  answered_by(k5, Unsuback{2, {}, std::string_view("\x00\x00", 2)});
}

TEST_CASE("a session that is there, though a new one was asked for, is not used") {
  for (const Version version : {k3, k5}) {
    Session::Options options = Script::with_topics({"a/#"});
    options.clean_start = true;
    Script script(version, options);
    const Result<std::size_t> taken = script.receive(script.packet(Connack{true, 0, {}}));
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Errc::protocol);
    CHECK(script.listens.heard.empty());
    CHECK(script.output().empty());
    script.session.close();
    script.session.open(version, script.now);
    script.output();
    REQUIRE(script.receive(script.packet(Connack{false, 0, {}})));
    CHECK(script.listens.heard == std::vector<std::string>{"connected: new"});
  }
}

TEST_CASE("nothing may come before CONNACK") {
  Script script;
  const Result<std::size_t> taken = script.receive(script.publish(1, 1, "x"));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::protocol);
  CHECK(script.output().empty());
}

TEST_CASE("a refusal says why") {
  struct Row {
    Version version;
    std::uint8_t reason;
    Errc code;
  };
  for (const Row& row : {Row{k3, 1, Errc::unsupported}, Row{k3, 2, Errc::denied}, Row{k3, 4, Errc::denied},
                         Row{k3, 5, Errc::denied}, Row{k3, 3, Errc::unavailable}, Row{k5, 0x84, Errc::unsupported},
                         Row{k5, 0x86, Errc::denied}, Row{k5, 0x87, Errc::denied}, Row{k5, 0x89, Errc::unavailable}}) {
    CAPTURE(int(row.reason));
    Script script(row.version);
    const Result<std::size_t> taken = script.receive(script.packet(Connack{false, row.reason, {}}));
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == row.code);
    CHECK(script.session.broker_reason() == row.reason);
  }
}

TEST_CASE("MQTT 5: more than the receive maximum is told once, and taken") {
  Session::Options options = Script::with_topics({"a/#"});
  options.receive_maximum = 2;
  Script script(k5, options);
  script.connect();
  REQUIRE(script.receive(script.publish(1, 1, "x") + script.publish(1, 2, "x")));
  script.session.acknowledge(PacketType::puback, 1, ticket(1));
  script.session.clear_inbox();
  script.session.release(ticket(1));
  script.output();
  REQUIRE(script.receive(script.publish(2, 3, "x")));
  script.session.clear_inbox();
  CHECK(script.listens.quota_exceeded == 0);
  REQUIRE(script.receive(script.publish(1, 4, "x") + script.publish(1, 5, "x")));
  CHECK(script.session.inbox().size() == 2);
  CHECK(script.listens.quota_exceeded == 1);
  CHECK(script.output().empty());
}

// Time

TEST_CASE("keep-alive: a ping after half of it, the end after the whole of it in silence") {
  Script script;  // 60 s
  script.connect();
  CHECK(script.session.next_due(true) == script.now + 30s);
  script.now += 29s;
  REQUIRE(script.session.tick(script.now, true));
  CHECK(script.output().empty());
  script.now += 1s;
  REQUIRE(script.session.tick(script.now, true));
  CHECK(script.output() == "c000");
  SUBCASE("answered") {
    REQUIRE(script.receive(*base::from_hex("d000")));
    CHECK(script.session.next_due(true) == script.now + 30s);
  }
  SUBCASE("not answered") {
    CHECK(script.session.next_due(true) == script.now + 30s);
    script.now += 30s;
    const Result<void> alive = script.session.tick(script.now, true);
    REQUIRE_FALSE(alive);
    CHECK(alive.error().code == Errc::timeout);
  }
  SUBCASE("while nothing is read, silence proves nothing and pings go on") {
    script.now += 300s;
    REQUIRE(script.session.tick(script.now, false));
    CHECK(script.output() == "c000");
    script.session.resumed(script.now);
    REQUIRE(script.session.tick(script.now, true));
  }
}

TEST_CASE("MQTT 5: the server's keep-alive counts") {
  Script script(k5);
  PropertyWriter properties;
  properties.number(PropertyId::server_keep_alive, 10);
  REQUIRE(script.receive(script.packet(Connack{false, 0, properties.bytes()})));
  script.output();
  REQUIRE(script.receive(script.packet(Suback{1, {}, std::string_view("\x01", 1)})));
  CHECK(script.session.next_due(true) == script.now + 5s);
}

TEST_CASE("MQTT 5: a broker that wants no keep-alive is pinged all the same, and left when it falls silent") {
  Script script(k5);
  PropertyWriter properties;
  properties.number(PropertyId::server_keep_alive, 0);
  REQUIRE(script.receive(script.packet(Connack{false, 0, properties.bytes()})));
  script.output();
  REQUIRE(script.receive(script.packet(Suback{1, {}, std::string_view("\x01", 1)})));
  CHECK(script.session.next_due(true) == script.now + 30s);
  script.now += 30s;
  REQUIRE(script.session.tick(script.now, true));
  CHECK(script.output() == "c000");
  script.now += 30s;
  CHECK_FALSE(script.session.tick(script.now, true));
}

TEST_CASE("CONNACK and SUBACK are waited for within a bound") {
  Script script;
  script.now += 20s;
  CHECK_FALSE(script.session.tick(script.now, true));

  Script second;
  REQUIRE(second.receive(second.packet(Connack{false, 0, {}})));
  second.output();
  second.now += 20s;
  CHECK_FALSE(second.session.tick(second.now, true));
}

}  // namespace
}  // namespace railhead::mqtt
