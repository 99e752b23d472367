#include "adapters/panel/http_page.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "adapters/panel/status_page.h"
#include "gateway/status/health.h"
#include "gateway/status/metrics.h"
#include "gateway/system/descriptor.h"

namespace railhead::panel {
namespace {

constexpr const char* kHtml = "text/html; charset=utf-8";
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr int kPageBacklog = 16;

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

Result<system::Descriptor> listen_on(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return fail(Errc::invalid, "'" + listen + "' is no host:port");
  std::string host = listen.substr(0, colon);
  const std::string port = listen.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "127.0.0.1";
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  AddressList addresses;
  if (const int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &addresses.first); code != 0) {
    return fail(Errc::invalid, "'" + listen + "': " + ::gai_strerror(code));
  }
  system::Descriptor socket(::socket(addresses.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!socket.valid() || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), addresses.first->ai_addr, addresses.first->ai_addrlen) != 0 ||
      ::listen(socket.get(), kPageBacklog) != 0) {
    return fail(system_error("panel.http " + listen, errno));
  }
  return socket;
}

MHD_Result queue(MHD_Connection* connection, const HttpAnswer& answer) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct HttpPage::State {
  std::function<status::Snapshot()> take_snapshot;
  std::uint16_t port = 0;
  MHD_Daemon* daemon = nullptr;

  static MHD_Result answer(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char*, std::size_t* upload_size, void** seen) {
    const std::string_view wanted(method);
    if (wanted != MHD_HTTP_METHOD_GET && wanted != MHD_HTTP_METHOD_HEAD) {
      return queue(connection, {MHD_HTTP_METHOD_NOT_ALLOWED, kText, "only GET and HEAD\n"});
    }
    if (*upload_size != 0) return MHD_NO;
    if (*seen == nullptr) {  // the headers are there; the answer follows when the request is whole
      *seen = self;
      return MHD_YES;
    }
    try {
      return queue(connection, http_answer(static_cast<State*>(self)->take_snapshot(), url));
    } catch (const std::exception&) {
      return MHD_NO;
    }
  }
};

HttpAnswer http_answer(const status::Snapshot& snapshot, std::string_view path) {
  if (path == "/") return {200, kHtml, status_page(snapshot)};
  if (path == "/metrics") return {200, std::string(status::kMetricsContentType), status::to_prometheus(snapshot)};
  if (path == "/status") return {200, "application/json", status::to_json(snapshot) + "\n"};
  if (path == "/healthz") {
    const bool lives = status::alive(snapshot.parts);
    return {lives ? 200u : 503u, kText, lives ? "alive\n" : "a part of the gateway does not turn\n"};
  }
  if (path == "/readyz") {
    const status::Health health = status::judge(snapshot);
    const bool ready = health.state != status::HealthState::failure;
    return {ready ? 200u : 503u, kText, status::health_line(health) + "\n"};
  }
  return {404, kText, "there is /, /metrics, /status, /healthz and /readyz\n"};
}

HttpPage::HttpPage(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpPage::~HttpPage() {
  if (state_->daemon != nullptr) MHD_stop_daemon(state_->daemon);
}

std::uint16_t HttpPage::port() const { return state_->port; }

Result<std::unique_ptr<HttpPage>> HttpPage::open(const std::string& listen,
                                                 std::function<status::Snapshot()> take_snapshot) {
  Result<system::Descriptor> socket = listen_on(listen);
  if (!socket) return fail(socket.error());
  auto state = std::make_unique<State>();
  state->take_snapshot = std::move(take_snapshot);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
    state->port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                                                    : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  }
  state->daemon = MHD_start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, nullptr, nullptr, &State::answer, state.get(),
      MHD_OPTION_LISTEN_SOCKET, static_cast<MHD_socket>(socket->get()), MHD_OPTION_CONNECTION_LIMIT, kHttpConnections,
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, kHttpConnectionsPerAddress, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(kHttpIdle.count()), MHD_OPTION_CONNECTION_MEMORY_LIMIT, kHttpMemory, MHD_OPTION_END);
  if (state->daemon == nullptr) return fail(Errc::io, "panel.http " + listen + ": the server does not start");
  static_cast<void>(socket->release());  // the daemon closes it
  return std::unique_ptr<HttpPage>(new HttpPage(std::move(state)));
}

}  // namespace railhead::panel
