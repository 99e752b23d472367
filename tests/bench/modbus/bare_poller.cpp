// No protocol: requests are ready-made bytes, an answer is so many bytes. Devices have the same period and evenly
// spread phases, so the next one due is always the next one round: a timer queue could not be cheaper.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "adapters/modbus/codec.h"
#include "gateway/base/assert.h"
#include "tests/bench/modbus/plant.h"
#include "tests/bench/modbus/pollers.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {
namespace {

struct Device {
  int fd = -1;
  std::size_t block = 0;  // whose answer is awaited
  std::size_t held = 0;   // bytes of it that are there
  bool busy = false;
};

}  // namespace

int run_bare(const Poll& poll) {
  std::vector<std::string> requests;
  std::vector<std::size_t> answers;
  for (const modbus::Block& block : plant_blocks(poll)) {
    modbus::encode_read(requests.emplace_back(), 1, {1, block.table, block.address, block.count});
    answers.push_back(9 + 2 * std::size_t{block.count});
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Device> devices(poll.devices);
  for (unsigned i = 0; i < poll.devices; ++i) {
    Device& device = devices[i];
    device.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(poll.port);
    inet_pton(AF_INET, host_of(i).c_str(), &address.sin_addr);
    RAILHEAD_ASSERT(connect(device.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const int on = 1;
    setsockopt(device.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
    RAILHEAD_ASSERT(epoll_ctl(epoll, EPOLL_CTL_ADD, device.fd, &event) == 0);
  }
  const bool flat_out = poll.every_us == 0;
  const double period = static_cast<double>(poll.every_us) * 1e-6;
  Polled polled;
  const auto ask = [&](Device& device, std::size_t block) {
    device.block = block;
    device.held = 0;
    device.busy = true;
    RAILHEAD_ASSERT(send(device.fd, requests[block].data(), requests[block].size(), MSG_NOSIGNAL) > 0);
  };
  const double begin = wall_seconds();
  double counted_from = 0;
  double cpu = 0;
  std::uint64_t tick = 0;  // of all devices: device tick % devices, in round tick / devices
  const auto due_of = [&](std::uint64_t number) {
    return begin + period * static_cast<double>(number) / static_cast<double>(poll.devices);
  };
  if (flat_out) {
    for (Device& device : devices) ask(device, 0);
  }
  std::array<epoll_event, 64> ready{};
  std::array<unsigned char, 65536> buffer;
  for (;;) {
    double now = wall_seconds();
    if (counted_from == 0 && now - begin >= poll.warm_up) {
      counted_from = now;
      cpu = thread_cpu_seconds();
      polled = {};
    }
    if (now - begin >= poll.warm_up + poll.seconds) break;
    timespec timeout{1, 0};
    if (!flat_out) {
      const double wait = std::max(0.0, due_of(tick) - now);
      timeout = {static_cast<time_t>(wait),
                 static_cast<long>((wait - static_cast<double>(static_cast<time_t>(wait))) * 1e9)};
    }
    const int count = epoll_pwait2(epoll, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Device& device = devices[ready[static_cast<std::size_t>(i)].data.u32];
      const ssize_t got = recv(device.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) return 1;
      for (std::size_t j = 0; j < static_cast<std::size_t>(got); ++j) polled.checksum += buffer[j];
      device.held += static_cast<std::size_t>(got);
      if (device.held < answers[device.block]) continue;
      ++polled.polls;
      if (device.block + 1 < requests.size()) {
        ask(device, device.block + 1);
      } else if (flat_out) {
        ask(device, 0);
      } else {
        device.busy = false;
      }
    }
    if (flat_out) continue;
    now = wall_seconds();
    for (; due_of(tick) <= now; ++tick) {
      Device& device = devices[static_cast<std::size_t>(tick % poll.devices)];
      if (!device.busy) ask(device, 0);
    }
  }
  polled.seconds = wall_seconds() - counted_from;
  polled.cpu = thread_cpu_seconds() - cpu;
  polled.points = polled.polls * poll.points / requests.size();
  std::printf("%.6f %.6f %llu %llu %llu 0\n", polled.seconds, polled.cpu, static_cast<unsigned long long>(polled.polls),
              static_cast<unsigned long long>(polled.points), static_cast<unsigned long long>(polled.checksum));
  std::fflush(stdout);
  return 0;
}

}  // namespace railhead::bench
