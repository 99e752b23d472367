#include "adapters/panel/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "gateway/message/json.h"
#include "gateway/status/health.h"
#include "gateway/status/json_writer.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/thread.h"

namespace railhead::panel {
namespace {

using system::Descriptor;
using system::EventLoop;

constexpr int kBacklog = 8;

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "control socket " + text + ": the path must have 1 to " +
                                   std::to_string(sizeof address.sun_path - 1) + " characters");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<Descriptor> listen_at(const std::filesystem::path& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.error());
  const std::string place = "control socket " + path.string();
  std::error_code not_made;  // if nobody made the directory (the service does), and we may not
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), not_made);
  if (not_made) {
    return fail(Errc::unavailable, place + ": its directory cannot be made: " + not_made.message() +
                                       "; name another path: --socket PATH, or `control: { socket: PATH }`");
  }

  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return fail(system_error(place, errno));
  // Before bind: the file is born with these rights (less the umask), so there is no moment at which others may
  // connect.
  if (::fchmod(listener.get(), 0660) != 0) return fail(system_error(place, errno));
  if (::bind(listener.get(), generic(*address), sizeof *address) != 0) {
    if (errno != EADDRINUSE) return fail(system_error(place, errno));
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const bool refused = ::connect(probe.get(), generic(*address), sizeof *address) != 0 && errno == ECONNREFUSED;
    if (!refused) return fail(Errc::unavailable, place + ": another gateway serves it");
    struct stat file {};
    if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) {
      return fail(Errc::invalid, place + ": there is a file that is no socket");
    }
    if (::unlink(path.c_str()) != 0 || ::bind(listener.get(), generic(*address), sizeof *address) != 0) {
      return fail(system_error(place, errno));
    }
  }
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return fail(system_error(place, errno));
  }
  return listener;
}

std::string refusal(std::string_view why) {
  status::JsonWriter json;
  json.begin_object();
  json.field("ok", false);
  json.field("error", why);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

struct ControlSocket::State {
  struct Client {
    Descriptor socket;
    std::string in;
    std::string out;
    bool writing = false;  // the loop waits for room in the socket
    EventLoop::TimerId deadline = 0;
  };

  State(const system::Clock& clock, std::filesystem::path its_path, ControlHandler its_handler, Descriptor its_listener)
      : path(std::move(its_path)), handler(std::move(its_handler)), listener(std::move(its_listener)), loop(clock) {}

  void run(const std::stop_token& stop) {
    loop.watch(listener.get(), EventLoop::kReadable, [this](std::uint32_t) { accept_one(); });
    loop.run(stop);
    while (!clients.empty()) drop(clients.begin()->first);
    loop.unwatch(listener.get());
  }

  void accept_one() {
    if (clients.size() >= kControlClients) {
      loop.change(listener.get(), 0);
      return;
    }
    Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    const int fd = socket.get();
    clients[fd].socket = std::move(socket);
    loop.watch(fd, EventLoop::kReadable, [this, fd](std::uint32_t events) { serve(fd, events); });
    extend(fd);
  }

  void extend(int fd) {
    Client& client = clients.at(fd);
    loop.cancel(client.deadline);
    client.deadline = loop.after(kClientIdle, [this, fd] { drop(fd); });
  }

  void drop(int fd) {
    const auto found = clients.find(fd);
    if (found == clients.end()) return;
    loop.cancel(found->second.deadline);
    loop.unwatch(fd);
    clients.erase(found);
    loop.change(listener.get(), EventLoop::kReadable);
  }

  // While an answer waits to be taken, nothing more is read: one answer at a time is all that is ever kept.
  void serve(int fd, std::uint32_t events) {
    Client& client = clients.at(fd);
    bool gone = (events & EventLoop::kError) != 0;
    if (!client.writing && (events & EventLoop::kReadable) != 0) {
      std::array<char, 4096> bytes;
      const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
      if (count > 0) {
        gone = false;  // a client that hung up behind its last question still gets it answered
        client.in.append(bytes.data(), static_cast<std::size_t>(count));
        extend(fd);
      } else if (count == 0 || errno != EAGAIN) {
        gone = true;
      }
    }
    if (gone || !flush(fd, client)) return drop(fd);
    while (client.out.empty()) {
      const std::size_t end = client.in.find('\n');
      if (end == std::string::npos) break;
      client.out = answer(std::string_view(client.in).substr(0, end));
      client.in.erase(0, end + 1);
      if (!flush(fd, client)) return drop(fd);
    }
    if (client.out.empty() && client.in.size() > kRequestBytes) {
      client.out = refusal("the request is longer than " + std::to_string(kRequestBytes) + " bytes");
      flush(fd, client);
      drop(fd);
    }
  }

  // False: the client is gone.
  bool flush(int fd, Client& client) {
    while (!client.out.empty()) {
      const ssize_t count = ::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return false;
      if (count < 0) break;
      client.out.erase(0, static_cast<std::size_t>(count));
      extend(fd);
    }
    if (client.writing == client.out.empty()) {
      client.writing = !client.out.empty();
      loop.change(fd, client.writing ? EventLoop::kWritable : EventLoop::kReadable);
    }
    return true;
  }

  std::string answer(std::string_view line) {
    const Result<Value> request = parser.parse(line);
    const Value* command = request ? request->find("command") : nullptr;
    if (command == nullptr || !command->is(Kind::string)) {
      return refusal("a request is a line like {\"command\":\"status\"}");
    }
    const Result<std::string> result = handler(command->as_text(), line);
    if (!result) return refusal(result.error().what);
    return "{\"ok\":true,\"result\":" + *result + "}\n";
  }

  const std::filesystem::path path;
  const ControlHandler handler;
  Descriptor listener;
  EventLoop loop;
  JsonParser parser;
  std::map<int, Client> clients;
  std::jthread thread;
};

ControlSocket::ControlSocket(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread =
      system::start_thread("control", [its = state_.get()](const std::stop_token& stop) { its->run(stop); });
}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::filesystem::path& path, ControlHandler handler,
                                                           const system::Clock& clock) {
  Result<Descriptor> listener = listen_at(path);
  if (!listener) return fail(listener.error());
  return std::unique_ptr<ControlSocket>(
      new ControlSocket(std::make_unique<State>(clock, path, std::move(handler), std::move(*listener))));
}

ControlSocket::~ControlSocket() {
  ::unlink(state_->path.c_str());
  state_->thread.request_stop();
  state_->thread.join();
}

std::optional<std::string> answer_from(const status::Snapshot& snapshot, std::string_view command) {
  if (command == "status") return status::to_json(snapshot);
  if (command == "status_text") {
    std::string text;
    status::append_json_text(status::to_text(snapshot), text);
    return text;
  }
  if (command != "health") return std::nullopt;
  const status::Health health = status::judge(snapshot);
  status::JsonWriter json;
  json.begin_object();
  json.field("state", status::name_of(health.state));
  json.field("line", status::health_line(health));
  json.field("exit", status::health_exit_code(health.state));
  json.end_object();
  return json.take();
}

}  // namespace railhead::panel
