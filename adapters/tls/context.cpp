#include "adapters/tls/context.h"

// Debian 12 has PKCS #11 as an engine only; there is no provider for it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <system_error>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/mutex.h"
#include "gateway/system/event_loop.h"

namespace railhead::tls {
namespace {

template <auto free_it>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free_it(object);
  }
};
using SslContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;

// The oldest entry of this thread's error queue, which is emptied.
std::string library_error() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "unknown TLS error";
  // errno, of a file.
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ::ERR_reason_error_string(code);
  return reason != nullptr ? reason : "TLS error " + std::to_string(code);
}

// What the BIO below works on.
struct Wire {
  std::unique_ptr<system::Stream> stream;
  std::optional<Error> failed;  // of the stream itself, told instead of OpenSSL's guess
};

int bio_write(BIO* bio, const char* bytes, int count) {
  auto& wire = *static_cast<Wire*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  const Result<std::size_t> sent = wire.stream->write({bytes, static_cast<std::size_t>(count)});
  if (!sent) {
    wire.failed = sent.error();
    return -1;
  }
  if (*sent == 0) {
    ::BIO_set_retry_write(bio);
    return -1;
  }
  return static_cast<int>(*sent);
}

int bio_read(BIO* bio, char* into, int count) {
  auto& wire = *static_cast<Wire*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  const Result<std::size_t> got = wire.stream->read({into, static_cast<std::size_t>(count)});
  if (!got) {
    wire.failed = got.error();
    return -1;
  }
  if (*got == 0) {
    ::BIO_set_retry_read(bio);
    return -1;
  }
  return static_cast<int>(*got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// One per process; lives as long as it. Why a BIO of our own: OpenSSL's writes without MSG_NOSIGNAL.
const BIO_METHOD* stream_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    RAILHEAD_ASSERT(method != nullptr);
    ::BIO_meth_set_write(method, bio_write);
    ::BIO_meth_set_read(method, bio_read);
    ::BIO_meth_set_ctrl(method, bio_control);
    return method;
  }();
  return kMethod;
}

class TlsStream final : public system::Stream {
 public:
  TlsStream(std::unique_ptr<system::Stream> stream, Ssl ssl, std::string host)
      : wire_{std::move(stream), std::nullopt}, ssl_(std::move(ssl)), host_(std::move(host)) {
    BIO* bio = ::BIO_new(stream_method());
    RAILHEAD_ASSERT(bio != nullptr);
    ::BIO_set_data(bio, &wire_);
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(ssl_.get(), bio, bio);
  }
  // close_notify as far as the socket takes it; the peer's is not waited for.
  ~TlsStream() override {
    if (secured_ && !wire_.failed && !broken_) ::SSL_shutdown(ssl_.get());
    ::ERR_clear_error();
  }

  int fd() const override { return wire_.stream->fd(); }
  std::uint32_t wanted() const override { return connected_ ? wanted_ : wire_.stream->wanted(); }

  Result<Progress> handshake() override {
    if (secured_) return Progress::done;
    if (!connected_) {
      const Result<Progress> connected = wire_.stream->handshake();
      if (!connected || *connected == Progress::pending) return connected;
      connected_ = true;
    }
    const int result = ::SSL_connect(ssl_.get());
    if (result == 1) {
      secured_ = true;
      wanted_ = system::EventLoop::kReadable;
      return Progress::done;
    }
    const long verdict = ::SSL_get_verify_result(ssl_.get());
    Result<std::size_t> waits = outcome(result, "TLS handshake");
    if (waits) return Progress::pending;
    if (verdict != X509_V_OK && !wire_.failed) {
      ::ERR_clear_error();
      return fail(Errc::denied, "TLS: the certificate of '" + host_ +
                                    "' is not accepted: " + ::X509_verify_cert_error_string(verdict));
    }
    return fail(std::move(waits.error()));
  }

  Result<std::size_t> read(std::span<char> into) override {
    const int got = ::SSL_read(ssl_.get(), into.data(), clamp(into.size()));
    if (got > 0) return moved(got);
    return outcome(got, "TLS read");
  }

  Result<std::size_t> write(std::string_view bytes) override {
    if (bytes.empty()) return std::size_t{0};
    const int sent = ::SSL_write(ssl_.get(), bytes.data(), clamp(bytes.size()));
    if (sent > 0) return moved(sent);
    return outcome(sent, "TLS write");
  }
  bool closed_by_peer() const override { return said_goodbye_ || wire_.stream->closed_by_peer(); }

 private:
  static int clamp(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }
  std::size_t moved(int bytes) {
    wanted_ = system::EventLoop::kReadable;
    return static_cast<std::size_t>(bytes);
  }

  // After a call that did not succeed: 0 when it only has to wait.
  Result<std::size_t> outcome(int result, std::string_view what) {
    const int why = ::SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      wanted_ = why == SSL_ERROR_WANT_READ ? system::EventLoop::kReadable
                                           : system::EventLoop::kReadable | system::EventLoop::kWritable;
      return std::size_t{0};
    }
    broken_ = true;
    if (wire_.failed) {
      ::ERR_clear_error();
      return fail(*wire_.failed);
    }
    if (why == SSL_ERROR_ZERO_RETURN) {
      said_goodbye_ = true;
      return fail(Errc::unavailable, host_ + ": closed by the peer");
    }
    return fail(Errc::protocol, std::string(what) + " with '" + host_ + "': " + library_error());
  }

  Wire wire_;
  Ssl ssl_;
  const std::string host_;
  bool connected_ = false;
  bool secured_ = false;
  bool broken_ = false;
  bool said_goodbye_ = false;  // close_notify
  std::uint32_t wanted_ = system::EventLoop::kReadable | system::EventLoop::kWritable;
};

