// The control channel (S35): a Unix stream socket on which one line of JSON asks and one line answers.
//   {"command":"status"}     ->  {"ok":true,"result":{...}}     or  {"ok":false,"error":"..."}
// A client may ask any number of lines, one after the other. Rights are the file's: mode 0660.
// Bounds: kControlClients at once (further ones wait in the kernel), kRequestBytes a request, kClientIdle without a
// request or without reading its answer. A handler runs on the socket's thread: others wait meanwhile.
// Errors: open() says what stands in the way; a running gateway on the same path is never pushed aside.
// Threads: its own; the handler is called on it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/status/snapshot.h"
#include "gateway/system/clock.h"

namespace railhead::panel {

inline constexpr const char* kControlPath = "/run/railhead/control.sock";
inline constexpr std::size_t kControlClients = 16;
inline constexpr std::size_t kRequestBytes = std::size_t{64} * 1024;
inline constexpr Duration kClientIdle = std::chrono::seconds{30};

// Gives the result as JSON text without line ends, or an error for the asker. `line` is the whole request.
using ControlHandler = std::function<Result<std::string>(std::string_view command, std::string_view line)>;

class ControlSocket {
 public:
  // Makes the socket (a stale one is replaced) and starts to serve.
  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>> open(const std::filesystem::path& path,
                                                                   ControlHandler handler, const system::Clock& clock);
  ~ControlSocket();  // ends the thread, removes the socket
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  struct State;
  explicit ControlSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The answers that a snapshot alone gives: "status" (the document), "status_text" (a JSON string), "health"
// ({"state","line","exit"}). nullopt: another command.
[[nodiscard]] std::optional<std::string> answer_from(const status::Snapshot& snapshot, std::string_view command);

}  // namespace railhead::panel
