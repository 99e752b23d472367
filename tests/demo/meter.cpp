// A stand-in for an Eastron SDM630: a Modbus TCP server that holds the meter's input registers (float32, ABCD) with
// plausible moving values, unit 1 (and any other).
//   meter PORT [--for SECONDS]      PORT 0: a free one. Prints "ready PORT". Ends on SIGTERM or SIGINT with status 0.
// Uses libmodbus, so that it shares no code with the gateway.
#include <arpa/inet.h>
#include <modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

volatile std::sig_atomic_t stopping = 0;
void stop(int) { stopping = 1; }

constexpr int kRegisters = 512;
constexpr std::size_t kConnectionsMax = 200;

// A day in ten minutes: consumption swings, voltages wander a little and drop under load, energies only ever rise.
class Meter {
 public:
  explicit Meter(std::uint16_t* registers) : registers_(registers) {}

  void advance(double seconds) {
    const double day = 2 * M_PI * seconds / 600.0;
    double sum_power = 0;
    double sum_current = 0;
    double sum_voltage = 0;
    double sum_apparent = 0;
    double sum_reactive = 0;
    for (int phase = 0; phase < 3; ++phase) {
      const double own = phase * 2 * M_PI / 3;
      const double power = 1800 + 1200 * std::sin(day + own) + 40 * std::sin(seconds * 1.7 + own);
      const double factor = 0.93 + 0.04 * std::sin(seconds / 17 + own);
      const double voltage = 231.5 - power / 1500 + 0.6 * std::sin(seconds / 7 + own);
      const double apparent = power / factor;
      const double reactive = std::sqrt(apparent * apparent - power * power);
      const double current = apparent / voltage;
      set(2 * phase, voltage);
      set(6 + 2 * phase, current);
      set(12 + 2 * phase, power);
      set(18 + 2 * phase, apparent);
      set(24 + 2 * phase, reactive);
      set(30 + 2 * phase, factor);
      set(36 + 2 * phase, std::acos(factor) * 180 / M_PI);
      set(200 + 2 * phase, voltage * std::sqrt(3.0));
      set(234 + 2 * phase, 1.8 + 0.3 * std::sin(seconds / 23 + own));
      set(240 + 2 * phase, 6.5 + 1.1 * std::sin(seconds / 19 + own));
      set(258 + 2 * phase, current);
      energy_[phase] += power * (seconds - last_) / 3.6e6;
      set(346 + 2 * phase, energy_[phase]);
      set(352 + 2 * phase, 0);
      set(358 + 2 * phase, energy_[phase]);
      sum_power += power;
      sum_current += current;
      sum_voltage += voltage;
      sum_apparent += apparent;
      sum_reactive += reactive;
    }
    last_ = seconds;
    const double energy = energy_[0] + energy_[1] + energy_[2];
    set(42, sum_voltage / 3);
    set(46, sum_current / 3);
    set(48, sum_current);
    set(52, sum_power);
    set(56, sum_apparent);
    set(60, sum_reactive);
    set(62, sum_power / sum_apparent);
    set(66, std::acos(sum_power / sum_apparent) * 180 / M_PI);
    set(70, 50 + 0.02 * std::sin(seconds / 5));
    set(72, energy);
    set(74, 0);
    set(84, sum_power);
    set(86, 9100);
    set(206, sum_voltage / std::sqrt(3.0));
    set(224, 0.4 + 0.1 * std::sin(seconds / 3));
    set(248, 1.8);
    set(250, 6.5);
    set(342, energy);
  }

 private:
  // Why not modbus_set_float_abcd: in libmodbus 3.1.6 it swaps the bytes of each word on little-endian machines.
  void set(int address, double value) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    registers_[address] = static_cast<std::uint16_t>(bits >> 16);
    registers_[address + 1] = static_cast<std::uint16_t>(bits);
  }

  std::uint16_t* registers_;
  double energy_[3] = {4211.73, 3987.12, 4502.40};
  double last_ = 0;
};

int listen_on(int port, int& bound) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return -1;
  }
  bound = ntohs(address.sin_port);
  return fd;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: meter PORT [--for SECONDS]\n");
    return 1;
  }
  const double limit = argc >= 4 && std::string(argv[2]) == "--for" ? std::atof(argv[3]) : 1e18;
  struct sigaction action {};
  action.sa_handler = stop;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  int port = 0;
  const int listener = listen_on(std::atoi(argv[1]), port);
  if (listener < 0) {
    std::perror("meter: listen");
    return 2;
  }
  const std::unique_ptr<modbus_t, decltype(&modbus_free)> context(modbus_new_tcp("127.0.0.1", port), &modbus_free);
  const std::unique_ptr<modbus_mapping_t, decltype(&modbus_mapping_free)> mapping(
      modbus_mapping_new(0, 0, 0, kRegisters), &modbus_mapping_free);
  if (!context || !mapping) return 2;
  modbus_set_indication_timeout(context.get(), 0, 200'000);  // half a request does not stop the others for long

  const double start = seconds_now();
  Meter meter(mapping->tab_input_registers);
  meter.advance(0);
  std::printf("ready %d\n", port);
  std::fflush(stdout);

  std::vector<pollfd> watched{{listener, POLLIN, 0}};
  while (stopping == 0 && seconds_now() - start < limit) {
    if (::poll(watched.data(), watched.size(), 200) < 0) continue;
    meter.advance(seconds_now() - start);
    std::vector<pollfd> kept{{listener, POLLIN, 0}};
    for (std::size_t i = 1; i < watched.size(); ++i) {
      bool open = true;
      if (watched[i].revents != 0) {
        unsigned char request[MODBUS_TCP_MAX_ADU_LENGTH];
        modbus_set_socket(context.get(), watched[i].fd);
        const int length = modbus_receive(context.get(), request);
        open = length >= 0 && (length == 0 || modbus_reply(context.get(), request, length, mapping.get()) >= 0);
      }
      if (open) {
        kept.push_back({watched[i].fd, POLLIN, 0});
      } else {
        ::close(watched[i].fd);
      }
    }
    if ((watched[0].revents & POLLIN) != 0) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      // libmodbus waits with select: higher descriptors would end the program.
      if (fd >= FD_SETSIZE || kept.size() > kConnectionsMax) {
        ::close(fd);
      } else if (fd >= 0) {
        kept.push_back({fd, POLLIN, 0});
      }
    }
    watched = std::move(kept);
  }
  for (const pollfd& one : watched) ::close(one.fd);
  return 0;
}
