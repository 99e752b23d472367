#include "adapters/amqp/config.h"

#include <arpa/inet.h>

#include <array>

#include "gateway/config/document.h"
#include "gateway/ports/envelope_field.h"

namespace railhead::amqp {
namespace {

constexpr std::chrono::milliseconds kStepTimeout{5'000};  // of connecting: TCP, TLS, log-in

bool is_numeric(const std::string& host) {
  std::array<unsigned char, 16> address{};
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

}  // namespace

const config::Fields<AmqpOptions>& amqp_fields() {
  static const config::Fields<AmqpOptions> fields =
      config::Fields<AmqpOptions>("amqp sink", "Publishes each record to an exchange with the routing key of its rule.")
          .required("url", &AmqpOptions::url,
                    {.sentence = "amqp:// or amqps://, host, port, virtual host.",
                     .example = "amqps://mq.local:5671/plant",
                     .not_empty = true})
          .optional("user", &AmqpOptions::user, {.sentence = "Who we are; may stand in the url.", .example = "plant-7"})
          .optional("password", &AmqpOptions::password,
                    {.sentence = "The password.", .example = "{ file: secrets/amqp }"})
          .optional("exchange", &AmqpOptions::exchange,
                    {.sentence = "Must exist; left out: the default exchange, where the routing key names a queue.",
                     .example = "telemetry"})
          .optional("mandatory", &AmqpOptions::mandatory,
                    {.sentence = "The broker gives back what no queue takes. Without it such records are lost."})
          .choice("unroutable", &AmqpOptions::unroutable,
                  {{"set_aside", Unroutable::set_aside}, {"hold", Unroutable::hold}},
                  {.sentence = "What becomes of a record given back: a dead letter, or tried again later."})
          .optional("persistent", &AmqpOptions::persistent,
                    {.sentence = "Durable queues write the message to disk before they confirm it."})
          .optional("amqp_priority", &AmqpOptions::amqp_priority,
                    {.sentence = "AMQP's own priority, for priority queues.", .min = 0, .max = 255})
          .optional(
              "window", &AmqpOptions::window,
              {.sentence = "So many may wait for their confirmation.", .min = 1, .max = 20'000, .unit = "records"})
          .optional("window_bytes", &AmqpOptions::window_bytes,
                    {.sentence = "And so much memory may they take.", .min = "64 KiB", .max = "256 MiB"})
          .optional(
              "heartbeat", &AmqpOptions::heartbeat,
              {.sentence = "A peer silent for twice this long is gone; 0 turns it off.", .min = "0", .max = "10 min"})
          .optional("confirm_timeout", &AmqpOptions::confirm_timeout,
                    {.sentence = "Without any confirmation for so long the connection is made anew.",
                     .min = "1 s",
                     .max = "10 min"})
          .with(ports::envelope_field(&AmqpOptions::envelope))
          .table("tls", &AmqpOptions::tls, tls::library_fields("amqp TLS"),
                 {.sentence = "Certificates, for amqps://."});
  return fields;
}

void check(const AmqpOptions& options, const config::Node& node, config::Diagnostics& diagnostics) {
  const config::Located<std::string>& at = options.url;
  if (at.value.empty()) return;  // reported as missing
  const Result<Url> url = parse_url(at.value);
  if (!url) {
    diagnostics.error(at.mark, at.length, url.error().what, "amqp://host:5672/vhost or amqps://host:5671/vhost");
    return;
  }
  if (url->vhost.empty()) {
    diagnostics.warning(at.mark, at.length, "this url names the virtual host \"\"",
                        "for the usual one, \"/\", leave the slash at the end out");
  }
  if (url->password) {
    diagnostics.warning(at.mark, at.length, "a password in the url is a secret in the configuration",
                        "password: { file: secrets/amqp }");
  }
  if (options.user && url->user) {
    diagnostics.error(at.mark, at.length, "the user is named twice: here and in user:", "take one of them");
  }
  if (options.password.present() && url->password) {
    diagnostics.error(at.mark, at.length, "there are two passwords: here and in password:", "take one of them");
  }
  if (url->tls && (!options.tls || options.tls->verify) && is_numeric(url->host)) {
    diagnostics.warning(at.mark, at.length, "a certificate is compared with a host name, never with a numeric address",
                        "write the name the broker's certificate has");
  }
  if (options.tls) {
    const config::Node at_tls = node.find("tls");
    if (!url->tls) diagnostics.error(at_tls, "tls: is given, but the url is not amqps://", "amqps://" + url->host);
    tls::check(*options.tls, at_tls, diagnostics);
  }
  if (options.unroutable == Unroutable::hold && !options.mandatory) {
    diagnostics.error(at.mark, at.length, "unroutable: hold needs mandatory: true",
                      "otherwise the broker never says that a record was unroutable");
  }
}

Result<Target> target_of(const AmqpOptions& options, std::string_view connection_name) {
  Result<Url> url = parse_url(options.url.value);
  if (!url) return fail(url.error());
  Target target;
  target.host = std::move(url->host);
  target.port = url->port;
  target.vhost = std::move(url->vhost);
  target.tls = url->tls;
  if (options.user || url->user) target.user = options.user ? *options.user : *url->user;
  if (options.password.present()) {
    Result<std::string> password = options.password.read();
    if (!password) return fail(password.error().in("password"));
    target.password = std::move(*password);
  } else if (url->password) {
    target.password = std::move(*url->password);
  }
  target.exchange = options.exchange;
  if (options.tls) {
    target.ca = options.tls->ca.string();
    target.cert = options.tls->cert.string();
    target.key = options.tls->key.string();
    Result<std::string> password = tls::key_password_of(*options.tls);
    if (!password) return fail(password.error());
    target.key_password = std::move(*password);
    target.verify = options.tls->verify;
  }
  target.connection_name = std::string(connection_name);
  target.heartbeat = std::chrono::ceil<std::chrono::seconds>(options.heartbeat);
  target.timeout = kStepTimeout;
  return target;
}

}  // namespace railhead::amqp
