// Result<T>: what a call gives when the world may fail. A human's mistake is a config::Diagnostics, the program's an
// assertion. A code exists only if somebody acts differently on it; `what` is a sentence for a person. Context is added
// general first: "kafka sink 'plant': topic 'boiler': message too large".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace railhead {

enum class Errc : std::uint8_t {
  invalid,      // the input is wrong; asking again will not help
  protocol,     // the peer spoke malformed bytes: close the link
  device,       // a field device answered with an exception
  timeout,      // no answer in time: try again later
  unavailable,  // peer or resource not there now: try again later
  full,         // a bound is reached: not taken
  refused,      // the peer refused this one item for good: set it aside
  denied,       // credentials or rights
  io,           // the disk or the operating system failed
  damaged,      // stored bytes are not what was written
  unsupported,  // a newer version or an unknown mandatory feature
  stopped,      // asked to stop
};

[[nodiscard]] std::string_view name_of(Errc code) noexcept;

struct Error {
  Errc code = Errc::invalid;
  std::string what;

  [[nodiscard]] Error in(std::string_view context) const { return {code, std::string(context) + ": " + what}; }
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string what) {
  return tl::unexpected<Error>(Error{code, std::move(what)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// "open /x: No space left on device"; errno is read at the call.
[[nodiscard]] Error system_error(std::string_view what, int error_number);

}  // namespace railhead
