// The page of `panel.http`: /  a status page, /metrics (Prometheus), /status (the JSON document), /healthz, /readyz.
//   /healthz  200 while every part of the gateway turns, else 503: what a restart mends
//   /readyz   200 unless health is failure, else 503 with the first reason
// Only GET and HEAD; nothing can be changed here. No rights are asked for: without a host it listens on the loopback.
// Bounds:   kHttpConnections at once, kHttpIdle without progress, kHttpMemory a connection; a request's body is
// refused. Threads:  its own one; `take_snapshot` is called on it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/status/snapshot.h"

namespace railhead::panel {

inline constexpr unsigned kHttpConnections = 16;
inline constexpr unsigned kHttpConnectionsPerAddress = 8;
inline constexpr std::chrono::seconds kHttpIdle{10};
inline constexpr std::size_t kHttpMemory = std::size_t{16} * 1024;

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
};
// What a path answers: a pure function.
[[nodiscard]] HttpAnswer http_answer(const status::Snapshot& snapshot, std::string_view path);

class HttpPage {
 public:
  // `listen`: "host:port", "[::1]:port", or ":port" for the loopback; port 0 takes a free one.
  // Errors: invalid (no such address), unavailable (the port is taken), denied.
  [[nodiscard]] static Result<std::unique_ptr<HttpPage>> open(const std::string& listen,
                                                              std::function<status::Snapshot()> take_snapshot);
  ~HttpPage();
  HttpPage(const HttpPage&) = delete;
  HttpPage& operator=(const HttpPage&) = delete;
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct State;
  explicit HttpPage(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace railhead::panel
