// The page of panel.http, asked over TCP.
#include "adapters/panel/http_page.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "gateway/system/descriptor.h"
#include "tests/support/process.h"

namespace railhead::panel {
namespace {

using std::chrono::seconds;
using system::Descriptor;

struct Page {
  Page() {
    Result<std::unique_ptr<HttpPage>> opened = HttpPage::open(":0", [this] {
      status::Snapshot snapshot;
      snapshot.gateway = "plant <7>";
      snapshot.uptime = seconds{5};
      snapshot.readings = {.in = 10, .routed = 10};
      snapshot.spools.push_back({.name = "telemetry", .limit_bytes = 1000, .failing = failing});
      snapshot.parts.push_back({.name = "up", .since = hung ? Duration(seconds{600}) : Duration(seconds{1})});
      return snapshot;
    });
    REQUIRE(opened);
    http = std::move(*opened);
  }
  [[nodiscard]] Descriptor connect() const {
    Descriptor link(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval bound{5, 0};
    ::setsockopt(link.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(http->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(link.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return link;
  }
  [[nodiscard]] std::string ask(const std::string& request) const {
    const Descriptor link = connect();
    static_cast<void>(::send(link.get(), request.data(), request.size(), MSG_NOSIGNAL));
    std::string answer;
    char bytes[4096];
    for (ssize_t count = ::recv(link.get(), bytes, sizeof bytes, 0); count > 0;
         count = ::recv(link.get(), bytes, sizeof bytes, 0)) {
      answer.append(bytes, static_cast<std::size_t>(count));
    }
    return answer;
  }
  [[nodiscard]] std::string get(const std::string& path) const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::atomic<bool> failing{false};
  std::atomic<bool> hung{false};
  std::unique_ptr<HttpPage> http;
};

bool says(const std::string& answer, const std::string& text) { return answer.find(text) != std::string::npos; }

TEST_CASE("the page, the metrics, the document") {
  const Page page;
  const std::string html = page.get("/");
  CHECK(html.starts_with("HTTP/1.1 200"));
  CHECK(says(html, "plant &lt;7&gt;"));
  CHECK_FALSE(says(html, "<7>"));
  const std::string metrics = page.get("/metrics");
  CHECK(says(metrics, "text/plain; version=0.0.4"));
  CHECK(says(metrics, "\nrailhead_readings_in_total 10\n"));
  CHECK(says(page.get("/status"), "\"gateway\":\"plant <7>\""));
  CHECK(page.get("/secret").starts_with("HTTP/1.1 404"));
  CHECK(page.get("/metrics?x=1").starts_with("HTTP/1.1 200"));
}

TEST_CASE("readyz follows health, healthz only what a restart mends") {
  Page page;
  CHECK(page.get("/readyz").starts_with("HTTP/1.1 200"));
  CHECK(page.get("/healthz").starts_with("HTTP/1.1 200"));
  page.failing = true;
  CHECK(page.get("/readyz").starts_with("HTTP/1.1 503"));
  CHECK(says(page.get("/readyz"), "does not take writes"));
  CHECK(page.get("/healthz").starts_with("HTTP/1.1 200"));
  page.hung = true;
  CHECK(page.get("/healthz").starts_with("HTTP/1.1 503"));
}

TEST_CASE("nothing can be written: only GET and HEAD are answered") {
  const Page page;
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    CAPTURE(method);
    const std::string answer =
        page.ask(method + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 405"));
    CHECK(says(answer, "GET, HEAD"));
  }
  const std::string head = page.ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200"));
  CHECK_FALSE(says(head, "railhead_readings"));
}

TEST_CASE("connections are bounded, rubbish and giants are refused, and it answers on") {
  const Page page;
  {
    std::vector<Descriptor> idle;
    for (unsigned i = 0; i < 2 * kHttpConnections; ++i) idle.push_back(page.connect());
    static_cast<void>(page.ask("GET / HTTP/1.1\r\n\r\n"));  // may be turned away; must not hang
  }
  static_cast<void>(page.ask(std::string(100, '\0') + "\r\n\r\n"));
  const std::string giant = page.ask("GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_FALSE(giant.starts_with("HTTP/1.1 200"));
  CHECK(test::eventually(seconds{5}, [&] { return page.get("/healthz").starts_with("HTTP/1.1 200"); }));
}

TEST_CASE("a port that is taken is an error that names it") {
  const Page page;
  const std::string listen = "127.0.0.1:" + std::to_string(page.http->port());
  const auto again = HttpPage::open(listen, [] { return status::Snapshot{}; });
  REQUIRE_FALSE(again);
  CHECK(says(again.error().what, listen));
}

}  // namespace
}  // namespace railhead::panel
