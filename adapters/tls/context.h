// Context: certificates and rules of one peer's TLS connections, read from files; secure(): TLS over any stream.
// Rules: TLS 1.2 at least; the peer's certificate and its name (host name or IP address) are checked unless
//        `verify: false`; no renegotiation, no compression.
// Files are read when the context is made: make a new one for each connect to take renewed certificates (S32).
// Errors: invalid (a file cannot be read or does not fit), from the stream: denied (certificate, name), protocol.
// Threads: a Context may be shared; a stream is one thread's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "adapters/tls/options.h"
#include "gateway/base/result.h"
#include "gateway/system/stream.h"

namespace railhead::tls {

class Context {
 public:
  // `unfit`: gets the name of the option whose file is at fault, if it is one's.
  [[nodiscard]] static Result<std::shared_ptr<const Context>> make(const Options& options,
                                                                   std::string_view* unfit = nullptr);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // `host`: of the URL; a name or an IP address. The stream's own connect is finished first.
  [[nodiscard]] Result<std::unique_ptr<system::Stream>> secure(std::unique_ptr<system::Stream> stream,
                                                               const std::string& host) const;

 private:
  struct State;
  explicit Context(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace railhead::tls
