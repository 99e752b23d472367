#include "gateway/base/result.h"

#include <cerrno>
#include <system_error>

namespace railhead {

std::string_view name_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::protocol: return "protocol";
    case Errc::device: return "device";
    case Errc::timeout: return "timeout";
    case Errc::unavailable: return "unavailable";
    case Errc::full: return "full";
    case Errc::refused: return "refused";
    case Errc::denied: return "denied";
    case Errc::io: return "io";
    case Errc::damaged: return "damaged";
    case Errc::unsupported: return "unsupported";
    case Errc::stopped: return "stopped";
  }
  return "unknown";
}

Error system_error(std::string_view what, int error_number) {
  Errc code = Errc::io;
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: code = Errc::full; break;
    case EACCES:
    case EPERM:
    case EROFS: code = Errc::denied; break;
    case ETIMEDOUT: code = Errc::timeout; break;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE: code = Errc::unavailable; break;
    default: break;
  }
  return {code, std::string(what) + ": " + std::generic_category().message(error_number)};
}

}  // namespace railhead
