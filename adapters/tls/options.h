// The one TLS option table of the house, for every adapter that speaks TLS itself. Reading it never opens a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace railhead::tls {

struct Options {
  std::filesystem::path ca;    // PEM, one or more certificates; empty: the system's
  std::filesystem::path cert;  // PEM, our certificate and its chain; empty: none
  std::filesystem::path key;   // PEM, not encrypted
  bool verify = true;          // the peer's certificate and name
  std::string server_name;     // the name to ask for and to check; empty: the URL's host
  std::vector<std::string> alpn;
};

}  // namespace railhead::tls
