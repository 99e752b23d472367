#include "adapters/mqtt/publisher.h"

#include <mqtt/async_client.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "adapters/mqtt/credentials.h"
#include "adapters/mqtt/outgoing_fault.h"
#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/trial.h"
#include "adapters/mqtt/wire.h"
#include "adapters/tls/context.h"
#include "gateway/base/mutex.h"

namespace railhead::mqtt {
namespace {

constexpr std::chrono::milliseconds kStopSlice{100};
constexpr std::chrono::seconds kGoodbye{2};
constexpr int kFirstFailure = 0x80;
constexpr std::chrono::seconds kTrial{5};

std::string paho_url(const Url& url, bool compared) {
  // Why no brackets: the library takes the port off behind the last colon, but compares the certificate's addresses
  // with "[::1". At wss the handshake's Host has none then either.
  const bool bare = url.tls && compared && url.host.find(':') != std::string::npos;
  const std::string authority = bare ? url.host + ":" + std::to_string(url.port) : url.authority();
  // The library knows ws and wss by these names, and mqtt by others.
  if (url.websocket) return (url.tls ? "wss://" : "ws://") + authority + url.path;
  return (url.tls ? "ssl://" : "tcp://") + authority;
}

::mqtt::ssl_options ssl_options(const tls::Options& tls, const std::string& key_password) {
  ::mqtt::ssl_options options;
  if (!tls.ca.empty()) options.set_trust_store(tls.ca.string());
  if (!tls.cert.empty()) options.set_key_store(tls.cert.string());
  if (!tls.key.empty()) options.set_private_key(tls.key.string());
  if (!key_password.empty()) options.set_private_key_password(key_password);
  options.set_enable_server_cert_auth(tls.verify);
  options.set_verify(tls.verify);
  if (!tls.alpn.empty()) options.set_alpn_protos(tls.alpn);
  return options;
}

// Not the broker's word.
bool came_to_nothing(const ::mqtt::exception& error) {
  return error.get_return_code() < 0 && error.get_reason_code() < kFirstFailure;
}

Error connect_error(const ::mqtt::exception& error, bool v5) {
  // The library tells a refusal's reason as its return code.
  const int refusal = std::max(error.get_return_code(), static_cast<int>(error.get_reason_code()));
  if (v5 && refusal >= kFirstFailure && refusal <= 0xff) {
    const auto code = static_cast<std::uint8_t>(refusal);
    const bool denied = code == reason::kBadUserOrPassword || code == reason::kNotAuthorized ||
                        code == reason::kBanned || code == reason::kBadAuthenticationMethod;
    if (code == reason::kUnsupportedVersion)
      return {Errc::unsupported, "the broker refuses MQTT 5: use version: 3.1.1"};
    return {denied ? Errc::denied : Errc::unavailable, "the broker refuses: " + reason_text(code)};
  }
  switch (error.get_return_code()) {
    case 1:
      return {Errc::unsupported,
              v5 ? "the broker refuses MQTT 5: use version: 3.1.1" : "the broker refuses MQTT 3.1.1"};
    case 2: return {Errc::denied, "the broker refuses the client identifier"};
    case 4: return {Errc::denied, "bad user name or password"};
    case 5: return {Errc::denied, "not authorized"};
    default: break;
  }
  // Its number says nothing to people.
  return {Errc::unavailable,
          came_to_nothing(error) ? "the broker ends the connection before it answers CONNECT" : error.what()};
}

// What PUBLISH takes at MQTT 5 [5 3.3].
std::size_t packet_bytes(const std::string& topic, const Enveloper::Wrapped& wrapped, bool expires, int qos) {
  constexpr std::size_t kName = 1;
  constexpr std::size_t kLength = 2;
  std::size_t properties = expires ? kName + 4 : 0;
  if (!wrapped.content_type.empty()) properties += kName + kLength + wrapped.content_type.size();
  for (const Header& header : wrapped.headers) {
    if (is_left_out(header)) continue;
    const bool own = header.name == kResponseTopicHeader || header.name == kCorrelationDataHeader;
    properties += kName + kLength + header.value.size() + (own ? 0 : kLength + header.name.size());
  }
  const std::size_t rest =
      kLength + topic.size() + (qos > 0 ? 2 : 0) + variable_bytes(properties) + properties + wrapped.body.size();
  return 1 + variable_bytes(rest) + rest;
}

}  // namespace

// Why the observer is kept apart: it is taken away before the client goes, so no late callback reaches it.
struct Publisher::State final : public ::mqtt::callback, public ::mqtt::iaction_listener {
  State(const SinkSettings& settings, Observer& told) : settings_(settings), observer_(&told) {}

