#include "adapters/panel/control_socket.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <sstream>

#include "adapters/panel/control_client.h"
#include "gateway/message/json.h"
#include "gateway/system/descriptor.h"
#include "tests/support/process.h"

namespace railhead::panel {
namespace {

using std::chrono::seconds;
using system::Descriptor;

status::Snapshot snapshot_of(std::uint64_t in) {
  status::Snapshot snapshot;
  snapshot.gateway = "plant-7";
  snapshot.version = "1.2.3";
  snapshot.uptime = seconds{5};
  snapshot.readings = {.in = in, .routed = in};
  return snapshot;
}

struct Gateway {
  test::TemporaryDirectory folder;
  system::SystemClock clock;
  std::string path = folder.path() + "/control.sock";
  std::atomic<std::uint64_t> readings{10};
  std::atomic<bool> failing{false};
  std::unique_ptr<ControlSocket> socket;

  Gateway() {
    Result<std::unique_ptr<ControlSocket>> opened = open();
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error().what));
    socket = std::move(*opened);
  }
  Result<std::unique_ptr<ControlSocket>> open() {
    return ControlSocket::open(
        path,
        [this](std::string_view command, std::string_view line) -> Result<std::string> {
          status::Snapshot snapshot = snapshot_of(readings);
          if (failing) snapshot.spools.push_back({.name = "telemetry", .failing = true});
          if (auto answer = answer_from(snapshot, command)) return *answer;
          if (command == "reload") return fail(Errc::invalid, "3 errors:\nrailhead.yaml:4:1");
          if (command == "large") return "\"" + std::string(3'000'000, 'x') + "\"";
          if (command == "echo") return std::to_string(line.size());
          return fail(Errc::invalid, "unknown command '" + std::string(command) + "'");
        },
        clock);
  }
};

// A client that speaks bytes.
struct RawClient {
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

