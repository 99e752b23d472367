// The one TLS option table of the house, for every adapter that speaks TLS itself. Reading it never opens a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/config/fields.h"

namespace railhead::tls {

struct Options {
  std::filesystem::path ca;             // PEM, one or more certificates; empty: the system's
  std::filesystem::path cert;           // PEM, our certificate and its chain; empty: none
  std::filesystem::path key;            // PEM, not encrypted
  std::string key_uri;                  // in place of `key`: a key in a token, pkcs11:... (RFC 7512)
  config::Secret pin;                   // of the token
  std::filesystem::path pkcs11_module;  // the token's library; empty: p11-kit finds it
  bool verify = true;                   // the peer's certificate and name
  std::string server_name;              // the name to ask for and to check; empty: the URL's host
  std::vector<std::string> alpn;
};

[[nodiscard]] const config::Fields<Options>& option_fields();

// What the table alone cannot say: cert and key go together; a peer that is not verified is a warning.
void check(const Options& options, const config::Node& at, config::Diagnostics& diagnostics);
// For adapters whose library speaks TLS itself: it takes no key from a token.
void refuse_token(const Options& options, const config::Node& at, config::Diagnostics& diagnostics);

}  // namespace railhead::tls