  ~State() override {
    {
      const base::MutexLock lock(mutex_);
      observer_ = nullptr;
    }
    if (client_ == nullptr) return;
    try {
      // Only after a connection that stood: otherwise there is nobody to say goodbye to.
      if (up_ && !lost_) client_->disconnect()->wait_for(kGoodbye);
    } catch (const std::exception&) {
      // It broke in this moment: the same as lost.
    }
    client_.reset();
  }

  // MQTT 5: the broker's DISCONNECT; that the connection is lost comes after it.
  void disconnected(const ::mqtt::properties& properties, int code) {
    const base::MutexLock lock(mutex_);
    code_ = static_cast<std::uint8_t>(code);
    said_ = "the broker disconnects us: " + reason_text(*code_);
    if (properties.contains(::mqtt::property::REASON_STRING)) {
      said_ += ": " + ::mqtt::get<std::string>(properties, ::mqtt::property::REASON_STRING);
    }
  }
  void connection_lost(const std::string& cause) override {
    lost_ = true;
    const base::MutexLock lock(mutex_);
    if (observer_ == nullptr) return;
    observer_->on_lost(!said_.empty() ? said_ : cause.empty() ? "the connection broke" : cause, code_);
  }
  void on_success(const ::mqtt::token& token) override {
    const base::MutexLock lock(mutex_);
    if (observer_ != nullptr) observer_->on_confirmed(number_of(token));
  }
  void on_failure(const ::mqtt::token& token) override {
    int code = 0;
    try {
      // The token is complete: this only throws what it knows.
      const_cast<::mqtt::token&>(token).try_wait();
    } catch (const ::mqtt::exception& error) {
      code = error.get_reason_code();
    }
    const base::MutexLock lock(mutex_);
    if (observer_ == nullptr) return;
    // Only PUBCOMP may say that [5 table 2-6]: the message was the broker's from PUBREC on [MQTT-4.3.3-6].
    if (settings_.v5 && settings_.qos == 2 && code == reason::kPacketIdNotFound) {
      observer_->on_confirmed(number_of(token));
    } else if (settings_.v5 && code >= kFirstFailure && code <= 0xff) {
      observer_->on_refused(number_of(token), static_cast<std::uint8_t>(code));
    } else {
      // Not the broker's word: the library gave it up, so the connection is no longer what it was.
      lost_ = true;
      observer_->on_lost(!said_.empty() ? said_ : "the connection broke", code_);
    }
  }
  static std::uint32_t number_of(const ::mqtt::token& token) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
  }

  const SinkSettings& settings_;
  std::unique_ptr<::mqtt::async_client> client_;
  bool up_ = false;
  std::uint32_t window_ = 0;
  std::uint32_t packet_bytes_max_ = 0;  // 0: the broker names none
  Duration server_keep_alive_{};        // zero: the broker names none, or wants none
  std::atomic<bool> lost_{false};
  base::Mutex mutex_;
  std::string said_ RAILHEAD_GUARDED_BY(mutex_);  // the broker, when it ended the connection
  std::optional<std::uint8_t> code_ RAILHEAD_GUARDED_BY(mutex_);
  Observer* observer_ RAILHEAD_GUARDED_BY(mutex_);
};

Publisher::Publisher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Publisher::~Publisher() = default;

void Publisher::look() {
  if (!state_->lost_ && !state_->client_->is_connected()) state_->connection_lost({});
}

std::uint32_t Publisher::window() const { return state_->window_; }

