#include "adapters/mqtt/trial.h"

#include <algorithm>
#include <array>
#include <memory>

#include "adapters/mqtt/link.h"
#include "adapters/tls/context.h"
#include "gateway/system/clock.h"
#include "gateway/system/event_loop.h"

namespace railhead::mqtt {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds{100};
// TLS 1.3: a server refuses our certificate only after the handshake is over for us [RFC 8446 4.4.2.4].
constexpr Duration kLastWord = std::chrono::seconds{1};

class Trial final : public Link::Owner {
 public:
  explicit Trial(const system::Clock& clock) : loop_(clock), link_(loop_, *this) {}

  std::optional<Error> run(const Url& url, std::shared_ptr<const tls::Context> tls, Duration at_most,
                           const std::stop_token& stop, const std::function<void()>& waiting) {
    until_ = loop_.now() + at_most;
    last_word_ = url.tls ? kLastWord : Duration::zero();
    link_.open(url, std::move(tls));
    while (!why_ && loop_.now() < until_ && !stop.stop_requested()) {
      loop_.run_once(std::min<Duration>(kSlice, until_ - loop_.now()));
      waiting();
    }
    link_.close();
    return why_;
  }

 private:
  void on_link_up() override { until_ = std::min(until_, loop_.now() + last_word_); }
  void on_link_ready(bool) override {
    std::array<char, 256> ignored;
    if (const Result<std::size_t> got = link_.read(ignored); !got) {
      why_ = got.error();
      link_.close();
    }
  }
  void on_link_lost(const Error& why) override { why_ = why; }

  system::EventLoop loop_;
  Link link_;
  BootTime until_{};
  Duration last_word_{};
  std::optional<Error> why_;
};

}  // namespace

std::optional<Error> trial(const Url& url, const tls::Options& tls, Duration at_most, const std::stop_token& stop,
                           const std::function<void()>& waiting) {
  std::shared_ptr<const tls::Context> context;
  if (url.tls) {
    tls::Options options = tls;
    if (url.websocket && options.alpn.empty()) options.alpn = {"http/1.1"};
    Result<std::shared_ptr<const tls::Context>> made = tls::Context::make(options);
    if (!made) return made.error();
    context = std::move(*made);
  }
  const system::SystemClock clock;
  return Trial(clock).run(url, std::move(context), at_most, stop, waiting);
}

}  // namespace railhead::mqtt
