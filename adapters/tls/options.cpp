#include "adapters/tls/options.h"

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::tls {

const config::Fields<Options>& option_fields() {
  static const config::Fields<Options> fields =
      config::Fields<Options>("TLS", "How a TLS connection proves both ends; TLS 1.2 or newer.")
          .optional("ca", &Options::ca,
                    {.sentence = "Certificates (PEM) that may sign the peer's; without it the system's.",
                     .example = "ca.pem"})
          .optional(
              "cert", &Options::cert,
              {.sentence = "Our own certificate with its chain (PEM), if the peer wants one.", .example = "client.pem"})
          .optional("key", &Options::key, {.sentence = "The key of `cert` (PEM).", .example = "client.key"})
          .optional("verify", &Options::verify,
                    {.sentence = "Check the peer's certificate and name. Switch off only to find a mistake.",
                     .example = "true"})
          .optional("server_name", &Options::server_name,
                    {.sentence = "The name in the peer's certificate, if it is not the host of the URL.",
                     .example = "broker.local"})
          .optional("alpn", &Options::alpn,
                    {.sentence = "Protocols to offer (ALPN); some clouds want one.", .example = "[mqtt]"});
  return fields;
}

void check(const Options& options, const config::Node& at, config::Diagnostics& diagnostics) {
  if (options.cert.empty() != options.key.empty()) {
    diagnostics.error(at, options.cert.empty() ? "`key` without `cert`" : "`cert` without `key`", "they go together");
  }
  if (!options.verify) {
    const config::Node node = at.find("verify");
    diagnostics.warning(node.present() ? node : at, "the peer is not verified: anybody may pretend to be it",
                        "give its authority as `ca` instead");
  }
}

}  // namespace railhead::tls
