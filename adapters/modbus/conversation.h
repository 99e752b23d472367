// Conversation: one connection on which a command asks one thing after the other and waits for each answer, for
// `railhead probe`. The gateway itself uses Link.
// Errors:  unavailable (no connection, closed), timeout, protocol (an answer that is none). An exception code is an
//          answer. After timeout or protocol the next ask() connects anew: a late answer is never taken for the next.
// Threads: one; ask() blocks for at most connect and answer timeout.
#pragma once

#include <memory>
#include <string>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/endpoint.h"
#include "adapters/tls/options.h"
#include "gateway/base/result.h"

namespace railhead::modbus {

class Conversation {
 public:
  struct Options {
    Endpoint endpoint;
    tls::Options tls;
    Duration connect_timeout = std::chrono::seconds{3};
    Duration timeout = std::chrono::seconds{1};
  };
  struct Answer {
    std::uint8_t exception = 0;  // 0: none
    std::string payload;         // as ReadAnswer
  };

  explicit Conversation(Options options);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  [[nodiscard]] Result<Answer> ask(const ReadRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace railhead::modbus
