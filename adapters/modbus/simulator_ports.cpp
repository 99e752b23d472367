#include "adapters/modbus/simulator_ports.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace railhead::modbus {
namespace {

std::string why(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

Result<system::Descriptor> listen_at(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return fail(Errc::invalid, host + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  system::Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail(Errc::io, why("socket"));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0) return fail(Errc::unavailable, why("bind"));
  if (::listen(socket.get(), 128) != 0) return fail(Errc::io, why("listen"));
  return socket;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Result<system::Descriptor> open_pty(std::string& path) {
  system::Descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!master.valid() || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0) {
    return fail(Errc::io, why("pseudo-terminal"));
  }
  char name[128];
  if (::ptsname_r(master.get(), name, sizeof name) != 0) return fail(Errc::io, why("ptsname"));
  path = name;
  termios2 setting{};
  if (::ioctl(master.get(), TCGETS2, &setting) != 0) return fail(Errc::io, why("TCGETS2"));
  setting.c_iflag = setting.c_oflag = setting.c_lflag = 0;  // raw
  if (::ioctl(master.get(), TCSETS2, &setting) != 0) return fail(Errc::io, why("TCSETS2"));
  return master;
}

}  // namespace railhead::modbus
