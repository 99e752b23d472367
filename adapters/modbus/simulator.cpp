#include "adapters/modbus/simulator.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <utility>

#include "adapters/modbus/rtu.h"
#include "adapters/modbus/serial.h"
#include "adapters/modbus/simulated_unit.h"
#include "adapters/modbus/simulator_ports.h"
#include "adapters/modbus/wire.h"
#include "gateway/base/text.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"

namespace railhead::modbus {
namespace {

using ports::Fault;
using system::EventLoop;

// `*` stands for any text.
bool fits(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern.empty() || pattern == name;
  return name.size() + 1 >= pattern.size() && name.starts_with(pattern.substr(0, star)) &&
         name.ends_with(pattern.substr(star + 1));
}

// Whether a request touches what the fault names.
bool touches(const Fault& fault, std::string_view pdu) {
  if (fault.table.empty()) return true;
  if (pdu.size() < 5) return false;
  const auto function = static_cast<unsigned char>(pdu[0]);
  std::string_view table;
  switch (function) {
    case 1:
    case 5:
    case 15: table = "coil"; break;
    case 2: table = "discrete"; break;
    case 4: table = "input"; break;
    default: table = "holding"; break;
  }
  if (table != fault.table) return false;
  const unsigned first = word_at(pdu, 1);
  const unsigned count = function == 5 || function == 6 || function == 22 ? 1 : word_at(pdu, 3);
  return first <= fault.last && fault.first < first + count;
}

// The first request in `bytes`; on a serial line one without a transaction.
Result<std::optional<Frame>> first_request(std::string_view bytes, bool rtu) {
  if (!rtu) return first_frame(bytes);
  const std::optional<RtuFrame> found = first_rtu_request(bytes);
  if (!found) return std::optional<Frame>();
  return std::optional<Frame>(Frame{.transaction = 0, .unit = found->unit, .pdu = found->pdu, .size = found->size});
}

}  // namespace

struct Simulator::State {
  struct Unit {
    SimulatedUnit registers;
    std::vector<Fault> faults;
  };
  struct Port {
    Endpoint endpoint;
    std::map<std::uint8_t, Unit> units;
    std::size_t devices = 0;
    std::size_t connections = 0;
    system::Descriptor socket;
    std::uint16_t number = 0;
    std::string path;  // of a serial line: where it is served
  };
  struct Connection {
    Port& port;
    system::Descriptor socket;             // or a pseudo-terminal
    std::unique_ptr<system::Stream> line;  // or a serial line
    [[nodiscard]] int fd() const { return line ? line->fd() : socket.get(); }
    [[nodiscard]] bool is_open() const { return line || socket.valid(); }
    std::string input;
    std::string output;
    bool writing = false;
    bool waiting = false;       // for its line to be opened again
    std::uint64_t delayed = 0;  // answers that wait for their time
  };
  using Connections = std::list<Connection>;

  State(ports::SimulationOptions its_options, const system::Clock& its_clock)
      : options(std::move(its_options)), clock(its_clock), loop(its_clock), chance(options.seed) {}
  ~State() {
    for (const Connection& connection : connections) {
      if (connection.is_open()) loop.unwatch(connection.fd());
    }
    for (const Port& one : ports) {
      if (one.socket.valid()) loop.unwatch(one.socket.get());
    }
  }

