#include "adapters/kafka/producer.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <cerrno>
#include <mutex>

namespace railhead::kafka {
namespace {

constexpr std::size_t kErrorText = 512;

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

Outcome outcome_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return Outcome::delivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return Outcome::refused;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION: return Outcome::topic_unavailable;
    default: return Outcome::again;
  }
}

std::string text_of(rd_kafka_resp_err_t error, const char* detail = nullptr) {
  std::string text = rd_kafka_err2str(error);
  if (detail != nullptr && *detail != '\0' && text != detail) text += std::string(": ") + detail;
  return text;
}

}  // namespace

struct Producer::State {
  rd_kafka_t* handle = nullptr;
  Listener* listener = nullptr;
  std::string last_trouble;  // the last error that explains why no broker is reachable

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = *static_cast<State*>(opaque);
    const auto token = reinterpret_cast<std::uintptr_t>(message->_private);
    const Outcome outcome = outcome_of(message->err);
    const std::string_view topic = message->rkt != nullptr ? rd_kafka_topic_name(message->rkt) : "";
    if (outcome == Outcome::delivered) {
      self.listener->on_report(token, outcome, topic, {});
    } else {
      // Not rd_kafka_message_errstr(): of a delivery report it is the record's own payload, without an end.
      self.listener->on_report(token, outcome, topic, text_of(message->err));
    }
  }

  static void on_error(rd_kafka_t* handle, int code, const char* reason, void* opaque) {
    auto& self = *static_cast<State*>(opaque);
    const auto error = static_cast<rd_kafka_resp_err_t>(code);
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
      std::array<char, kErrorText> text{};
      const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle, text.data(), text.size());
      self.listener->on_fatal(text_of(cause, text.data()));
      return;
    }
    switch (error) {
      case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        self.listener->on_down(self.last_trouble.empty() ? std::string(reason) : self.last_trouble);
        break;
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR__SSL:
      case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        self.last_trouble = text_of(error, reason);
        self.listener->on_down(self.last_trouble);
        break;
      default: self.last_trouble = text_of(error, reason); break;
    }
  }

  // Why: librdkafka prints to standard error by default; what matters of it also comes through on_error.
  static void on_log(const rd_kafka_t*, int, const char*, const char*) {}
};

Producer::Producer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<void> Producer::check(const std::string& name, const std::string& value) {
  const Conf conf(rd_kafka_conf_new());
  std::array<char, kErrorText> text{};
  if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) {
    return fail(Errc::invalid, text.data());
  }
  return {};
}

Result<std::unique_ptr<Producer>> Producer::open(const Settings& settings, Listener& listener, int wake_fd) {
  auto state = std::make_unique<State>();
  state->listener = &listener;
  Conf conf(rd_kafka_conf_new());
  std::array<char, kErrorText> text{};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) {
      return fail(Errc::invalid, text.data());
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), state.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &State::on_delivery);
  rd_kafka_conf_set_error_cb(conf.get(), &State::on_error);
  rd_kafka_conf_set_log_cb(conf.get(), &State::on_log);
  state->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text.data(), text.size());
  if (state->handle == nullptr) {
    // A certificate that cannot be read, contradicting settings, or no thread: all of them may be mended while we wait.
    return fail(Errc::unavailable, text.data());
  }
  static_cast<void>(conf.release());  // the handle owns it now
  static constexpr std::uint64_t kOne = 1;
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(state->handle);
  rd_kafka_queue_io_event_enable(queue, wake_fd, &kOne, sizeof kOne);
  rd_kafka_queue_destroy(queue);
  return std::unique_ptr<Producer>(new Producer(std::move(state)));
}

Producer::~Producer() {
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(state_->handle);
  rd_kafka_queue_io_event_enable(queue, -1, nullptr, 0);
  rd_kafka_queue_destroy(queue);
  rd_kafka_purge(state_->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_destroy_flags(state_->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Result<void> Producer::send(const Message& message) {
  std::vector<rd_kafka_vu_t> fields;
  fields.reserve(8);
  const auto add = [&fields](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    fields.emplace_back();
    fields.back().vtype = type;
    return fields.back();
  };
  const std::string topic(message.topic);
  add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  if (message.key) {
    rd_kafka_vu_t& key = add(RD_KAFKA_VTYPE_KEY);
    // An empty key is a key: only a null pointer is none.
    key.u.mem.ptr = const_cast<char*>(message.key->empty() ? "" : message.key->data());
    key.u.mem.size = message.key->size();
  }
  rd_kafka_vu_t& body = add(RD_KAFKA_VTYPE_VALUE);
  body.u.mem.ptr = const_cast<char*>(message.body.empty() ? "" : message.body.data());
  body.u.mem.size = message.body.size();
  const std::int64_t milliseconds =
      std::chrono::floor<std::chrono::milliseconds>(message.time).time_since_epoch().count();
  if (milliseconds > 0) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = milliseconds;  // else now: Kafka has no time before 1970
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = reinterpret_cast<void*>(message.token);
  rd_kafka_headers_t* headers = nullptr;
  if (message.headers != nullptr && !message.headers->empty()) {
    headers = rd_kafka_headers_new(message.headers->size());
    for (const Header& header : *message.headers) {
      rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()), header.value.data(),
                          static_cast<ssize_t>(header.value.size()));
    }
    add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers;  // owned by the message once it was taken
  }
  rd_kafka_error_t* error = rd_kafka_produceva(state_->handle, fields.data(), fields.size());
  if (error == nullptr) return {};
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  std::string why = text_of(code, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  if (headers != nullptr) rd_kafka_headers_destroy(headers);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return fail(Errc::full, std::move(why));
  if (outcome_of(code) == Outcome::refused) return fail(Errc::refused, std::move(why));
  return fail(Errc::unavailable, std::move(why));
}

void Producer::poll(std::chrono::milliseconds at_most) {
  rd_kafka_poll(state_->handle, static_cast<int>(at_most.count()));
}

void Producer::flush(std::chrono::milliseconds at_most) {
  static_cast<void>(rd_kafka_flush(state_->handle, static_cast<int>(at_most.count())));
}

void Producer::withdraw_queued() {
  static_cast<void>(rd_kafka_purge(state_->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING));
}

Result<void> Producer::probe(std::chrono::milliseconds at_most) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(state_->handle, 0, nullptr, &metadata, static_cast<int>(at_most.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(Errc::unavailable, state_->last_trouble.empty() ? text_of(error) : state_->last_trouble);
  }
  rd_kafka_metadata_destroy(metadata);
  state_->last_trouble.clear();
  return {};
}

}  // namespace railhead::kafka
