#include "adapters/panel/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>
#include <ostream>
#include <set>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "gateway/status/json_writer.h"
#include "gateway/system/descriptor.h"

namespace railhead::panel {
namespace {

constexpr std::string_view kAccepted = "{\"ok\":true,\"result\":";

Error connect_error(const std::filesystem::path& socket, int number) {
  if (number == ENOENT || number == ECONNREFUSED) {
    return {Errc::unavailable, "no gateway runs here (" + socket.string() +
                                   "): start it with `systemctl start railhead` or `railhead run -c PATH`"};
  }
  if (number == EACCES || number == EPERM) {
    return {Errc::denied,
            "no right to ask the gateway (" + socket.string() + "): use sudo, or join the group railhead"};
  }
  return system_error("connect " + socket.string(), number);
}

Result<system::Descriptor> connect_to(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, socket.string() + ": the path is too long for a socket");
  }
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
  system::Descriptor link(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!link.valid()) return fail(system_error("socket", errno));
  if (::connect(link.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(connect_error(socket, errno));
  }
  return link;
}

Result<std::string> read_line(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + kAnswerWithin;
  std::string line;
  while (line.size() < kAnswerBytes) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd wait{fd, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(Errc::timeout, "the gateway does not answer: see its log");
    std::array<char, 65536> bytes;
    const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(Errc::unavailable, "the gateway ended before it answered");
    line.append(bytes.data(), static_cast<std::size_t>(count));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return fail(Errc::protocol, "the gateway's answer is too long");
}

// Errors of asking are exit code 2, a refusal by the gateway is 1.
int complain(const Error& error, std::ostream& err) {
  err << "railhead: " << error.what << '\n';
  return error.code == Errc::refused ? 1 : 2;
}

Result<Value> ask_value(const std::filesystem::path& socket, std::string_view command) {
  const Result<std::string> answer = ask(socket, command);
  if (!answer) return fail(answer.error());
  return JsonParser().parse(*answer);
}

const Value* find_text(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is(Kind::string) ? found : nullptr;
}

double number_at(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_number() ? found->to_real() : 0;
}

double delivered_of(const Value& document, std::string_view sink) {
  const Value* lanes = document.find("lanes");
  if (lanes == nullptr || !lanes->is(Kind::list)) return 0;
  double sum = 0;
  for (const Value& lane : lanes->as_list()) {
    const Value* name = find_text(lane, "sink");
    const Value* records = lane.find("records");
    if (name != nullptr && name->as_text() == sink && records != nullptr) sum += number_at(*records, "delivered");
  }
  return sum;
}

}  // namespace

Result<std::string> ask(const std::filesystem::path& socket, std::string_view command) {
  status::JsonWriter json;
  json.begin_object();
  json.field("command", command);
  json.end_object();
  return ask_line(socket, json.take());
}

Result<std::string> ask_line(const std::filesystem::path& socket, const std::string& request) {
  Result<system::Descriptor> link = connect_to(socket);
  if (!link) return fail(link.error());
  const std::string whole = request + "\n";
  if (::send(link->get(), whole.data(), whole.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(whole.size())) {
    return fail(system_error("ask the gateway", errno));
  }
  Result<std::string> line = read_line(link->get());
  if (!line) return line;
  if (line->starts_with(kAccepted) && line->ends_with('}')) {
    return line->substr(kAccepted.size(), line->size() - kAccepted.size() - 1);
  }
  const Result<Value> answer = JsonParser().parse(*line);
  const Value* error = answer ? find_text(*answer, "error") : nullptr;
  if (error == nullptr) return fail(Errc::protocol, "the answer is not a gateway's");
  return fail(Errc::refused, std::string(error->as_text()));
}

int run_status(const std::filesystem::path& socket, StatusForm form, std::ostream& out, std::ostream& err) {
  if (form == StatusForm::json) {
    const Result<std::string> document = ask(socket, "status");
    if (!document) return complain(document.error(), err);
    out << *document << '\n';
    return 0;
  }
  const Result<Value> text = ask_value(socket, "status_text");
  if (!text) return complain(text.error(), err);
  if (!text->is(Kind::string)) return complain({Errc::protocol, "the answer is not a gateway's"}, err);
  out << text->as_text();
  return 0;
}

int run_health(const std::filesystem::path& socket, std::ostream& out, std::ostream& err) {
  const Result<Value> health = ask_value(socket, "health");
  if (!health) {
    // Monitoring reads standard output: no gateway is an answer too.
    out << "failure: " << health.error().what << '\n';
    return 2;
  }
  const Value* line = find_text(*health, "line");
  if (line == nullptr) return complain({Errc::protocol, "the answer is not a gateway's"}, err);
  out << line->as_text() << '\n';
  return static_cast<int>(number_at(*health, "exit"));
}

int run_reload(const std::filesystem::path& socket, std::ostream& out, std::ostream& err) {
  const Result<Value> answer = ask_value(socket, "reload");
  if (!answer) return complain(answer.error(), err);
  out << (answer->is(Kind::string) ? answer->as_text() : "configuration applied") << '\n';
  return 0;
}

std::string rates_line(const Value& before, const Value& now, Duration span) {
  const double seconds = std::chrono::duration<double>(span).count();
  const auto rate = [seconds](double from, double to) {
    const double each = seconds > 0 && to > from ? (to - from) / seconds : 0;
    return base::shortest(std::round(each * 10) / 10) + "/s";
  };
  const Value* in_before = before.find("readings");
  const Value* in_now = now.find("readings");
  std::string line = "readings ";
  line += in_before != nullptr && in_now != nullptr ? rate(number_at(*in_before, "in"), number_at(*in_now, "in")) : "-";
  const Value* lanes = now.find("lanes");
  if (lanes == nullptr || !lanes->is(Kind::list)) return line;
  std::set<std::string_view> seen;  // a sink may have several lanes
  for (const Value& lane : lanes->as_list()) {
    const Value* sink = find_text(lane, "sink");
    if (sink == nullptr || !seen.insert(sink->as_text()).second) continue;
    line += "  " + std::string(sink->as_text()) + " ";
    line += rate(delivered_of(before, sink->as_text()), delivered_of(now, sink->as_text()));
  }
  return line;
}

int run_top(const std::filesystem::path& socket, const std::function<bool()>& wait, std::ostream& out,
            std::ostream& err) {
  std::optional<Value> before;
  auto before_at = std::chrono::steady_clock::now();
  while (true) {
    const Result<Value> text = ask_value(socket, "status_text");
    const Result<Value> document = text ? ask_value(socket, "status") : text;
    if (!document) return complain(document.error(), err);
    if (!text->is(Kind::string)) return complain({Errc::protocol, "the answer is not a gateway's"}, err);
    const auto now = std::chrono::steady_clock::now();
    // Home, draw, clear the rest of the screen: no flicker.
    out << "\x1b[H";
    std::string_view rest = text->as_text();
    std::string rates = before ? rates_line(*before, *document, now - before_at) : std::string("rates follow");
    for (std::size_t number = 0; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      out << rest.substr(0, end) << "\x1b[K\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (number == 0) out << rates << "\x1b[K\n";
    }
    out << "\x1b[J" << std::flush;
    before = *document;
    before_at = now;
    if (!wait()) return 0;
  }
}

}  // namespace railhead::panel