  void accept(Port& at) {
    for (int rounds = 0; rounds < 64; ++rounds) {
      system::Descriptor socket(::accept4(at.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.valid()) return;
      if (at.connections >= kConnectionsMax) continue;
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections.push_back({.port = at, .socket = std::move(socket), .line = {}, .input = {}, .output = {}});
      ++at.connections;
      serve(std::prev(connections.end()));
    }
  }

  void serve(Connections::iterator connection) {
    loop.watch(connection->fd(), EventLoop::kReadable, [this, connection](std::uint32_t) { on_ready(connection); });
  }

  // Of a line that stays: a pseudo-terminal nobody has open, a serial adapter.
  void add_line(Port& port, system::Descriptor pty, std::unique_ptr<system::Stream> line) {
    connections.push_back({.port = port, .socket = std::move(pty), .line = std::move(line), .input = {}, .output = {}});
    ++port.connections;
    serve(std::prev(connections.end()));
  }

  void close(Connections::iterator connection) {
    if (connection->port.endpoint.transport == Transport::rtu) {
      // A line cannot be closed by its slave: it says nothing more to what was asked.
      connection->output.clear();
      return;
    }
    loop.unwatch(connection->fd());
    --connection->port.connections;
    connection->socket.reset();
    // Its delayed answers still know the place.
    if (connection->delayed == 0) connections.erase(connection);
  }

  void on_ready(Connections::iterator connection) {
    char buffer[4096];
    const ssize_t got = receive(*connection, buffer);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return hung_up(connection);
    if (got > 0) {
      connection->input.append(buffer, static_cast<std::size_t>(got));
      std::string_view rest(connection->input);
      const bool rtu = connection->port.endpoint.rtu();
      for (;;) {
        const Result<std::optional<Frame>> frame = first_request(rest, rtu);
        if (!frame) return close(connection);
        if (!*frame) break;
        rest.remove_prefix((*frame)->size);
        if (!take(connection, **frame)) return;
      }
      if (rtu && rest.size() > kRtuFrameMax) rest.remove_prefix(rest.size() - kRtuFrameMax);
      connection->input.erase(0, connection->input.size() - rest.size());
    }
    flush(connection);
  }

  // As recv: 0 for the end, -1 with errno.
  static ssize_t receive(Connection& connection, std::span<char> into) {
    if (connection.port.endpoint.transport != Transport::rtu) {
      return ::recv(connection.socket.get(), into.data(), into.size(), 0);
    }
    if (!connection.line) return ::read(connection.socket.get(), into.data(), into.size());
    const Result<std::size_t> got = connection.line->read(into);
    errno = got ? EAGAIN : EIO;
    return got && *got > 0 ? static_cast<ssize_t>(*got) : -1;
  }
  static ssize_t transmit(Connection& connection) {
    const std::string& output = connection.output;
    if (connection.port.endpoint.transport != Transport::rtu) {
      return ::send(connection.socket.get(), output.data(), output.size(), MSG_NOSIGNAL);
    }
    if (!connection.line) return ::write(connection.socket.get(), output.data(), output.size());
    const Result<std::size_t> sent = connection.line->write(output);
    errno = sent ? EAGAIN : EIO;
    return sent && *sent > 0 ? static_cast<ssize_t>(*sent) : -1;
  }

  // A client that closes its side of a pseudo-terminal may open it again: look later.
  void hung_up(Connections::iterator connection) {
    if (connection->port.endpoint.transport != Transport::rtu) return close(connection);
    connection->input.clear();
    connection->output.clear();
    if (std::exchange(connection->waiting, true)) return;
    loop.unwatch(connection->fd());
    connection->writing = false;
    loop.after(std::chrono::milliseconds{100}, [this, connection] {
      connection->waiting = false;
      serve(connection);
    });
  }

  // False when the connection was closed.
  bool take(Connections::iterator connection, const Frame& frame) {
    const auto unit = connection->port.units.find(frame.unit);
    // As a gateway to a serial line says it [MB 7]: nobody there.
    std::string pdu{static_cast<char>(frame.pdu.empty() ? 0x80 : frame.pdu[0] | 0x80), 11};
    const BootTime now = clock.boot_now();
    const Duration since = now - started;
    Duration delay{};
    bool garbage = false;
    if (unit != connection->port.units.end()) {
      bool refused = false;
      for (const Fault& fault : unit->second.faults) {
        if (since < fault.after || (fault.for_time > Duration::zero() && since >= fault.after + fault.for_time))
          continue;
        if (!touches(fault, frame.pdu)) continue;
        if (fault.share < 1 && std::uniform_real_distribution<>()(chance) >= fault.share) continue;
        switch (fault.kind) {
          case Fault::Kind::silent: return true;
          case Fault::Kind::close: close(connection); return false;
          case Fault::Kind::delay: delay += fault.delay; break;
          case Fault::Kind::garbage: garbage = true; break;
          case Fault::Kind::exception:
            pdu[1] = static_cast<char>(fault.exception);
            refused = true;
            break;
        }
      }
      if (!refused) {
        pdu = unit->second.registers.answer(frame.pdu, std::chrono::duration<double>(since).count());
      }
    }
    served.fetch_add(1, std::memory_order_relaxed);
    std::string bytes;
    bytes.reserve(kHeaderSize + pdu.size());
    if (connection->port.endpoint.rtu()) {
      encode_rtu(bytes, frame.unit, pdu);
      if (garbage) bytes.back() = static_cast<char>(bytes.back() ^ 0x55);
      return answer(connection, std::move(bytes), delay);
    }
    for (const unsigned word :
         {unsigned{frame.transaction}, garbage ? 77u : 0u, static_cast<unsigned>(pdu.size() + 1)}) {
      bytes.push_back(static_cast<char>(word >> 8 & 0xff));
      bytes.push_back(static_cast<char>(word & 0xff));
    }
    bytes.push_back(static_cast<char>(frame.unit));
    bytes += pdu;
    return answer(connection, std::move(bytes), delay);
  }

  bool answer(Connections::iterator connection, std::string bytes, Duration delay) {
    if (delay == Duration::zero()) {
      connection->output += bytes;
      return true;
    }
    ++connection->delayed;
    loop.after(delay, [this, connection, bytes = std::move(bytes)] {
      --connection->delayed;
      if (connection->is_open()) {
        connection->output += bytes;
        flush(connection);
      } else if (connection->delayed == 0) {
        connections.erase(connection);
      }
    });
    return true;
  }

  void flush(Connections::iterator connection) {
    while (!connection->output.empty()) {
      const ssize_t sent = transmit(*connection);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno != EAGAIN) return hung_up(connection);
      if (sent <= 0) break;
      connection->output.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection->output.size() > kOutputMax) return close(connection);
    const bool wants = !connection->output.empty();
    if (wants == connection->writing || connection->waiting) return;
    connection->writing = wants;
    loop.change(connection->fd(),
                wants ? EventLoop::kReadable | EventLoop::kWritable : std::uint32_t{EventLoop::kReadable});
  }

