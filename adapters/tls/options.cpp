#include "adapters/tls/options.h"

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "adapters/tls/context.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::tls {

namespace {

std::string uri_fault(std::string_view text) {
  return text.substr(0, 7) == "pkcs11:" ? std::string() : "a PKCS #11 URI begins with pkcs11:";
}

// False after saying what is not here, or not for us: where the gateway runs it may be.
bool are_here(const Options& options, const config::Node& at, config::Diagnostics& diagnostics) {
  bool all = true;
  const auto lacks = [&](const config::Node& node, std::string what) {
    all = false;
    const std::string hint = "without it no connection comes up; it is looked for at each connect";
    if (diagnostics.files() == config::Files::must_fit) {
      diagnostics.error(node, std::move(what), hint);
    } else {
      diagnostics.warning(node, std::move(what), hint);
    }
  };
  for (const auto& [field, file] : {std::pair{"ca", &options.ca}, {"cert", &options.cert}, {"key", &options.key}}) {
    const config::Node node = at.find(field);
    const std::string name = "'" + std::string(node.text()) + "'";
    std::error_code error;
    if (file->empty()) continue;
    if (!std::filesystem::exists(*file, error)) {
      lacks(node, "there is no file " + name);
    } else if (!std::ifstream(*file)) {
      lacks(node, "the file " + name + " cannot be read: " + std::generic_category().message(errno));
    }
  }
  if (options.key.empty()) return all;
  if (const Result<std::string> password = key_password_of(options); !password) {
    lacks(at.find("key_password"), password.error().what);
  }
  return all;
}

// REQUIRES: all are here.
void check_files(const Options& options, const config::Node& at, config::Diagnostics& diagnostics) {
  Options loaded;
  std::error_code error;
  // Kafka takes a directory.
  if (!std::filesystem::is_directory(options.ca, error)) loaded.ca = options.ca;
  // A token may be elsewhere.
  if (options.key_uri.empty()) {
    loaded.cert = options.cert;
    loaded.key = options.key;
    loaded.key_password = options.key_password;
  }
  loaded.verify = false;  // spares the system's certificates
  std::string_view unfit;
  const auto made = Context::make(loaded, &unfit);
  if (made) return;
  const config::Node node = unfit.empty() ? at : at.find(unfit);
  const std::string hint = "no connection comes up with it: it must be PEM, and cert and key one pair";
  if (diagnostics.files() == config::Files::may_be_bad) {
    diagnostics.warning(node, made.error().what, hint);
  } else {
    diagnostics.error(node, made.error().what, hint);
  }
}

}  // namespace

config::Fields<Options> library_fields(std::string_view title) {
  return config::Fields<Options>(title, "How a TLS connection proves both ends; TLS 1.2 or newer.")
      .optional(
          "ca", &Options::ca,
          {.sentence = "Certificates (PEM) that may sign the peer's; without it the system's.", .example = "ca.pem"})
      .optional(
          "cert", &Options::cert,
          {.sentence = "Our own certificate with its chain (PEM), if the peer wants one.", .example = "client.pem"})
      .optional("key", &Options::key, {.sentence = "The key of `cert` (PEM).", .example = "client.key"})
      .optional("key_password", &Options::key_password,
                {.sentence = "Opens an encrypted `key`.", .example = "{ file: secrets/key }"})
      .optional(
          "verify", &Options::verify,
          {.sentence = "Check the peer's certificate and name. Switch off only to find a mistake.", .example = "true"});
}

void add_alpn(config::Fields<Options>& fields) {
  fields.optional("alpn", &Options::alpn,
                  {.sentence = "Protocols to offer (ALPN); some clouds want one.", .example = "[mqtt]"});
}

const config::Fields<Options>& option_fields() {
  static const config::Fields<Options> fields =
      library_fields("TLS")
          .optional("key_uri", &Options::key_uri,
                    {.sentence = "In place of `key`: where a token (TPM, HSM, smart card) holds it, PKCS #11.",
                     .example = "\"pkcs11:token=gateway;object=client\"",
                     .check = uri_fault})
          .optional("pin", &Options::pin, {.sentence = "The token's PIN.", .example = "{ file: secrets/pin }"})
          .optional("pkcs11_module", &Options::pkcs11_module,
                    {.sentence = "The token's library; without it p11-kit finds it.",
                     .example = "/usr/lib/softhsm/libsofthsm2.so"})
          .optional("server_name", &Options::server_name,
                    {.sentence = "The name in the peer's certificate, if it is not the host of the URL.",
                     .example = "broker.local"})
          .with(add_alpn);
  return fields;
}

void check(const Options& options, const config::Node& at, config::Diagnostics& diagnostics) {
  const bool has_key = !options.key.empty() || !options.key_uri.empty();
  if (options.cert.empty() == has_key) {
    diagnostics.error(at, options.cert.empty() ? "`key` without `cert`" : "`cert` without `key`", "they go together");
  }
  if (!options.key.empty() && !options.key_uri.empty()) {
    diagnostics.error(at.find("key_uri"), "`key_uri` beside `key`", "one key is enough");
  }
  const bool may_load = options.cert.empty() != has_key && (options.key.empty() || options.key_uri.empty());
  if (are_here(options, at, diagnostics) && may_load) check_files(options, at, diagnostics);
  if (!options.verify) {
    const config::Node node = at.find("verify");
    diagnostics.warning(node.present() ? node : at, "the peer is not verified: anybody may pretend to be it",
                        "give its authority as `ca` instead");
  }
}

Result<std::string> key_password_of(const Options& options) {
  if (!options.key_password.present()) return std::string();
  Result<std::string> password = options.key_password.read();
  if (!password) return fail(password.error().in("key_password"));
  return password;
}

}  // namespace railhead::tls
