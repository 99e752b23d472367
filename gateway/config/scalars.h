// The scalar types a field may have besides numbers and texts, and how each is written. Converters are strict: `true`
// and `false` are the only booleans, integers are decimal, a number stands without quotes, a quantity has its unit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/strong.h"
#include "gateway/base/time.h"
#include "gateway/config/document.h"

namespace railhead::config {

// "2 GiB".
using ByteSize = Strong<struct ByteSizeTag, std::uint64_t>;

// "500/s", "10/min".
struct Rate {
  double per_second = 0;
  friend bool operator==(const Rate&, const Rate&) = default;
};

// A decimal kept exactly: digits * 10^exponent, so 0.1 is {1, -1} (S24).
struct Decimal {
  std::int64_t digits = 0;
  std::int32_t exponent = 0;
  friend bool operator==(const Decimal&, const Decimal&) = default;
};
// "0.1", "-12.50", "3", "1e-3"; nullopt beyond 18 digits or places, or for anything else.
[[nodiscard]] std::optional<Decimal> parse_decimal(std::string_view text);

// A secret is read late, at each use, so that a changed file counts without a restart (S32). It is never printed.
class Secret {
 public:
  Secret() = default;
  [[nodiscard]] static Secret plain(std::string value);
  [[nodiscard]] static Secret in_file(std::filesystem::path path);
  [[nodiscard]] static Secret in_environment(std::string name);

  [[nodiscard]] bool present() const { return kind_ != Kind::none; }
  // The value without the line end of a file; Errc::invalid if there is none, Errc::io if the file cannot be read.
  [[nodiscard]] Result<std::string> read() const;
  // The file to watch; empty if it is not one.
  [[nodiscard]] std::filesystem::path file() const;
  // "file secrets/kafka", "environment KAFKA_PASSWORD", "in the configuration"; never the value.
  [[nodiscard]] std::string origin() const;
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  enum class Kind : std::uint8_t { none, plain, file, environment };
  Kind kind_ = Kind::none;
  std::string text_;
};

// A value together with where it was written, for checks that come later.
template <class T>
struct Located {
  T value{};
  Mark mark;
  std::size_t length = 1;
};

// The text of a scalar field, be it written, `{ env: NAME }` or `{ file: path }` (S30). Reports and gives nullopt when
// it is none of these, the variable is not set or the file cannot be read. `what` is what is due: "a topic".
[[nodiscard]] std::optional<std::string> read_text(const Node& node, std::string_view what, Diagnostics& diagnostics);
// True for the two indirect forms.
[[nodiscard]] bool is_indirect(const Node& node);

// Names of the gateway, sources, sinks, models, tables: [A-Za-z0-9_.-]{1,64}. Gives what is wrong, or "".
[[nodiscard]] std::string name_fault(std::string_view name);

}  // namespace railhead::config
