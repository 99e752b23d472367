#include "gateway/config/scalars.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/config/fields.h"
#include "tests/support/process.h"

namespace railhead::config {
namespace {

struct Login {
  Secret password;
  std::string user;
  std::uint16_t port = 0;
};

const Fields<Login>& login_fields() {
  static const Fields<Login> fields = Fields<Login>("login", "")
                                          .optional("password", &Login::password)
                                          .optional("user", &Login::user)
                                          .optional("port", &Login::port);
  return fields;
}

// A configuration in a directory of its own.
class Files {
 public:
  void write(const std::string& name, std::string_view text) { std::ofstream(path(name), std::ios::binary) << text; }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const {
    return std::filesystem::path(directory_.path()) / name;
  }
  Login read(std::string_view config) {
    write("config.yaml", config);
    diagnostics = Diagnostics();
    const Document document = Document::load(path("config.yaml"), diagnostics);
    return login_fields().read(document.root(), diagnostics);
  }
  Diagnostics diagnostics;

 private:
  test::TemporaryDirectory directory_;
};

TEST_CASE("decimals are kept exactly") {
  CHECK(parse_decimal("0.1") == Decimal{1, -1});
  CHECK(parse_decimal("-12.50") == Decimal{-125, -1});
  CHECK(parse_decimal("3") == Decimal{3, 0});
  CHECK(parse_decimal("0.001") == Decimal{1, -3});
  CHECK(parse_decimal("0") == Decimal{0, 0});
  CHECK(parse_decimal("100") == Decimal{100, 0});
  CHECK(parse_decimal("999999999999999999") == Decimal{999999999999999999, 0});
  CHECK(parse_decimal("1e3") == Decimal{1, 3});
  CHECK(parse_decimal("1.0e-05") == Decimal{1, -5});
  CHECK(parse_decimal("-2.5E+1") == Decimal{-25, 0});
  CHECK(parse_decimal("0e9") == Decimal{0, 0});
  for (const char* text :
       {"", "-", ".", "e3", "1e", "1e+-3", "1e3.0", "1e99", "1e-99", "1.2.3", "x", "1 ", "1000000000000000000"}) {
    INFO(text);
    CHECK_FALSE(parse_decimal(text));
  }
}

TEST_CASE("a secret in a file is read at each use") {
  Files files;
  files.write("password", "first\n");
  const Login login = files.read("password: { file: password }");
  CHECK_FALSE(files.diagnostics.has_errors());
  CHECK(login.password.read() == "first");
  files.write("password", "second\r\n");
  CHECK(login.password.read() == "second");
  CHECK(login.password.file() == files.path("password"));
  CHECK(login.password.origin().find("second") == std::string::npos);
}

TEST_CASE("a secret that is not there is a warning when read, an error when used") {
  Files files;
  const Login login = files.read("password: { file: password }");
  CHECK_FALSE(files.diagnostics.has_errors());
  CHECK(files.diagnostics.warning_count() == 1);
  const auto secret = login.password.read();
  REQUIRE_FALSE(secret);
  CHECK(secret.error().code == Errc::io);
  CHECK_FALSE(Secret().read());
}

TEST_CASE("a secret in the environment, and a plain one with a warning") {
  Files files;
  setenv("RAILHEAD_TEST_SECRET", "s3cret", 1);
  CHECK(files.read("password: { env: RAILHEAD_TEST_SECRET }").password.read() == "s3cret");
  CHECK(files.diagnostics.warning_count() == 0);
  const Login plain = files.read("password: open");
  CHECK(plain.password.read() == "open");
  CHECK(files.diagnostics.warning_count() == 1);
  CHECK(plain.password.origin() == "in the configuration");
}

TEST_CASE("any scalar may come from the environment or a file") {
  Files files;
  setenv("RAILHEAD_TEST_PORT", "5020", 1);
  files.write("user", "plant\n");
  const Login login = files.read("{ user: { file: user }, port: { env: RAILHEAD_TEST_PORT } }");
  CHECK(files.diagnostics.render() == "");
  CHECK(login.user == "plant");
  CHECK(login.port == 5020);
  setenv("RAILHEAD_TEST_PORT", "many", 1);
  CHECK(files.read("port: { env: RAILHEAD_TEST_PORT }").port == 0);
  CHECK(files.diagnostics.error_count() == 1);
  CHECK(files.read("port: { env: RAILHEAD_TEST_UNSET }").port == 0);
  CHECK(files.diagnostics.error_count() == 1);
  CHECK(files.read("user: { file: nobody }").user == "");
  CHECK(files.diagnostics.error_count() == 1);
}

TEST_CASE("names") {
  CHECK(name_fault("plant-7_a.B") == "");
  CHECK(name_fault(std::string(64, 'a')) == "");
  CHECK(name_fault(std::string(65, 'a')) != "");
  for (const char* name : {"", "a b", "a/b", "é", "a:b"}) {
    INFO(name);
    CHECK(name_fault(name) != "");
  }
}

}  // namespace
}  // namespace railhead::config