Result<std::unique_ptr<Publisher>> Publisher::connect(const SinkSettings& settings, const Url& url,
                                                      Duration& keep_alive, Observer& observer,
                                                      const std::stop_token& stop) {
  constexpr int kTries = 2;  // a broker that says another one each time gets the owner's backoff
  for (int n = 0; n < kTries; ++n) {
    const Duration asked = keep_alive;
    auto made = connect_once(settings, url, asked, observer, stop);
    if (!made) return made;
    const Duration said = (*made)->state_->server_keep_alive_;
    if (said == Duration::zero()) return made;
    const bool ours_is_shorter = settings.keep_alive > Duration::zero() && settings.keep_alive < said;
    keep_alive = ours_is_shorter ? settings.keep_alive : said;
    // Pinging more often does no harm.
    if (asked > Duration::zero() && asked <= said) return made;
  }
  return fail(Errc::unavailable, url.text() + ": the broker wants another keep-alive each time");
}

Result<std::unique_ptr<Publisher>> Publisher::connect_once(const SinkSettings& settings, const Url& url,
                                                           Duration keep_alive, Observer& observer,
                                                           const std::stop_token& stop) {
  const Result<std::optional<std::string>> password = password_of(settings.password);
  if (!password) return fail(password.error());
  const Result<std::string> key_password = tls::key_password_of(settings.tls);
  if (!key_password) return fail(key_password.error());
  if (url.tls) {
    // The library would say of a file that is missing or does not fit only that there is no connection.
    const auto files = tls::Context::make(settings.tls);
    if (!files) return fail(files.error().in(url.text()));
  }
  auto state = std::make_unique<State>(settings, observer);
  try {
    const int version = settings.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    // The library's bound on queued messages also counts those on the way; ours is the window.
    ::mqtt::create_options create(version, static_cast<int>(settings.window) + 1);
    create.set_send_while_disconnected(false);
    state->client_ =
        std::make_unique<::mqtt::async_client>(paho_url(url, settings.tls.verify), settings.client_id, create, nullptr);
    state->client_->set_callback(*state);
    if (settings.v5) {
      state->client_->set_disconnected_handler(
          [told = state.get()](const ::mqtt::properties& properties, ::mqtt::ReasonCode code) {
            told->disconnected(properties, static_cast<int>(code));
          });
    }
    ::mqtt::connect_options options;
    options.set_mqtt_version(version);
    if (settings.v5) {
      options.set_clean_start(true);
    } else {
      options.set_clean_session(true);
    }
    options.set_keep_alive_interval(static_cast<int>(keep_alive / std::chrono::seconds{1}));
    options.set_connect_timeout(
        static_cast<int>(std::max<std::int64_t>(settings.timeout / std::chrono::seconds{1}, 1)));
    options.set_max_inflight(static_cast<int>(settings.window));
    if (!settings.user.empty()) options.set_user_name(settings.user);
    if (*password && !(*password)->empty()) options.set_password(**password);
    if (url.tls) options.set_ssl(ssl_options(settings.tls, *key_password));
    const ::mqtt::token_ptr answer = state->client_->connect(options);
    for (Duration waited{}; !answer->wait_for(kStopSlice); waited += kStopSlice) {
      observer.on_waiting();
      if (stop.stop_requested()) return fail(Errc::stopped, "asked to stop");
      if (waited >= settings.timeout) return fail(Errc::timeout, "the broker does not answer");
    }
    state->up_ = true;
    state->window_ = settings.window;
    const ::mqtt::connect_response response = answer->get_connect_response();
    // A clean start has none [5 MQTT-3.2.2-4, 3.1.1 MQTT-3.2.2-1].
    if (response.is_session_present()) {
      return fail(Errc::protocol, url.text() + ": a session is present, though a new one was asked for");
    }
    if (settings.v5) {
      const ::mqtt::properties& said = response.get_properties();
      if (said.contains(::mqtt::property::RECEIVE_MAXIMUM)) {
        const auto most = ::mqtt::get<std::uint16_t>(said, ::mqtt::property::RECEIVE_MAXIMUM);
        state->window_ = std::min<std::uint32_t>(state->window_, std::max<std::uint16_t>(most, 1));
      }
      if (said.contains(::mqtt::property::MAXIMUM_PACKET_SIZE)) {
        state->packet_bytes_max_ = ::mqtt::get<std::uint32_t>(said, ::mqtt::property::MAXIMUM_PACKET_SIZE);
      }
      if (said.contains(::mqtt::property::SERVER_KEEP_ALIVE)) {
        state->server_keep_alive_ =
            std::chrono::seconds{::mqtt::get<std::uint16_t>(said, ::mqtt::property::SERVER_KEEP_ALIVE)};
      }
      // Why no lower QoS by itself: 0 confirms nothing, 1 repeats.
      if (said.contains(::mqtt::property::MAXIMUM_QOS)) {
        const auto most = ::mqtt::get<std::uint8_t>(said, ::mqtt::property::MAXIMUM_QOS);
        if (most < settings.qos) {
          const std::string level = std::to_string(most);
          return fail(Errc::unsupported, "the broker takes QoS " + level + " at most: set qos: " + level);
        }
      }
      if (settings.retain && said.contains(::mqtt::property::RETAIN_AVAILABLE) &&
          ::mqtt::get<std::uint8_t>(said, ::mqtt::property::RETAIN_AVAILABLE) == 0) {
        return fail(Errc::unsupported, "the broker keeps no retained messages: set retain: false");
      }
    }
  } catch (const ::mqtt::exception& error) {
    if (came_to_nothing(error)) {
      const auto why = trial(url, settings.tls, kTrial, stop, [&] { observer.on_waiting(); });
      if (why) return fail(why->in(url.text()));
    }
    return fail(connect_error(error, settings.v5).in(url.text()));
  } catch (const std::exception& error) {
    return fail(Errc::unavailable, url.text() + ": " + error.what());
  }
  return std::unique_ptr<Publisher>(new Publisher(std::move(state)));
}

