#include "gateway/config/reference.h"

#include <doctest/doctest.h>

#include "gateway/config/fields.h"
#include "gateway/config/gateway_options.h"

namespace railhead::config {
namespace {

enum class Ack : std::uint8_t { durable, received };
struct Topic {
  std::string topic;
};
struct Link {
  std::string url;
  Duration timeout = std::chrono::milliseconds{500};
  std::uint16_t count = 5;
  Ack ack = Ack::durable;
  std::vector<Topic> subscribe;
};

const Fields<Link>& link_fields() {
  static const Fields<Topic> topic =
      Fields<Topic>("subscription", "").required("topic", &Topic::topic, {.sentence = "A pattern."});
  static const Fields<Link> fields =
      Fields<Link>("test source", "Reads a test.")
          .required("url", &Link::url, {.sentence = "Where it is.", .example = "tcp://host:502"})
          .optional("timeout", &Link::timeout, {.sentence = "How long it may take.", .min = "10 ms", .max = "1 min"})
          .optional("count", &Link::count, {.sentence = "How many.", .max = 125, .unit = "registers"})
          .choice("ack", &Link::ack, {{"durable", Ack::durable}, {"received", Ack::received}}, {.sentence = "When."})
          .table("subscribe", &Link::subscribe, topic, {.sentence = "What."});
  return fields;
}

std::string markdown() {
  Reference reference;
  describe_gateway(reference);
  reference.place("sources.<name>.test");
  link_fields().describe(reference);
  return reference.markdown();
}

TEST_CASE("the page has each field with unit, bounds, default, sentence and example") {
  const std::string page = markdown();
  for (const char* line : {
           "## `sources.<name>.test`: test source\n\nReads a test.\n",
           "| `url` | a text | **required** | Where it is. Example: `tcp://host:502`. |\n",
           "| `timeout` | a duration, 10 ms to 1 min | `500 ms` | How long it may take. |\n",
           "| `count` | a whole number, in registers, at most 125 | `5` | How many. |\n",
           "| `ack` | one of durable, received | `durable` | When. |\n",
           "| `subscribe` | a list of maps of fields |  | What. |\n",
           "## `sources.<name>.test.subscribe[]`: subscription\n",
           "| `topic` | a text | **required** | A pattern. |\n",
           "## Top level: the configuration\n",
           "| `gateway` | a text | **required** | Identity of this gateway, in every record. Example: `plant-7`. A "
           "change needs "
           "a restart. |\n",
           "## `panel.led`: led\n",
       }) {
    INFO(line);
    CHECK(page.find(line) != std::string::npos);
  }
}

TEST_CASE("the schema puts each table at its place") {
  Reference reference;
  // The order does not matter.
  reference.place("sources.<name>.test");
  link_fields().describe(reference);
  describe_gateway(reference);
  Diagnostics diagnostics;
  // JSON is YAML: our own reader takes it apart.
  const Document document = Document::parse(reference.schema(), "schema.json", diagnostics);
  REQUIRE(diagnostics.render() == "");
  const Node root = document.root();
  CHECK(root.find("$schema").text() == "https://json-schema.org/draft/2020-12/schema");
  CHECK(root.find("required").items().size() == 2);
  CHECK(root.find("additionalProperties").text() == "false");
  const Node link =
      root.find("properties").find("sources").find("additionalProperties").find("properties").find("test");
  CHECK(link.find("required").items()[0].text() == "url");
  const Node count = link.find("properties").find("count").find("anyOf").items()[0];
  CHECK(count.find("type").text() == "integer");
  CHECK(count.find("maximum").text() == "125");
  const Node topic = link.find("properties").find("subscribe").find("items").find("properties").find("topic");
  CHECK(topic.present());
  CHECK(root.find("$defs").find("indirect").present());
}

TEST_CASE("what may stand alone or in a list") {
  Reference reference;
  reference.place("rules[].send[?]");
  link_fields().describe(reference);
  Diagnostics diagnostics;
  const Document document = Document::parse(reference.schema(), "schema.json", diagnostics);
  REQUIRE(diagnostics.render() == "");
  const Node send = document.root().find("properties").find("rules").find("items").find("properties").find("send");
  REQUIRE(send.find("anyOf").items().size() == 2);
  CHECK(send.find("anyOf").items()[0].find("$ref").text() == "#/$defs/rules-send");
  CHECK(send.find("anyOf").items()[1].find("items").find("$ref").text() == "#/$defs/rules-send");
  CHECK(document.root().find("$defs").find("rules-send").find("properties").find("url").present());
  CHECK(reference.markdown().find("## `rules[].send[]`: test source\n\nReads a test.\n\nOne, or a list of them.\n") !=
        std::string::npos);
}

}  // namespace
}  // namespace railhead::config
