// A PKCS #11 token made of a directory (SoftHSM), with one private key in it. The library finds it by SOFTHSM2_CONF,
// which is set for the whole process. Threads: one test's.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace railhead::test {

class SoftToken {
 public:
  static constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
  static constexpr const char* kKeyUri = "pkcs11:token=gateway;object=client;type=private";
  static constexpr const char* kPin = "87654321";

  // `key`: a PEM file.
  explicit SoftToken(const std::string& key) {
    directory_.write("softhsm2.conf", "directories.tokendir = " + directory_.path() + "/tokens\nlog.level = ERROR\n");
    directory_.write("tokens/.keep", "");
    REQUIRE(::setenv("SOFTHSM2_CONF", (directory_.path() + "/softhsm2.conf").c_str(), 1) == 0);
    const std::string pkcs8 = directory_.path() + "/pkcs8.pem";  // the form that can be imported
    must({"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", pkcs8});
    const char* const util = "softhsm2-util";
    must({util, "--init-token", "--free", "--label", "gateway", "--so-pin", "12345678", "--pin", kPin});
    must({util, "--import", pkcs8, "--token", "gateway", "--label", "client", "--id", "a1", "--pin", kPin});
  }

 private:
  static void must(const std::vector<std::string>& command) {
    const Ran ran = run(command, std::chrono::seconds{30});
    REQUIRE_MESSAGE(ran.status == 0, ran.output);
  }

  TemporaryDirectory directory_;
};

}  // namespace railhead::test
