#include "tests/bench/modbus/field.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "gateway/base/assert.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {
namespace {

constexpr std::size_t kRequest = 12;

struct Peer {
  std::array<unsigned char, 4096> input;
  std::size_t held = 0;
  std::vector<double> arrivals;
};

// All registers there are, as bytes on the wire.
const std::vector<unsigned char>& registers() {
  static const std::vector<unsigned char> kAll = [] {
    std::vector<unsigned char> all(2 * 65536 + 512);
    for (unsigned at = 0; at + 1 < 65536; at += 2) {
      const auto bits = std::bit_cast<std::uint32_t>(value_at(at));
      for (unsigned i = 0; i < 4; ++i) all[2 * at + i] = static_cast<unsigned char>(bits >> (24 - 8 * i));
    }
    return all;
  }();
  return kAll;
}

double lateness(const std::vector<Peer*>& peers, double share) {
  std::vector<double> late;
  for (const Peer* peer : peers) {
    if (peer->arrivals.size() < 4) continue;
    double least = 1;
    std::vector<double> offsets;
    for (std::size_t i = 1; i < peer->arrivals.size(); ++i) {  // the first one waited for the connection
      const double since = peer->arrivals[i] - peer->arrivals[1];
      offsets.push_back(since - std::round(since));
      least = std::min(least, offsets.back());
    }
    for (const double offset : offsets) late.push_back(offset - least);
  }
  return percentile(std::move(late), share);
}

}  // namespace

int run_field() {
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;  // every loopback address
  RAILHEAD_ASSERT(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  RAILHEAD_ASSERT(listen(listening, 4096) == 0);
  socklen_t size = sizeof address;
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("port %u\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [&](int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    RAILHEAD_ASSERT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  };
  watch(listening, EPOLLIN);
  watch(0, EPOLLIN);
  std::vector<std::unique_ptr<Peer>> peers;  // by descriptor
  std::vector<Peer*> all;
  Tally tally;
  std::array<epoll_event, 256> ready{};
  std::vector<unsigned char> answers;
  const std::vector<unsigned char>& cells = registers();
  for (bool stop = false; !stop;) {
    const int count = epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
    const double now = wall_seconds();
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      if (fd == 0) {
        stop = true;
      } else if (fd == listening) {
        for (int one = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); one >= 0;
             one = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) {
          const int on = 1;
          setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          const auto at = static_cast<std::size_t>(one);
          if (peers.size() <= at) peers.resize(at + 1);
          peers[at] = std::make_unique<Peer>();
          all.push_back(peers[at].get());
          watch(one, EPOLLIN);
        }
      } else {
        Peer& peer = *peers[static_cast<std::size_t>(fd)];
        const ssize_t got = recv(fd, peer.input.data() + peer.held, peer.input.size() - peer.held, 0);
        if (got <= 0) {
          epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
          close(fd);
          continue;
        }
        peer.held += static_cast<std::size_t>(got);
        answers.clear();
        std::size_t at = 0;
        for (; at + kRequest <= peer.held; at += kRequest) {
          const unsigned char* request = peer.input.data() + at;
          const unsigned first = unsigned{request[8]} << 8 | request[9];
          const unsigned bytes = 2 * (unsigned{request[10]} << 8 | request[11]);
          const unsigned length = bytes + 3;
          const unsigned char head[9] = {request[0],
                                         request[1],
                                         0,
                                         0,
                                         static_cast<unsigned char>(length >> 8),
                                         static_cast<unsigned char>(length),
                                         request[6],
                                         request[7],
                                         static_cast<unsigned char>(bytes)};
          answers.insert(answers.end(), head, head + sizeof head);
          answers.insert(answers.end(), cells.data() + 2 * first, cells.data() + 2 * first + bytes);
          for (unsigned j = 0; j < bytes; ++j) tally.checksum += cells[2 * first + j];
          ++tally.requests;
          if (peer.arrivals.size() < 400) peer.arrivals.push_back(now);
        }
        peer.held -= at;
        std::memmove(peer.input.data(), peer.input.data() + at, peer.held);
        tally.bytes += answers.size();
        RAILHEAD_ASSERT(answers.empty() || send(fd, answers.data(), answers.size(), MSG_NOSIGNAL) != 0);
      }
    }
  }
  tally.late_p50 = lateness(all, 0.5);
  tally.late_p99 = lateness(all, 0.99);
  std::printf("tally %llu %llu %llu %.9f %.9f end\n", static_cast<unsigned long long>(tally.requests),
              static_cast<unsigned long long>(tally.bytes), static_cast<unsigned long long>(tally.checksum),
              tally.late_p50, tally.late_p99);
  return 0;
}

Field::Field(const std::string& self, int core) {
  pin_to({core});
  test::Process::Options options;
  options.with_input = true;
  process_ = std::make_unique<test::Process>(std::vector<std::string>{self, "--field"}, options);
  RAILHEAD_ASSERT(process_->wait_for("\n", std::chrono::seconds{10}));
  std::istringstream words(process_->output());
  std::string word;
  words >> word >> port_;
}

Tally Field::tally() {
  process_->close_input();
  RAILHEAD_ASSERT(process_->wait(std::chrono::seconds{20}) == 0);
  std::istringstream words(process_->output());
  std::string word;
  while (words >> word && word != "tally") {
  }
  Tally tally;
  words >> tally.requests >> tally.bytes >> tally.checksum >> tally.late_p50 >> tally.late_p99;
  return tally;
}

}  // namespace railhead::bench
