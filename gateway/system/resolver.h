// Resolver: host names to addresses on its own thread, so that a slow name server never blocks an event loop.
// Errors: unavailable (the name does not resolve now). Numeric addresses are answered at once, without the thread.
// Threads: resolve() and the callbacks belong to the loop's thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/system/event_loop.h"

namespace railhead::system {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] std::string text() const;  // "10.0.0.1:502", "[::1]:502"
};

class Resolver {
 public:
  using OnResolved = std::function<void(Result<std::vector<Address>>)>;
  using Ticket = std::uint64_t;

  explicit Resolver(EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls back once, never from within this call.
  Ticket resolve(const std::string& host, std::uint16_t port, OnResolved on_resolved);
  // The callback will not come. The look-up itself may still run to its end.
  void cancel(Ticket ticket);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace railhead::system