  const ports::SimulationOptions options;
  const system::Clock& clock;
  EventLoop loop;
  std::mt19937_64 chance;
  BootTime started{};
  std::list<Port> ports;
  Connections connections;
  std::atomic<std::uint64_t> served{0};
};

Simulator::Simulator(const SourceOptions& source, ports::SimulationOptions options, const system::Clock& clock)
    : state_(std::make_unique<State>(std::move(options), clock)) {
  for (const LinkPlan& link : source.links) {
    State::Port& port = state_->ports.emplace_back();
    port.endpoint = link.link.endpoint;
    port.devices = link.devices.size();
    for (const DeviceOptions& device : link.devices) {
      State::Unit& unit =
          port.units.try_emplace(device.unit, State::Unit{SimulatedUnit(state_->options.seed), {}}).first->second;
      if (device.anchors.empty()) {
        unit.registers.add(device.name, device.points);
      } else {
        const SunspecChain chain = chain_for(device.points, device.anchors);
        std::vector<Point> points = place_points(device.points, device.forbidden, device.anchors, chain).points;
        unit.registers.add(chain);
        unit.registers.add(device.name, points);
      }
      for (const Fault& fault : state_->options.faults) {
        if (fits(fault.source, state_->options.source) && fits(fault.device, device.name)) {
          unit.faults.push_back(fault);
        }
      }
    }
  }
}

Simulator::~Simulator() = default;

Result<std::vector<std::string>> Simulator::open() {
  std::vector<std::string> lines;
  for (State::Port& port : state_->ports) {
    if (port.endpoint.transport == Transport::rtu) {
      std::string path = port.endpoint.host;
      if (state_->options.listen.empty()) {
        Result<std::unique_ptr<system::Stream>> line = open_serial(path, port.endpoint.serial, SerialRole::slave);
        if (!line)
          return fail(line.error().code, "rtu://" + path + ": " + line.error().what + "; try --listen 127.0.0.1");
        state_->add_line(port, {}, std::move(*line));
      } else {
        Result<system::Descriptor> pty = open_pty(path);
        if (!pty) return fail(pty.error());
        state_->add_line(port, std::move(*pty), nullptr);
      }
      port.path = path;
      lines.push_back("rtu://" + port.endpoint.host + " -> rtu://" + path + ", " +
                      base::counted(port.devices, "device"));
      continue;
    }
    if (port.endpoint.secure()) {
      lines.push_back("tls://" + port.endpoint.text() + ": not simulated (TLS)");
      continue;
    }
    const std::string host = state_->options.listen.empty() ? port.endpoint.host : state_->options.listen;
    Result<system::Descriptor> socket = listen_at(host, port.endpoint.port);
    // Elsewhere than configured the port may change too: another link's, or one below 1024.
    if (!socket && !state_->options.listen.empty()) socket = listen_at(host, 0);
    if (!socket) {
      return fail(socket.error().code, port.endpoint.text() + ": " + socket.error().what +
                                           (state_->options.listen.empty() ? "; try --listen 127.0.0.1" : ""));
    }
    port.socket = std::move(*socket);
    port.number = port_of(port.socket.get());
    state_->loop.watch(port.socket.get(), EventLoop::kReadable, [this, &port](std::uint32_t) { state_->accept(port); });
    Endpoint served;
    served.host = host;
    served.port = port.number;
    const std::string scheme = port.endpoint.rtu() ? "rtu+tcp://" : "tcp://";
    lines.push_back(scheme + port.endpoint.text() + " -> " + scheme + served.text() + ", " +
                    base::counted(port.devices, "device"));
  }
  return lines;
}

void Simulator::run(std::stop_token stop) {
  state_->started = state_->clock.boot_now();
  state_->loop.run(stop);
}

std::uint64_t Simulator::served() const { return state_->served.load(std::memory_order_relaxed); }

std::uint16_t Simulator::port(std::size_t link) const {
  return std::next(state_->ports.begin(), static_cast<std::ptrdiff_t>(link))->number;
}

std::string Simulator::path(std::size_t link) const {
  return std::next(state_->ports.begin(), static_cast<std::ptrdiff_t>(link))->path;
}

}  // namespace railhead::modbus
