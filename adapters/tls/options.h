// The TLS options of the house. Reading them never opens a file; check() does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/config/fields.h"

namespace railhead::tls {

struct Options {
  std::filesystem::path ca;             // PEM, one or more certificates; empty: the system's
  std::filesystem::path cert;           // PEM, our certificate and its chain; empty: none
  std::filesystem::path key;            // PEM
  config::Secret key_password;          // opens an encrypted key
  std::string key_uri;                  // in place of `key`: a key in a token, pkcs11:... (RFC 7512)
  config::Secret pin;                   // of the token
  std::filesystem::path pkcs11_module;  // the token's library; empty: p11-kit finds it
  bool verify = true;                   // the peer's certificate and name
  std::string server_name;              // the name to ask for and to check; empty: the URL's host
  std::vector<std::string> alpn;
};

// For adapters that speak TLS by Context.
[[nodiscard]] const config::Fields<Options>& option_fields();
// For adapters whose library speaks TLS: what every library takes. A new table under that title; more may be added.
[[nodiscard]] config::Fields<Options> library_fields(std::string_view title);
// The field `alpn`, for a library that takes it.
void add_alpn(config::Fields<Options>& fields);

// What the table alone cannot say: cert and key go together; a peer that is not verified is a warning. The files are
// loaded, but for a key in a token: what is not there or cannot be used is a warning or an error as
// diagnostics.files() says.
void check(const Options& options, const config::Node& at, config::Diagnostics& diagnostics);
// The password of `key`, empty if none is needed. Errors: as Secret::read().
[[nodiscard]] Result<std::string> key_password_of(const Options& options);

}  // namespace railhead::tls
