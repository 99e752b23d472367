// The other end of the control channel: what `railhead status`, `health`, `top` and `reload` do.
// The commands give the program's exit code: health 0, 1, 2 by state; the others 0, or 1 when the gateway refused
// (a new configuration with mistakes); 2 also means that no gateway answered: why is on `err`, for health on `out`.
// Threads: one caller; calls block at most kAnswerWithin (top: until stopped).
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/value.h"

namespace railhead::panel {

inline constexpr Duration kAnswerWithin = std::chrono::seconds{60};
inline constexpr std::size_t kAnswerBytes = std::size_t{64} * 1024 * 1024;

// Asks one command and gives the result's JSON text. Errc::unavailable: no gateway there; denied: no right to ask;
// timeout: it does not answer; refused: its own refusal, in its words.
[[nodiscard]] Result<std::string> ask(const std::filesystem::path& socket, std::string_view command);
// The same with a whole request, {"command":...} and what belongs to it, without line ends.
[[nodiscard]] Result<std::string> ask_line(const std::filesystem::path& socket, const std::string& request);

enum class StatusForm { text, json };
int run_status(const std::filesystem::path& socket, StatusForm form, std::ostream& out, std::ostream& err);
int run_health(const std::filesystem::path& socket, std::ostream& out, std::ostream& err);
int run_reload(const std::filesystem::path& socket, std::ostream& out, std::ostream& err);

// Redraws about once a second until `wait` (which waits that second) says false.
int run_top(const std::filesystem::path& socket, const std::function<bool()>& wait, std::ostream& out,
            std::ostream& err);
// "readings 4987/s  plant-kafka 4990.5/s": from two status documents that lie `span` apart.
[[nodiscard]] std::string rates_line(const Value& before, const Value& now, Duration span);

}  // namespace railhead::panel
