#include "tests/bench/mqtt/bare_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/bench/mqtt/wire.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {

int run_bare_client(const BareClient& client) {
  const int fd = connect_to_loopback(client.port);
  int file = -1;
  if (!client.file.empty()) {
    file = open(client.file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    RAILHEAD_ASSERT(file >= 0);
    // As the spool does: the blocks are there before they are written.
    RAILHEAD_ASSERT(posix_fallocate(file, 0, static_cast<off_t>(client.messages * (client.overhead + 260))) == 0);
    RAILHEAD_ASSERT(fdatasync(file) == 0);
  }
  send_all(fd, connect_packet(client.client_id));
  send_all(fd, subscribe_packet("bare/#"));
  constexpr std::size_t kRead = 256 * 1024;
  std::string buffer(2 * kRead, '\0');
  std::size_t held = 0;
  std::string writing;
  std::string pubacks;
  std::uint64_t done = 0;
  std::uint64_t syncs = 0;
  std::uint32_t checksum = 0;
  double begin = 0;
  double cpu = 0;
  while (done < client.messages) {
    const ssize_t got = recv(fd, buffer.data() + held, kRead, 0);
    if (got <= 0) return 1;
    held += static_cast<std::size_t>(got);
    std::size_t at = 0;
    writing.clear();
    pubacks.clear();
    while (const auto packet = first_packet(std::string_view(buffer).substr(at, held - at))) {
      at += packet->bytes;
      if ((packet->first & 0xf0U) != 0x30U) continue;
      if (done == 0) {
        begin = wall_seconds();
        cpu = process_cpu_seconds();
      }
      ++done;
      const std::string_view payload = payload_of(*packet);
      checksum = base::crc32c(payload, checksum);
      if (file >= 0) {
        writing.append(client.overhead, '\1');
        writing.append(payload);
      }
      if ((packet->first & 0x06U) != 0) append_puback(pubacks, packet_id_of(*packet));
    }
    if (!writing.empty()) {
      RAILHEAD_ASSERT(write(file, writing.data(), writing.size()) == static_cast<ssize_t>(writing.size()));
      RAILHEAD_ASSERT(fdatasync(file) == 0);
      ++syncs;
    }
    if (!pubacks.empty()) send_all(fd, pubacks);
    buffer.erase(0, at);
    held -= at;
    buffer.resize(held + kRead);
  }
  std::printf("%.6f %.6f %u %llu\n", wall_seconds() - begin, process_cpu_seconds() - cpu, checksum,
              static_cast<unsigned long long>(syncs));
  std::fflush(stdout);
  // The last acknowledgements must arrive: a broker answers the end with its own, the blaster does not.
  shutdown(fd, SHUT_WR);
  const timeval bound{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  char byte = 0;
  while (recv(fd, &byte, 1, 0) > 0) {
  }
  close(fd);
  if (file >= 0) close(file);
  return 0;
}

}  // namespace railhead::bench
