// Servers: which broker to connect to next: the configured ones in turn, and where a broker sends us (Server Reference,
// [5 4.11]) if that is allowed. And what a reason code that ended a connection means for the next try.
// Bounds:  kRedirectionsMax redirections in a row without a connection that lived; then the next is refused, for the
//          owner to wait, and the row begins anew with the configured ones.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "adapters/mqtt/url.h"

namespace railhead::mqtt {

// What a broker's reason code asks of the next connection [5 2.4].
enum class Advice : std::uint8_t {
  again,         // to the same broker, after the usual backoff
  next_server,   // this one cannot serve now: another one, if there is one
  later,         // it wants to see less of us: a long backoff
  other_server,  // it names another one (0x9c for now, 0x9d for good)
};
[[nodiscard]] Advice advice_of(std::uint8_t reason);

class Servers {
 public:
  static constexpr unsigned kRedirectionsMax = 3;

  Servers(std::vector<Url> urls, bool follow);

  [[nodiscard]] const Url& current() const { return redirected_ ? *redirected_ : urls_[index_]; }
  // The one tried last did not serve: the next configured one.
  void advance();
  // Goes where `reference` says, with the same kind of connection (never from TLS to plain). `for_good`: also after it
  // was lost. False: not allowed, not readable, or too many in a row.
  [[nodiscard]] bool redirect(std::string_view reference, bool for_good);
  // A connection stands.
  // A connection stood for system::Backoff::kStable: it ends a row. Not the CONNACK: a broker may send away after it.
  void lived() { redirections_ = 0; }

 private:
  std::vector<Url> urls_;
  const bool follow_;
  std::size_t index_ = 0;
  std::optional<Url> redirected_;
  bool moved_ = false;  // urls_.front() was learned from a broker
  unsigned redirections_ = 0;
};

}  // namespace railhead::mqtt
