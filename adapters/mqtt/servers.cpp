#include "adapters/mqtt/servers.h"

#include <utility>

#include "adapters/mqtt/packet.h"
#include "gateway/base/assert.h"

namespace railhead::mqtt {
namespace {

// The first address of a Server Reference: "host", "host:port", "[address]:port", several with spaces between.
std::optional<Url> read_reference(std::string_view reference, const Url& from) {
  while (!reference.empty()) {
    const std::size_t end = reference.find(' ');
    const std::string_view word = reference.substr(0, end);
    reference = end == std::string_view::npos ? std::string_view{} : reference.substr(end + 1);
    if (word.empty() || word.find('/') != std::string_view::npos) continue;
    Result<Url> url = parse_url((from.websocket ? from.tls ? "wss://" : "ws://"
                                 : from.tls     ? "mqtts://"
                                                : "mqtt://") +
                                std::string(word) + from.path);
    if (url) return std::move(*url);
  }
  return std::nullopt;
}

}  // namespace

Advice advice_of(std::uint8_t code) {
  switch (code) {
    case reason::kServerUnavailable:
    case reason::kServerBusy:
    case reason::kServerShuttingDown: return Advice::next_server;
    case reason::kBanned:
    case reason::kSessionTakenOver:
    case reason::kMessageRateTooHigh:
    case reason::kQuotaExceeded:
    case reason::kAdministrativeAction:
    case reason::kConnectionRateExceeded: return Advice::later;
    case reason::kUseAnotherServer:
    case reason::kServerMoved: return Advice::other_server;
    default: return Advice::again;
  }
}

Servers::Servers(std::vector<Url> urls, bool follow) : urls_(std::move(urls)), follow_(follow) {
  RAILHEAD_ASSERT(!urls_.empty());
}

void Servers::advance() {
  if (redirected_) {
    redirected_.reset();
    return;
  }
  index_ = (index_ + 1) % urls_.size();
}

bool Servers::redirect(std::string_view reference, bool for_good) {
  if (!follow_) return false;
  if (redirections_ >= kRedirectionsMax) {
    redirections_ = 0;
    return false;
  }
  std::optional<Url> url = read_reference(reference, current());
  if (!url) return false;
  ++redirections_;
  if (for_good) {
    if (!moved_) urls_.insert(urls_.begin(), *url);
    urls_.front() = *url;
    moved_ = true;
    index_ = 0;
    redirected_.reset();
  } else {
    redirected_ = std::move(url);
  }
  return true;
}

}  // namespace railhead::mqtt