  explicit RawClient(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval bound{20, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  }
  void send(const std::string& text) const {
    REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  // Up to and with the line's end; what came before the connection closed if there is none.
  std::string line() const {
    std::string text;
    char byte = 0;
    while (text.empty() || text.back() != '\n') {
      if (::recv(socket.get(), &byte, 1, 0) != 1) break;
      text += byte;
    }
    return text;
  }
};

TEST_CASE("a question is answered, several on one connection in order") {
  Gateway gateway;
  const RawClient client(gateway.path);
  client.send("{\"command\":\"echo\"}\n{\"command\":\"nonsense\"}\n{\"comm");
  CHECK(client.line() == "{\"ok\":true,\"result\":18}\n");
  CHECK(client.line() == "{\"ok\":false,\"error\":\"unknown command 'nonsense'\"}\n");
  client.send("and\":\"health\"}\n");
  CHECK(client.line() == R"({"ok":true,"result":{"state":"good","line":"good","exit":0}})"
                         "\n");
}

TEST_CASE("only owner and group may ask") {
  Gateway gateway;
  struct stat file {};
  REQUIRE(::stat(gateway.path.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0660);
}

TEST_CASE("an answer larger than the socket's buffer arrives whole") {
  Gateway gateway;
  const Result<std::string> answer = ask(gateway.path, "large");
  REQUIRE(answer);
  CHECK(answer->size() == 3'000'002);
}

TEST_CASE("a client that does not read its answer holds nobody up") {
  Gateway gateway;
  const RawClient lazy(gateway.path);
  lazy.send("{\"command\":\"large\"}\n{\"command\":\"large\"}\n");
  CHECK(ask(gateway.path, "echo"));
  CHECK(lazy.line().size() == 3'000'002 + std::strlen("{\"ok\":true,\"result\":}\n"));
  CHECK(lazy.line().size() > 3'000'000);
}

TEST_CASE("the commands print what the gateway says and give its exit code") {
  Gateway gateway;
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_status(gateway.path, StatusForm::text, out, err) == 0);
  CHECK(out.str().starts_with("plant-7: good, railhead 1.2.3, up 5 s\n"));
  out.str({});
  CHECK(run_status(gateway.path, StatusForm::json, out, err) == 0);
  CHECK(JsonParser().parse(out.str()));
  out.str({});
  CHECK(run_health(gateway.path, out, err) == 0);
  CHECK(out.str() == "good\n");
  gateway.failing = true;
  out.str({});
  CHECK(run_health(gateway.path, out, err) == 2);
  CHECK(out.str().starts_with("failure: spool 'telemetry': the disk does not take writes; "));
  CHECK(err.str().empty());
  CHECK(run_reload(gateway.path, out, err) == 1);
  CHECK(err.str() == "railhead: 3 errors:\nrailhead.yaml:4:1\n");
}

TEST_CASE("top draws again with rates until it is told to stop") {
  Gateway gateway;
  std::ostringstream out;
  std::ostringstream err;
  int rounds = 0;
  CHECK(run_top(
            gateway.path,
            [&] {
              gateway.readings += 1000;
              return ++rounds < 2;
            },
            out, err) == 0);
  CHECK(out.str().find("rates follow") != std::string::npos);
  CHECK(out.str().find("readings in 1010 = routed 1010") != std::string::npos);
}

TEST_CASE("rates come from two documents") {
  JsonParser parser;
  const auto before = parser.parse(
      R"({"readings":{"in":100},"lanes":[{"sink":"a","records":{"delivered":10}},{"sink":"b","records":{"delivered":0}}]})");
  const auto now = parser.parse(
      R"({"readings":{"in":1100},"lanes":[{"sink":"a","records":{"delivered":34}},{"sink":"a","records":{"delivered":1}},{"sink":"b","records":{"delivered":0}}]})");
  REQUIRE(before);
  REQUIRE(now);
  CHECK(rates_line(*before, *now, seconds{2}) == "readings 500/s  a 12.5/s  b 0/s");
  CHECK(rates_line(*now, *before, seconds{2}) == "readings 0/s  a 0/s  b 0/s");  // restarted in between
}

TEST_CASE("a stale socket is replaced") {
  Gateway gateway;
  // Left behind by a process that was killed: bound once, nobody listens.
  gateway.socket.reset();
  {
    const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, gateway.path.data(), gateway.path.size());
    REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  const auto opened = gateway.open();
  REQUIRE(opened);
  CHECK(ask(gateway.path, "echo"));
}

TEST_CASE("the socket goes with the gateway") {
  Gateway gateway;
  const RawClient client(gateway.path);
  gateway.socket.reset();
  CHECK(client.line().empty());
  CHECK(::access(gateway.path.c_str(), F_OK) != 0);
}

// Error paths

TEST_CASE("no gateway: the commands say so and give 2") {
  std::ostringstream out;
  std::ostringstream err;
  const test::TemporaryDirectory folder;
  CHECK(run_health(folder.path() + "/none.sock", out, err) == 2);
  CHECK(out.str().starts_with("failure: no gateway runs here ("));
  CHECK(err.str().empty());
  out.str({});
  CHECK(run_status(folder.path() + "/none.sock", StatusForm::json, out, err) == 2);
  CHECK(out.str().empty());
  CHECK(err.str().find("no gateway runs here (" + folder.path() + "/none.sock)") != std::string::npos);
}

TEST_CASE("a running gateway is not pushed aside, nor a file that is no socket") {
  Gateway gateway;
  const auto second = gateway.open();
  REQUIRE_FALSE(second);
  CHECK(second.error().what.find("another gateway serves it") != std::string::npos);
  CHECK(ask(gateway.path, "echo"));

  gateway.path = gateway.folder.write("precious", "text");
  CHECK_FALSE(gateway.open());
  CHECK(test::read_file(gateway.path) == "text");
  gateway.path = gateway.folder.path() + "/" + std::string(200, 'x');
  CHECK_FALSE(gateway.open());
}

TEST_CASE("the directory of the socket is made; where that is not possible, the message says what to do") {
  Gateway gateway;
  gateway.path = gateway.folder.path() + "/run/railhead/control.sock";
  CHECK(gateway.open());
  gateway.path = gateway.folder.write("a-file", "") + "/control.sock";
  const auto refused = gateway.open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("--socket PATH") != std::string::npos);
}

TEST_CASE("nonsense and endless requests are refused, others are served on") {
  Gateway gateway;
  const RawClient client(gateway.path);
  client.send("hello\n[]\n{\"command\":5}\n");
  for (int i = 0; i < 3; ++i) CHECK(client.line().starts_with("{\"ok\":false,\"error\":\"a request is a line like"));
  const RawClient endless(gateway.path);
  // In pieces: the gateway may close before all is sent.
  const std::string piece(1024, 'x');
  for (std::size_t sent = 0; sent < kRequestBytes * 4; sent += piece.size()) {
    if (::send(endless.socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
  }
  CHECK(test::eventually(seconds{10},
                         [&] { return ::send(endless.socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0; }));
  CHECK(ask(gateway.path, "echo"));
}

TEST_CASE("more clients than places wait and are served when one leaves") {
  Gateway gateway;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kControlClients + 1; ++i) clients.push_back(std::make_unique<RawClient>(gateway.path));
  clients.back()->send("{\"command\":\"echo\"}\n");
  clients.front()->send("{\"command\":\"echo\"}\n");
  CHECK(clients.front()->line() == "{\"ok\":true,\"result\":18}\n");
  char byte = 0;
  CHECK(::recv(clients.back()->socket.get(), &byte, 1, MSG_DONTWAIT) < 0);
  clients.erase(clients.begin());
  CHECK(clients.back()->line() == "{\"ok\":true,\"result\":18}\n");
}

}  // namespace
}  // namespace railhead::panel
