// TLS against the openssl program's own server.
#include "adapters/tls/context.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <cstring>

#include "gateway/config/document.h"
#include "gateway/system/clock.h"
#include "gateway/system/event_loop.h"
#include "tests/support/process.h"
#include "tests/support/soft_token.h"

namespace railhead::tls {
namespace {

using namespace std::chrono_literals;
using test::Process;

struct Server {
  explicit Server(std::vector<std::string> more = {}) : port(test::free_port()) {
    Process::Options at;
    at.directory = directory.path();
    REQUIRE(test::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                       "-keyout", "key.pem", "-out", "cert.pem", "-days", "30", "-subj", "/CN=test", "-addext",
                       "subjectAltName=DNS:localhost,DNS:broker.test,IP:127.0.0.1"},
                      30s, at)
                .status == 0);
    std::vector<std::string> argv{"openssl", "s_server", "-accept", "127.0.0.1:" + std::to_string(port),
                                  "-cert",   "cert.pem", "-key",    "key.pem",
                                  "-rev"};
    argv.insert(argv.end(), more.begin(), more.end());
    process = std::make_unique<Process>(argv, at);
    REQUIRE(process->wait_for("ACCEPT", 10s));
  }
  [[nodiscard]] Options trusting() const {
    Options options;
    options.ca = directory.path() + "/cert.pem";
    return options;
  }

  test::TemporaryDirectory directory;
  std::uint16_t port;
  std::unique_ptr<Process> process;
};

// Handshake, a line there and its reverse back.
Result<std::string> talk(const Server& server, const Options& options, const std::string& host,
                         const std::string& line) {
  Result<std::shared_ptr<const Context>> context = Context::make(options);
  if (!context) return fail(context.error());
  system::Address address;
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  in.sin_family = AF_INET;
  in.sin_port = htons(server.port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.length = sizeof in;
  Result<std::unique_ptr<system::Stream>> tcp = system::connect_tcp(address);
  REQUIRE(tcp);
  Result<std::unique_ptr<system::Stream>> made = (*context)->secure(std::move(*tcp), host);
  if (!made) return fail(made.error());
  system::Stream& stream = **made;

  const system::SystemClock clock;
  system::EventLoop loop(clock);
  std::optional<Error> failed;
  bool up = false;
  std::size_t sent = 0;
  std::string answer;
  loop.watch(stream.fd(), stream.wanted(), [&](std::uint32_t) {
    if (!up) {
      const Result<system::Stream::Progress> progress = stream.handshake();
      if (!progress) {
        failed = progress.error();
        return;
      }
      up = *progress == system::Stream::Progress::done;
    }
    while (up && sent < line.size()) {
      const Result<std::size_t> moved = stream.write(std::string_view(line).substr(sent));
      if (!moved) failed = moved.error();
      if (!moved || *moved == 0) break;
      sent += *moved;
    }
    char bytes[4096];
    while (up && !failed) {
      const Result<std::size_t> moved = stream.read(bytes);
      if (!moved) failed = moved.error();
      if (!moved || *moved == 0) break;
      answer.append(bytes, *moved);
    }
    if (!failed) loop.change(stream.fd(), stream.wanted());
  });
  const BootTime until = clock.boot_now() + 10s;
  while (!failed && answer.size() < line.size() && clock.boot_now() < until) loop.run_once(100ms);
  loop.unwatch(stream.fd());
  if (failed) return fail(*failed);
  return answer;
}

TEST_CASE("by address and by name, small and of many records") {
  const Server server;
  CHECK(talk(server, server.trusting(), "127.0.0.1", "hello\n").value_or("failed") == "olleh\n");
  const std::string large(10'000, 'x');
  CHECK(talk(server, server.trusting(), "localhost", large + "y\n").value_or("failed") == "y" + large + "\n");
  Options named = server.trusting();
  named.server_name = "broker.test";
  CHECK(talk(server, named, "127.0.0.1", "abc\n").value_or("failed") == "cba\n");
}

TEST_CASE("a wrong name, an unknown authority and an old protocol are refused") {
  const Server server;
  const auto wrong_name = talk(server, server.trusting(), "elsewhere.test", "x\n");
  REQUIRE_FALSE(wrong_name);
  CHECK(wrong_name.error().code == Errc::denied);
  CHECK(wrong_name.error().what.find("hostname mismatch") != std::string::npos);
  const auto wrong_address = talk(server, server.trusting(), "127.0.0.2", "x\n");
  REQUIRE_FALSE(wrong_address);
  CHECK(wrong_address.error().code == Errc::denied);
  const auto unknown = talk(server, Options{}, "127.0.0.1", "x\n");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::denied);
  Options careless;
  careless.verify = false;
  CHECK(talk(server, careless, "elsewhere.test", "ab\n").value_or("failed") == "ba\n");

  const Server old({"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"});
  CHECK_FALSE(talk(old, old.trusting(), "127.0.0.1", "x\n"));
}

TEST_CASE("ALPN is offered") {
  const Server server({"-alpn", "mqtt"});
  Options options = server.trusting();
  options.alpn = {"other", "mqtt"};
  CHECK(talk(server, options, "127.0.0.1", "ab\n").value_or("failed") == "ba\n");
  // The server ends the handshake when nothing that is offered suits it: so the offer did arrive.
  options.alpn = {"other"};
  CHECK_FALSE(talk(server, options, "127.0.0.1", "ab\n"));
}

TEST_CASE("a key that never leaves its PKCS #11 token signs for our certificate") {
  const Server server({"-Verify", "1", "-verify_return_error", "-CAfile", "cert.pem"});
  const std::string at = server.directory.path();
  const test::SoftToken token(at + "/key.pem");
  Options options = server.trusting();
  CHECK_FALSE(talk(server, options, "127.0.0.1", "ab\n"));  // no certificate
  options.cert = at + "/cert.pem";
  options.pkcs11_module = test::SoftToken::kModule;
  options.key_uri = test::SoftToken::kKeyUri;
  options.pin = config::Secret::plain(test::SoftToken::kPin);
  CHECK(talk(server, options, "127.0.0.1", "ab\n").value_or("failed") == "ba\n");
  options.key_uri = "pkcs11:token=gateway;object=nobody;type=private";
  const auto missing = Context::make(options);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().what.find("nobody") != std::string::npos);
}

