#include "adapters/panel/led.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/system/descriptor.h"

namespace railhead::panel {
namespace {

// Eight slots of kLedTick, first slot leftmost.
struct Pattern {
  unsigned green;
  unsigned red;
  unsigned green_alone;
};
constexpr std::array<Pattern, 4> kPatterns{{
    {0b11111111, 0b00000000, 0b11111111},  // good
    {0b11110000, 0b00000000, 0b11110000},  // maintenance
    {0b00000000, 0b11110000, 0b10101010},  // out_of_specification
    {0b00000000, 0b11111111, 0b10000000},  // failure
}};
constexpr unsigned kSlots = static_cast<unsigned>(kLedPeriod / kLedTick);
static_assert(kSlots == 8);

// How long udev may take to give us the files that the trigger brings.
constexpr Duration kTriggerSettles = std::chrono::seconds{2};

Result<void> write_attribute(const std::filesystem::path& path, std::string_view text) {
  const system::Descriptor file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!file.valid()) return fail(system_error("open " + path.string(), errno));
  // One attribute is one write: the kernel takes it whole or refuses it.
  if (::write(file.get(), text.data(), text.size()) < 0) return fail(system_error("write " + path.string(), errno));
  return {};
}

std::optional<std::string> read_attribute(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

Lamps lamps(status::HealthState state, BootTime time, bool two_colours) {
  const Pattern& pattern = kPatterns[static_cast<std::size_t>(state)];
  const auto slot = static_cast<unsigned>((time.time_since_epoch() % kLedPeriod) / kLedTick);
  const auto lit = [slot](unsigned slots) { return (slots >> (kSlots - 1 - slot) & 1U) != 0; };
  if (!two_colours) return {lit(pattern.green_alone), false};
  return {lit(pattern.green), lit(pattern.red)};
}

class StatusLeds::Led {
 public:
  explicit Led(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> set(bool lit, BootTime now) {
    if (mode_ == Mode::unknown) {
      if (Result<void> begun = begin(now); !begun) return begun;
    }
    if (mode_ == Mode::pattern) {
      Result<void> done = set_pattern(lit, now);
      if (done) return done;
      if (pattern_worked_) {
        // Somebody took the trigger away: begin afresh with the next tick.
        mode_ = Mode::unknown;
        pattern_worked_ = false;
        lit_.reset();
        return done;
      }
      // Until udev has handed over the trigger's files a refusal is no news; then plain brightness has to do.
      if (now - begun_ < kTriggerSettles) return {};
      mode_ = Mode::plain;
      lit_.reset();
      if (Result<void> freed = write_attribute(folder_ / "trigger", "none"); !freed) return freed;
    }
    return set_plain(lit);
  }

  // Writing 0 to `brightness` also takes the trigger off the LED.
  Result<void> dark() {
    lit_.reset();
    mode_ = Mode::unknown;
    return write_attribute(folder_ / "brightness", "0");
  }

 private:
  enum class Mode { unknown, pattern, plain };

  Result<void> begin(BootTime now) {
    if (std::error_code none; !std::filesystem::exists(folder_ / "brightness", none)) {
      return fail(Errc::unavailable, "there is no LED " + folder_.string());
    }
    const std::optional<std::string> brightest = read_attribute(folder_ / "max_brightness");
    if (brightest) brightest_ = base::parse_uint(base::trim(*brightest)).value_or(1);
    const std::optional<std::string> triggers = read_attribute(folder_ / "trigger");
    bool has_pattern = false;
    for (const std::string_view trigger : base::split(triggers ? *triggers : std::string_view(), ' ')) {
      const std::string_view name = base::trim(trigger);
      if (name == "pattern" || name == "[pattern]") has_pattern = true;
    }
    if (triggers) {
      Result<void> taken = write_attribute(folder_ / "trigger", has_pattern ? "pattern" : "none");
      if (!taken) return taken;
    }
    mode_ = has_pattern ? Mode::pattern : Mode::plain;
    begun_ = now;
    return {};
  }

  Result<void> set_pattern(bool lit, BootTime now) {
    if (lit_ == lit && (!lit || now - refreshed_ < kDeadManRefresh)) return {};
    if (lit_ != lit) {
      const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(kDeadManSpan).count();
      const std::string most = std::to_string(brightest_);
      std::string text("0 1 0 1");
      if (lit) text = most + " " + std::to_string(span) + " " + most + " 0 0 1 0 0";
      // `repeat` first: a new trigger repeats for ever, and we may die between the two writes.
      if (!pattern_worked_) {
        if (Result<void> bounded = write_attribute(folder_ / "repeat", "1"); !bounded) return bounded;
      }
      if (Result<void> written = write_attribute(folder_ / "pattern", text); !written) return written;
    }
    // Starts the pattern from its beginning: the dead man's switch is wound up again.
    if (Result<void> started = write_attribute(folder_ / "repeat", "1"); !started) return started;
    pattern_worked_ = true;
    lit_ = lit;
    refreshed_ = now;
    return {};
  }

  Result<void> set_plain(bool lit) {
    if (lit_ == lit) return {};
    Result<void> done = write_attribute(folder_ / "brightness", lit ? std::to_string(brightest_) : "0");
    if (done) lit_ = lit;
    return done;
  }

  const std::filesystem::path folder_;
  Mode mode_ = Mode::unknown;
  std::uint64_t brightest_ = 1;
  BootTime begun_{};
  BootTime refreshed_{};
  std::optional<bool> lit_;
  bool pattern_worked_ = false;
};

StatusLeds::StatusLeds(LedOptions options, status::Reporter& reporter)
    : options_(std::move(options)), reporter_(reporter) {
  std::string record;
  const auto make = [&](const std::string& name) -> std::unique_ptr<Led> {
    if (name.empty()) return nullptr;
    if (!plain_name(name)) {
      failed_ = true;
      reporter_.report(status::Event::led_failed,
                       {{"led", name}, {"error", "not a name below " + options_.root.string()}});
      return nullptr;
    }
    record += (options_.root / name).string() + "\n";
    return std::make_unique<Led>(options_.root / name);
  };
  green_ = make(options_.green);
  red_ = make(options_.red);
  if (!options_.record.empty() && !record.empty()) {
    std::ofstream file(options_.record, std::ios::trunc);
    file << record;
  }
}

StatusLeds::~StatusLeds() { dark(); }

void StatusLeds::show(status::HealthState state, BootTime now) {
  const bool two_colours = green_ && red_;
  Lamps lit = lamps(state, now, two_colours);
  if (!green_) lit.red = lit.green;  // a red LED alone speaks the language of one
  if (green_) drive(*green_, lit.green, now);
  if (red_) drive(*red_, lit.red, now);
}

void StatusLeds::drive(Led& led, bool lit, BootTime now) {
  const Result<void> done = led.set(lit, now);
  if (done) {
    failed_ = false;
  } else if (!failed_) {
    failed_ = true;
    reporter_.report(status::Event::led_failed, {{"error", done.error().what}});
  }
}

void StatusLeds::dark() {
  for (Led* led : {green_.get(), red_.get()}) {
    if (led == nullptr) continue;
    if (const Result<void> done = led->dark(); !done && !failed_) {
      failed_ = true;
      reporter_.report(status::Event::led_failed, {{"error", done.error().what}});
    }
  }
}

}  // namespace railhead::panel
