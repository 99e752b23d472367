#include "gateway/config/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/config/document.h"

namespace railhead::config {
namespace {

// What is shown of a long line, in code points.
constexpr std::size_t kShownMax = 140;
constexpr std::size_t kBeforeCaret = 60;

bool begins_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
}

// The first `count` code points.
std::string_view head(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  while (end < text.size()) {
    if (begins_code_point(text[end]) && count-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

// A quoted value may hold anything; what is said of it stays on one line of bounded length.
std::string on_one_line(std::string_view text) {
  constexpr std::size_t kMessageMax = 300;
  std::string line(head(text, kMessageMax));
  if (line.size() < text.size()) line += "...";
  std::replace_if(
      line.begin(), line.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x20; }, ' ');
  return line;
}

}  // namespace

SourceText::SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
  }
}

std::string_view SourceText::line(std::uint32_t number) const {
  if (number == 0 || number > line_starts_.size()) return {};
  const std::size_t begin = line_starts_[number - 1];
  const std::size_t end = number < line_starts_.size() ? line_starts_[number] - 1 : text_.size();
  std::string_view line = std::string_view(text_).substr(begin, end - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Mark SourceText::mark_of(std::size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::size_t>(after - line_starts_.begin());
  Mark mark;
  mark.line = static_cast<std::uint32_t>(line);
  mark.column = static_cast<std::uint32_t>(offset - line_starts_[line - 1] + 1);
  return mark;
}

std::size_t SourceText::offset_of(const Mark& mark) const {
  if (mark.line == 0) return 0;
  if (mark.line > line_starts_.size()) return text_.size();
  return std::min(text_.size(), line_starts_[mark.line - 1] + mark.column - 1);
}

void Diagnostics::error(const Mark& mark, std::size_t length, std::string message, std::string hint) {
  ++errors_;
  add({Severity::error, mark, length, std::move(message), std::move(hint)});
}

void Diagnostics::warning(const Mark& mark, std::size_t length, std::string message, std::string hint) {
  ++warnings_;
  add({Severity::warning, mark, length, std::move(message), std::move(hint)});
}

void Diagnostics::error(const Node& at, std::string message, std::string hint) {
  error(at.mark(), at.length(), std::move(message), std::move(hint));
}

void Diagnostics::warning(const Node& at, std::string message, std::string hint) {
  warning(at.mark(), at.length(), std::move(message), std::move(hint));
}

void Diagnostics::add(Diagnostic diagnostic) {
  for (std::string* text : {&diagnostic.message, &diagnostic.hint}) *text = on_one_line(*text);
  const auto same = [&](const Diagnostic& kept) {
    return kept.mark == diagnostic.mark && kept.severity == diagnostic.severity && kept.message == diagnostic.message;
  };
  if (std::any_of(kept_.begin(), kept_.end(), same)) {
    --(diagnostic.severity == Severity::error ? errors_ : warnings_);
    return;
  }
  if (kept_.size() < kKept) kept_.push_back(std::move(diagnostic));
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> all = kept_;
  std::stable_sort(all.begin(), all.end(), [](const Diagnostic& a, const Diagnostic& b) {
    // What names no file comes first, not last.
    return std::tuple(a.mark.file + 1, a.mark.line, a.mark.column) <
           std::tuple(b.mark.file + 1, b.mark.line, b.mark.column);
  });
  return all;
}

std::string Diagnostics::where(const Mark& mark) const {
  const auto source = file(mark.file);
  if (!source) return {};
  if (mark.line == 0) return source->name();
  const std::size_t column = code_points(source->line(mark.line).substr(0, mark.column - 1)) + 1;
  return source->name() + ":" + std::to_string(mark.line) + ":" + std::to_string(column);
}

void Diagnostics::render_one(const Diagnostic& diagnostic, const Style& style, std::string& out) const {
  const auto colour = [&](std::string_view code) {
    return style.colour ? "\033[" + std::string(code) + "m" : std::string();
  };
  const bool is_error = diagnostic.severity == Severity::error;
  const std::string place = where(diagnostic.mark);
  if (!place.empty()) out += colour("1") + place + ": " + colour("0");
  out += colour(is_error ? "1;31" : "1;35") + (is_error ? "error: " : "warning: ") + colour("0") + diagnostic.message;

  const auto source = file(diagnostic.mark.file);
  if (!source || diagnostic.mark.line == 0) {
    if (!diagnostic.hint.empty()) out += "; " + diagnostic.hint;
    out += '\n';
    return;
  }
  out += '\n';
  std::string_view line = source->line(diagnostic.mark.line);
  std::size_t begin = std::min<std::size_t>(diagnostic.mark.column - 1, line.size());
  const std::size_t length = std::max<std::size_t>(1, std::min(diagnostic.length, line.size() - begin));

  std::string_view before = line.substr(0, begin);
  std::string lead;
  if (code_points(line) > kShownMax) {
    if (const std::size_t count = code_points(before); count > kBeforeCaret) {
      before.remove_prefix(head(before, count - kBeforeCaret).size());
      lead = "...";
    }
  }
  std::string_view rest = line.substr(begin);
  const std::size_t room = kShownMax - std::min(kShownMax, lead.size() + code_points(before));
  const std::string_view shown_rest = head(rest, room);
  const std::size_t carets = std::max<std::size_t>(1, code_points(rest.substr(0, std::min(length, shown_rest.size()))));

  std::string shown =
      lead + std::string(before) + std::string(shown_rest) + (shown_rest.size() < rest.size() ? "..." : "");
  std::replace(shown.begin(), shown.end(), '\t', ' ');
  std::string number = std::to_string(diagnostic.mark.line);
  number.insert(0, number.size() < 5 ? 5 - number.size() : 0, ' ');
  out += number + " | " + shown + "\n";
  out += std::string(number.size(), ' ') + " | " + std::string(lead.size() + code_points(before), ' ');
  out += colour("1;32") + std::string(carets, '^') + colour("0");
  if (!diagnostic.hint.empty()) out += "  " + diagnostic.hint;
  out += '\n';
}

std::string Diagnostics::render(const Style& style) const {
  std::string out;
  for (const Diagnostic& diagnostic : sorted()) render_one(diagnostic, style, out);
  if (const std::size_t left = errors_ + warnings_ - kept_.size(); left > 0)
    out += "... and " + std::to_string(left) + " more\n";
  return out;
}

std::string Diagnostics::summary() const {
  std::string text = base::counted(errors_, "error");
  if (warnings_ > 0) text += ", " + base::counted(warnings_, "warning");
  return text;
}

std::uint32_t Diagnostics::add_file(std::shared_ptr<const SourceText> file) {
  RAILHEAD_ASSERT(file != nullptr);
  files_.push_back(std::move(file));
  return static_cast<std::uint32_t>(files_.size() - 1);
}

Diagnostics Diagnostics::beside(std::shared_ptr<FileStore> store) const {
  Diagnostics fresh(std::move(store));
  fresh.files_ = files_;
  return fresh;
}

std::shared_ptr<const SourceText> Diagnostics::file(std::uint32_t index) const {
  return index < files_.size() ? files_[index] : nullptr;
}

}  // namespace railhead::config
