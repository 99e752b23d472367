// Modbus/TCP Security against a device that shares no code with us: mutual certificates, and what must be refused.
#include <doctest/doctest.h>

#include "gateway/message/json.h"
#include "tests/brokers/modbus/running_source.h"
#include "tests/support/places.h"

namespace railhead::modbus {
namespace {

// One authority, a certificate for the device (127.0.0.1) and one for the gateway.
struct Certificates {
  Certificates() {
    make("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem");
    directory.write("device.cnf", "subjectAltName=IP:127.0.0.1\n");
    directory.write("other.cnf", "subjectAltName=IP:127.0.0.2\n");
    for (const std::string name : {"device", "other", "gateway"}) {
      make("req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + name + ".key -out " + name + ".csr");
      make("x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -in " + name + ".csr -out " + name + ".pem" +
           (name == "gateway" ? "" : " -extfile " + name + ".cnf"));
    }
  }
  void make(const std::string& arguments) const {
    const test::Ran ran = test::run({"/bin/sh", "-c", "cd " + directory.path() + " && openssl " + arguments});
    REQUIRE_MESSAGE(ran.status == 0, ran.output);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return directory.path() + "/" + name; }
  test::TemporaryDirectory directory;
};

std::string source_text(std::uint16_t port, const std::string& tls) {
  return "sources: { field: { modbus: { url: 'tls://127.0.0.1:" + std::to_string(port) + "', tls: {" + tls +
         "}, devices: { d: { every: 50 ms, points: { p: { holding: 42, type: uint16 }, q: { input: 7, type: uint32 } } "
         "} } } } }";
}

TEST_CASE("values arrive over TLS with certificates on both sides; without ours, or with another's name, none does") {
  const Certificates certificates;
  const std::uint16_t port = test::free_port();
  const std::string script = test::source_directory() + "/tests/brokers/modbus/secure_device.py";
  test::Process device({"/usr/bin/python3", script, std::to_string(port), certificates.file("device.pem"),
                        certificates.file("device.key"), certificates.file("ca.pem")});
  REQUIRE(device.wait_for("ready", std::chrono::seconds{10}));
  const std::string ca = "ca: " + certificates.file("ca.pem");
  const std::string own = ", cert: " + certificates.file("gateway.pem") + ", key: " + certificates.file("gateway.key");
  {
    RunningSource source(source_text(port, ca + own));
    const auto reading = source.first("d");
    REQUIRE(reading);
    CHECK(to_json(reading->value) == R"({"p":42,"q":458760})");
    CHECK(test::eventually(std::chrono::seconds{10}, [&] { return source.intake.size() >= 10; }));
    CHECK(source.reporter.count(status::Event::source_connected) == 1);
  }
  {
    RunningSource source(source_text(port, ca));
    CHECK(test::eventually(std::chrono::seconds{20}, [&] { return source.link.devices_down() == 1; }));
    CHECK_FALSE(source.first("d", test::milliseconds{0}));
  }
  const std::uint16_t other_port = test::free_port();
  test::Process other({"/usr/bin/python3", script, std::to_string(other_port), certificates.file("other.pem"),
                       certificates.file("other.key"), certificates.file("ca.pem")});
  REQUIRE(other.wait_for("ready", std::chrono::seconds{10}));
  RunningSource source(source_text(other_port, ca + own));
  CHECK(test::eventually(std::chrono::seconds{20}, [&] { return source.link.devices_down() == 1; }));
  CHECK_FALSE(source.first("d", test::milliseconds{0}));
}

}  // namespace
}  // namespace railhead::modbus