std::string Publisher::fault_of(const std::string& topic, const Enveloper::Wrapped& wrapped,
                                std::optional<std::chrono::seconds> expiry) const {
  if (state_->packet_bytes_max_ == 0) return {};
  const std::size_t bytes = packet_bytes(topic, wrapped, expiry.has_value(), state_->settings_.qos);
  if (bytes <= state_->packet_bytes_max_) return {};
  return "a packet of " + std::to_string(bytes) + " bytes is larger than the broker takes (" +
         std::to_string(state_->packet_bytes_max_) + ")";
}

Result<void> Publisher::publish(std::uint32_t number, const std::string& topic, const Enveloper::Wrapped& wrapped,
                                std::optional<std::chrono::seconds> expiry) {
  try {
    const auto message = ::mqtt::make_message(topic, wrapped.body.data(), wrapped.body.size(), state_->settings_.qos,
                                              state_->settings_.retain);
    if (state_->settings_.v5) {
      ::mqtt::properties properties;
      if (!wrapped.content_type.empty()) {
        properties.add({::mqtt::property::CONTENT_TYPE, std::string(wrapped.content_type)});
      }
      if (expiry) {
        properties.add({::mqtt::property::MESSAGE_EXPIRY_INTERVAL, static_cast<std::int32_t>(expiry->count())});
      }
      for (const Header& header : wrapped.headers) {
        if (is_left_out(header)) continue;
        if (header.name == kResponseTopicHeader) {
          properties.add({::mqtt::property::RESPONSE_TOPIC, header.value});
        } else if (header.name == kCorrelationDataHeader) {
          properties.add({::mqtt::property::CORRELATION_DATA, header.value});
        } else {
          properties.add({::mqtt::property::USER_PROPERTY, header.name, header.value});
        }
      }
      message->set_properties(std::move(properties));
    }
    state_->client_->publish(message, reinterpret_cast<void*>(std::uintptr_t{number}), *state_);
  } catch (const std::exception& error) {
    return fail(Errc::unavailable, error.what());
  }
  return {};
}

}  // namespace railhead::mqtt
