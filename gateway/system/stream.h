// Stream: a non-blocking byte stream; plain TCP here, TLS in adapters/tls. No thread, no loop: the owner watches fd().
// Usage: after connect, watch for what wanted() says; on readiness call handshake() until it gives done, then
// read/write. Errors: unavailable (refused, reset, closed by the peer in the middle), denied (certificate), timeout is
// the owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/system/resolver.h"

namespace railhead::system {

class Stream {
 public:
  enum class Progress : std::uint8_t { done, pending };
  virtual ~Stream() = default;
  [[nodiscard]] virtual int fd() const = 0;
  // Events (EventLoop::kReadable | kWritable) that the stream itself needs now to go on with a handshake, or with a
  // read or write that gave 0 (TLS may need to write in order to read). The owner adds kWritable while it has output.
  [[nodiscard]] virtual std::uint32_t wanted() const = 0;
  // Finishes the TCP connect and any TLS handshake.
  [[nodiscard]] virtual Result<Progress> handshake() = 0;
  // Bytes moved; 0 = would block. A closed peer is an error (unavailable, "closed by the peer").
  [[nodiscard]] virtual Result<std::size_t> read(std::span<char> into) = 0;
  [[nodiscard]] virtual Result<std::size_t> write(std::string_view bytes) = 0;
  // After an error: the peer closed in order, which neither a reset nor a line that is gone looks like.
  [[nodiscard]] virtual bool closed_by_peer() const { return false; }
};

// Starts a non-blocking connect (TCP_NODELAY, keep-alive on).
[[nodiscard]] Result<std::unique_ptr<Stream>> connect_tcp(const Address& address);

}  // namespace railhead::system