// The engine "pkcs11" (libp11), initialised once and kept: keys of any context may use it.
// REQUIRES: the caller holds the lock of use_token_key().
Result<ENGINE*> token_engine(const std::string& module) {
  static ENGINE* kept = nullptr;
  if (kept != nullptr) return kept;
  ::ENGINE_load_dynamic();
  ENGINE* engine = ::ENGINE_by_id("pkcs11");
  if (engine == nullptr) return fail(Errc::invalid, "no OpenSSL engine pkcs11 (package libengine-pkcs11-openssl)");
  if ((!module.empty() && ::ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module.c_str(), 0) != 1) ||
      ::ENGINE_init(engine) != 1) {
    ::ENGINE_free(engine);
    return fail(Errc::invalid, "PKCS #11: " + library_error());
  }
  kept = engine;
  return engine;
}

struct KeyFreed {
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
};

// The answer to a question for a key's password: never a prompt.
int give_password(char* to, int room, int /*encrypting*/, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(room)) return -1;
  return static_cast<int>(text.copy(to, text.size()));
}

Result<void> use_token_key(SSL_CTX* context, const Options& options) {
  static base::Mutex mutex;
  const base::MutexLock lock(mutex);
  const Result<ENGINE*> engine = token_engine(options.pkcs11_module.string());
  if (!engine) return fail(engine.error());
  if (options.pin.present()) {
    const Result<std::string> pin = options.pin.read();
    if (!pin) return fail(pin.error().in("pin"));
    if (::ENGINE_ctrl_cmd_string(*engine, "PIN", pin->c_str(), 0) != 1) return fail(Errc::invalid, library_error());
  }
  const std::unique_ptr<EVP_PKEY, KeyFreed> key(
      ::ENGINE_load_private_key(*engine, options.key_uri.c_str(), nullptr, nullptr));
  if (key == nullptr || ::SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1) {
    return fail(Errc::invalid, library_error());
  }
  return {};
}

}  // namespace

struct Context::State {
  SslContext context;
  Options options;
  std::string alpn;  // as RFC 7301 3.1 writes it
};

Context::Context(std::unique_ptr<State> state) : state_(std::move(state)) {}
Context::~Context() = default;

Result<std::shared_ptr<const Context>> Context::make(const Options& options, std::string_view* unfit) {
  const auto fails = [unfit](std::string_view field, const std::filesystem::path& file) {
    if (unfit != nullptr) *unfit = field;
    return fail(Errc::invalid, "TLS: " + std::string(field) + " '" + file.string() + "': " + library_error());
  };
  auto state = std::make_unique<State>();
  state->options = options;
  state->context.reset(::SSL_CTX_new(::TLS_client_method()));
  SSL_CTX* context = state->context.get();
  if (context == nullptr) return fail(Errc::io, "TLS: " + library_error());
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);

  if (!options.ca.empty()) {
    if (::SSL_CTX_load_verify_locations(context, options.ca.c_str(), nullptr) != 1) {
      return fails("ca", options.ca);
    }
  } else if (options.verify && ::SSL_CTX_set_default_verify_paths(context) != 1) {
    return fail(Errc::invalid, "TLS: the system's certificates: " + library_error());
  }
  const bool has_key = !options.key.empty() || !options.key_uri.empty();
  if (options.cert.empty() == has_key) return fail(Errc::invalid, "TLS: cert and key go together");
  if (!options.cert.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context, options.cert.c_str()) != 1) {
      return fails("cert", options.cert);
    }
  }
  if (!options.key_uri.empty()) {
    if (Result<void> used = use_token_key(context, options); !used) {
      return fail(used.error().in("TLS: key_uri '" + options.key_uri + "'"));
    }
  } else if (!options.key.empty()) {
    Result<std::string> password = key_password_of(options);
    if (!password) return fail(password.error().in("TLS"));
    ::SSL_CTX_set_default_passwd_cb(context, &give_password);
    ::SSL_CTX_set_default_passwd_cb_userdata(context, &*password);
    const bool usable = ::SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
                        ::SSL_CTX_check_private_key(context) == 1;
    ::SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
    if (!usable) return fails("key", options.key);
  }
  for (const std::string& name : options.alpn) {
    if (name.empty() || name.size() > 255) return fail(Errc::invalid, "TLS: an ALPN name has 1 to 255 bytes");
    state->alpn += static_cast<char>(static_cast<unsigned char>(name.size()));
    state->alpn += name;
  }
  return std::shared_ptr<const Context>(new Context(std::move(state)));
}

Result<std::unique_ptr<system::Stream>> Context::secure(std::unique_ptr<system::Stream> stream,
                                                        const std::string& host) const {
  Ssl ssl(::SSL_new(state_->context.get()));
  if (ssl == nullptr) return fail(Errc::io, "TLS: " + library_error());
  const std::string& name = state_->options.server_name.empty() ? host : state_->options.server_name;
  X509_VERIFY_PARAM* rules = ::SSL_get0_param(ssl.get());
  // An address is checked against the certificate's IP entries and is never sent as a name [RFC 6066 3].
  if (::X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) != 1) {
    ::ERR_clear_error();
    ::X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (::X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size()) != 1 ||
        ::SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1) {
      return fail(Errc::invalid, "TLS: server name '" + name + "': " + library_error());
    }
  }
  if (!state_->alpn.empty()) {
    ::SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(state_->alpn.data()),
                          static_cast<unsigned>(state_->alpn.size()));
  }
  return std::make_unique<TlsStream>(std::move(stream), std::move(ssl), name);
}

}  // namespace railhead::tls
