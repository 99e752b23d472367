#include "adapters/amqp/config.h"

#include <doctest/doctest.h>

#include "adapters/amqp/amqp.h"
#include "gateway/config/document.h"
#include "gateway/ports/adapter.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::test {
namespace {

struct Read {
  std::unique_ptr<ports::SinkPlan> plan;
  std::string said;
};

Read read(const std::string& yaml) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(yaml, "test.yaml", diagnostics);
  Read result;
  result.plan = amqp::sink_kind().read(document.root(), diagnostics);
  result.said = diagnostics.render();
  return result;
}

TEST_CASE("a url names scheme, user, host, port and virtual host") {
  struct Row {
    std::string url;
    bool tls;
    std::string host;
    int port;
    std::string vhost;
    std::string user;
  };
  const std::vector<Row> rows{
      {"amqp://mq", false, "mq", 5672, "/", ""},          {"amqps://mq", true, "mq", 5671, "/", ""},
      {"amqp://mq:1/plant", false, "mq", 1, "plant", ""}, {"amqp://mq/%2f", false, "mq", 5672, "/", ""},
      {"amqp://mq/", false, "mq", 5672, "", ""},          {"amqp://u%40x:p@mq:7/a%20b", false, "mq", 7, "a b", "u@x"},
      {"amqp://[::1]:9/v", false, "::1", 9, "v", ""},     {"amqp://[fe80::2]", false, "fe80::2", 5672, "/", ""}};
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const Result<amqp::Url> url = amqp::parse_url(row.url);
    REQUIRE(url.has_value());
    CHECK(url->tls == row.tls);
    CHECK(url->host == row.host);
    CHECK(url->port == row.port);
    CHECK(url->vhost == row.vhost);
    CHECK(url->user.value_or("") == row.user);
  }
}

TEST_CASE("a wrong url says what is wrong") {
  struct Row {
    std::string url;
    std::string what;
  };
  const std::vector<Row> rows{{"mq:5672", "begins with amqp://"},
                              {"amqp10://mq", "AMQP 1.0 is not in this version"},
                              {"amqp10+tls://mq", "AMQP 1.0 is not in this version"},
                              {"amqp://", "host is missing"},
                              {"amqp://:5672", "host is missing"},
                              {"amqp://mq:", "port is missing"},
                              {"amqp://mq:0", "1 to 65535"},
                              {"amqp://mq:65536", "1 to 65535"},
                              {"amqp://mq:80x", "1 to 65535"},
                              {"amqp://mq/%2", "two hexadecimal digits"},
                              {"amqp://mq/%zz", "two hexadecimal digits"},
                              {"amqp://[::1", "ends with ]"},
                              {"amqp://[::1]x", "after ] comes :port"}};
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const Result<amqp::Url> url = amqp::parse_url(row.url);
    REQUIRE_FALSE(url.has_value());
    CHECK(url.error().what.find(row.what) != std::string::npos);
  }
}

TEST_CASE("the sample is right") {
  config::Diagnostics diagnostics;
  std::string sample = read_file(test::source_directory() + "/adapters/amqp/sample.yaml");
  const config::Document document = config::Document::parse(sample, "sample.yaml", diagnostics);
  const auto plan = amqp::sink_kind().read(document.root().find("alarms").find("amqp"), diagnostics);
  CHECK(diagnostics.render() == "");
  REQUIRE(plan != nullptr);
  CHECK(plan->takes_routing_key());
  CHECK_FALSE(plan->needs_topic());
}

TEST_CASE("mistakes are reported where they stand") {
  struct Row {
    std::string yaml;
    std::string says;
  };
  const std::vector<Row> rows{
      {"exchange: x\n", "url"},
      {"url: http://mq\n", "test.yaml:1:6: error: an AMQP url begins with amqp:// or amqps://"},
      {"url: amqp://mq/\n", "warning: this url names the virtual host \"\""},
      {"url: amqp://u:p@mq\n", "warning: a password in the url"},
      {"url: amqp://u@mq\nuser: v\n", "error: the user is named twice"},
      {"url: amqps://10.0.0.1\n", "warning: a certificate is compared with a host name"},
      {"url: amqp://mq\ntls: { ca: ca.pem }\n", "error: tls: is given, but the url is not amqps://"},
      {"url: amqps://mq\ntls: { cert: c.pem }\n", "error: `cert` without `key`"},
      {"url: amqp://mq\nmandatory: false\nunroutable: hold\n", "error: unroutable: hold needs mandatory"},
      {"url: amqp://mq\nwindow: 0\n", "test.yaml:2:9: error:"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const Read result = read(row.yaml);
    CAPTURE(result.said);
    CHECK(result.said.find(row.says) != std::string::npos);
    CHECK((result.plan == nullptr) == (result.said.find("error:") != std::string::npos));
  }
}

TEST_CASE("user and password come from the url or from their own fields") {
  config::Diagnostics diagnostics;
  const auto target_for = [&](const std::string& yaml) {
    const config::Document document = config::Document::parse(yaml, "t.yaml", diagnostics);
    return amqp::target_of(amqp::amqp_fields().read(document.root(), diagnostics), "gw/alarms").value();
  };
  const amqp::Target from_url = target_for("url: amqp://u:p%2Fw@mq/v\n");
  CHECK(from_url.user == "u");
  CHECK(from_url.password == "p/w");
  CHECK(from_url.vhost == "v");
  CHECK(from_url.connection_name == "gw/alarms");
  const TemporaryDirectory directory;
  const std::string file = directory.write("secret", "s3cret\n");
  const amqp::Target own = target_for("url: amqp://mq\nuser: plant\npassword: { file: " + file + " }\n");
  CHECK(own.user == "plant");
  CHECK(own.password == "s3cret");
  const amqp::Target none = target_for("url: amqp://mq\n");
  CHECK(none.user == "guest");
}

}  // namespace
}  // namespace railhead::test