TEST_CASE("files that are missing or do not fit are told by name") {
  const Server server;
  Options options;
  options.ca = "/nowhere/ca.pem";
  const auto no_ca = Context::make(options);
  REQUIRE_FALSE(no_ca);
  CHECK(no_ca.error().code == Errc::invalid);
  CHECK(no_ca.error().what.find("/nowhere/ca.pem") != std::string::npos);
  options = server.trusting();
  options.cert = server.directory.path() + "/cert.pem";
  CHECK_FALSE(Context::make(options));
  options.key = server.directory.path() + "/cert.pem";
  const auto no_key = Context::make(options);
  REQUIRE_FALSE(no_key);
  CHECK(no_key.error().what.find("key '") != std::string::npos);
  options.key = server.directory.path() + "/key.pem";
  CHECK(Context::make(options));
}

TEST_CASE("how bad a file is that is missing, garbage or does not fit, and which one it is") {
  const Server server;
  const test::TemporaryDirectory area;
  const std::string good = test::read_file(server.directory.path() + "/cert.pem");
  const std::string key = test::read_file(server.directory.path() + "/key.pem");
  REQUIRE(
      test::run({"openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", area.path() + "/other"}, 30s)
          .status == 0);
  const std::string other = test::read_file(area.path() + "/other");
  enum class Is : std::uint8_t { usable, missing, unfit };
  struct Row {
    std::string ca, cert, key;  // empty: no such file
    Is is;
    std::string says;  // after place and severity
  };
  const Row rows[] = {
      {good, good, key, Is::usable, ""},
      {"", good, key, Is::missing, "1:7: there is no file 'a.pem'"},
      {good, good, "", Is::missing, "1:32: there is no file 'c.key'"},
      {"garbage", good, key, Is::unfit, "1:7: TLS: ca '"},
      {good, "garbage", key, Is::unfit, "1:20: TLS: cert '"},
      {good, good, "garbage", Is::unfit, "1:32: TLS: key '"},
      {good, good, other, Is::unfit, "c.key': key values mismatch"},
  };
  for (const Row& row : rows) {
    for (const auto& [name, text] : {std::pair{"a.pem", &row.ca}, {"b.pem", &row.cert}, {"c.key", &row.key}}) {
      std::filesystem::remove(area.path() + "/" + name);
      if (!text->empty()) area.write(name, *text);
    }
    for (const config::Files files :
         {config::Files::may_be_bad, config::Files::may_be_missing, config::Files::must_fit}) {
      config::Diagnostics diagnostics;
      diagnostics.set_files(files);
      const config::Document document =
          config::Document::parse("{ ca: a.pem, cert: b.pem, key: c.key }\n", area.path() + "/tls.yaml", diagnostics);
      check(option_fields().read(document.root(), diagnostics), document.root(), diagnostics);
      CAPTURE(row.says);
      CAPTURE(static_cast<int>(files));
      CAPTURE(diagnostics.render());
      const bool must_be_error = files == config::Files::must_fit
                                     ? row.is != Is::usable
                                     : files == config::Files::may_be_missing && row.is == Is::unfit;
      CHECK(diagnostics.error_count() == (must_be_error ? 1 : 0));
      CHECK(diagnostics.warning_count() == (row.is != Is::usable && !must_be_error ? 1 : 0));
      std::string said = diagnostics.render();
      for (const std::string severity : {"error: ", "warning: "}) {
        if (const std::size_t at = said.find(severity); at != std::string::npos) said.erase(at, severity.size());
      }
      CHECK(said.find(row.says) != std::string::npos);
    }
  }
}

TEST_CASE("an encrypted key opens with its password, and nobody is asked for one") {
  const Server server;
  const std::string at = server.directory.path();
  REQUIRE(test::run({"openssl", "ec", "-aes256", "-passout", "pass:box 7", "-in", at + "/key.pem", "-out",
                     at + "/locked.pem"},
                    30s)
              .status == 0);
  Options options = server.trusting();
  options.cert = at + "/cert.pem";
  options.key = at + "/locked.pem";
  CHECK_FALSE(Context::make(options));
  options.key_password = config::Secret::plain("box 8");
  CHECK_FALSE(Context::make(options));
  options.key_password = config::Secret::plain("box 7");
  CHECK(Context::make(options));
}

}  // namespace
}  // namespace railhead::tls
