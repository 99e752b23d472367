#include "gateway/config/scalars.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "gateway/base/text.h"

namespace railhead::config {
namespace {

constexpr std::size_t kSecretBytesMax = 64 * 1024;

Result<std::string> first_text_of(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return fail(system_error("open " + path.string(), errno));
  std::string text(kSecretBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(system_error("read " + path.string(), errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kSecretBytesMax) return fail(Errc::invalid, path.string() + " is larger than 64 KiB");
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  constexpr int kDigitsMax = 18;
  Decimal decimal;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int digits = 0;
  bool point = false;
  bool any = false;
  std::int64_t power = 0;
  if (const std::size_t letter = text.find_first_of("eE"); letter != std::string_view::npos) {
    std::string_view written = text.substr(letter + 1);
    if (written.starts_with("+") && !written.starts_with("+-")) written.remove_prefix(1);
    const auto found = base::parse_int(written);
    if (!found || *found < -kDigitsMax || *found > kDigitsMax) return std::nullopt;
    power = *found;
    text = text.substr(0, letter);
  }
  for (const char byte : text) {
    if (byte == '.' && !point) {
      point = true;
      continue;
    }
    if (byte < '0' || byte > '9') return std::nullopt;
    any = true;
    if (decimal.digits != 0 || byte != '0') ++digits;
    if (digits > kDigitsMax) return std::nullopt;
    decimal.digits = decimal.digits * 10 + (byte - '0');
    if (point) --decimal.exponent;
  }
  if (decimal.digits != 0) decimal.exponent += static_cast<std::int32_t>(power);
  if (!any || decimal.exponent < -kDigitsMax) return std::nullopt;
  while (decimal.exponent < 0 && decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    ++decimal.exponent;
  }
  if (negative) decimal.digits = -decimal.digits;
  return decimal;
}

Secret Secret::plain(std::string value) {
  Secret secret;
  secret.kind_ = Kind::plain;
  secret.text_ = std::move(value);
  return secret;
}

Secret Secret::in_file(std::filesystem::path path) {
  Secret secret;
  secret.kind_ = Kind::file;
  secret.text_ = path.string();
  return secret;
}

Secret Secret::in_environment(std::string name) {
  Secret secret;
  secret.kind_ = Kind::environment;
  secret.text_ = std::move(name);
  return secret;
}

Result<std::string> Secret::read() const {
  switch (kind_) {
    case Kind::none: return fail(Errc::invalid, "no secret is configured");
    case Kind::plain: return text_;
    case Kind::file: return first_text_of(text_);
    case Kind::environment: break;
  }
  const char* value = std::getenv(text_.c_str());
  if (value == nullptr) return fail(Errc::invalid, "the environment variable " + text_ + " is not set");
  return std::string(value);
}

std::filesystem::path Secret::file() const {
  return kind_ == Kind::file ? std::filesystem::path(text_) : std::filesystem::path();
}

std::string Secret::origin() const {
  switch (kind_) {
    case Kind::none: return "none";
    case Kind::plain: return "in the configuration";
    case Kind::file: return "file " + text_;
    case Kind::environment: break;
  }
  return "environment " + text_;
}

bool is_indirect(const Node& node) {
  const auto members = node.members();
  return members.size() == 1 && (members[0].name() == "env" || members[0].name() == "file") &&
         members[0].value.is_scalar();
}

std::optional<std::string> read_text(const Node& node, std::string_view what, Diagnostics& diagnostics) {
  if (node.is_scalar()) return std::string(node.text());
  if (node.is_broken() || !node.present()) return std::nullopt;
  if (!is_indirect(node)) {
    diagnostics.error(node, "expected " + std::string(what) + ", not " + std::string(node.kind_name()));
    return std::nullopt;
  }
  const Member& member = node.members()[0];
  const bool in_file = member.name() == "file";
  const Result<std::string> text = in_file ? Secret::in_file(member.value.resolve(member.value.text())).read()
                                           : Secret::in_environment(std::string(member.value.text())).read();
  if (text) return *text;
  diagnostics.error(member.value, text.error().what);
  return std::nullopt;
}

std::string name_fault(std::string_view name) {
  constexpr std::size_t kNameBytesMax = 64;
  if (name.empty()) return "a name must not be empty";
  if (name.size() > kNameBytesMax) return "a name has at most 64 characters";
  const bool plain = std::all_of(name.begin(), name.end(), [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '.' || byte == '-';
  });
  return plain ? "" : "a name is made of letters, digits, '_', '.' and '-'";
}

}  // namespace railhead::config
