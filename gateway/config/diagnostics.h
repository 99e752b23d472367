// Diagnostics: what a human did wrong in his files, all of it at once, each with file:line:column, the line, a caret
// run and a hint:
//   rules.d/boiler.yaml:14:17: error: no point 'tempertaure' on device 'boiler-1'
//      14 |     when: value.tempertaure > 80
//         |                 ^^^^^^^^^^^  did you mean 'temperature'?
// Shapes:  never more than these three lines each; a long line is cut around its caret.
// Units:   Mark.column and lengths count bytes; what is shown counts code points.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/file_store.h"

namespace railhead::config {

class Node;

// A place in a file: 1-based line and column (in bytes). `file` is an index into the table of files of the Diagnostics
// the document was loaded with. Line 0: the file as a whole. The default mark names no file at all.
struct Mark {
  static constexpr std::uint32_t kNoFile = 0xffffffff;
  std::uint32_t file = kNoFile;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend auto operator<=>(const Mark&, const Mark&) = default;
};

enum class Severity : std::uint8_t { error, warning };

// What of the certificates and keys that a part names is an error, not a warning: they are read again at each connect,
// and may lie on another machine.
enum class Files : std::uint8_t {
  may_be_bad,      // nothing: a gateway starts all the same, the part tries until they are mended
  may_be_missing,  // what is there must be usable
  must_fit,        // all must be there and usable: a connection is about to be replaced by one with them
};

struct Diagnostic {
  Severity severity = Severity::error;
  Mark mark;
  std::size_t length = 1;  // of the caret run, in bytes of the line
  std::string message;
  std::string hint;
};

// The text of one file, kept as long as somebody may point into it.
class SourceText {
 public:
  SourceText(std::string name, std::string text);
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  // Without its line end; empty beyond the last line. 1-based.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;
  // Byte offset <-> 1-based line and column (of a Mark whose file the caller sets).
  [[nodiscard]] Mark mark_of(std::size_t offset) const;
  [[nodiscard]] std::size_t offset_of(const Mark& mark) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

class Diagnostics {
 public:
  Diagnostics() : store_(std::make_shared<FileStore>()) {}
  // Files are read from `store`.
  explicit Diagnostics(std::shared_ptr<FileStore> store) : store_(std::move(store)) {}

  // Beyond this many errors (and warnings) the rest is only counted.
  static constexpr std::size_t kKept = 200;

  struct Style {
    bool colour = false;
  };

  void error(const Mark& mark, std::size_t length, std::string message, std::string hint = {});
  void warning(const Mark& mark, std::size_t length, std::string message, std::string hint = {});
  // At a node: the caret run covers it.
  void error(const Node& at, std::string message, std::string hint = {});
  void warning(const Node& at, std::string message, std::string hint = {});

  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] std::size_t error_count() const { return errors_; }
  [[nodiscard]] std::size_t warning_count() const { return warnings_; }
  // In the order of files, lines and columns; what was said twice of one place stands once.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;
  // Every diagnostic as text, each ended by a newline; "" if there is none.
  [[nodiscard]] std::string render(const Style& style) const;
  [[nodiscard]] std::string render() const { return render(Style{}); }
  // "2 errors, 1 warning".
  [[nodiscard]] std::string summary() const;

  // Of the parts that are read from now on.
  void set_files(Files files) { files_rule_ = files; }
  [[nodiscard]] Files files() const { return files_rule_; }

  // An empty one for what is found later in the same files, read from `store`.
  [[nodiscard]] Diagnostics beside(std::shared_ptr<FileStore> store) const;

  // For those who load files: where they are read from.
  [[nodiscard]] FileStore& store() const { return *store_; }
  // Registers a text, gives its index for marks.
  std::uint32_t add_file(std::shared_ptr<const SourceText> file);
  [[nodiscard]] std::shared_ptr<const SourceText> file(std::uint32_t index) const;
  // "railhead.yaml:14:17" for use inside a hint.
  [[nodiscard]] std::string where(const Mark& mark) const;

 private:
  void add(Diagnostic diagnostic);
  void render_one(const Diagnostic& diagnostic, const Style& style, std::string& out) const;

  std::shared_ptr<FileStore> store_;
  std::vector<std::shared_ptr<const SourceText>> files_;
  std::vector<Diagnostic> kept_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
  Files files_rule_ = Files::may_be_missing;
};

}  // namespace railhead::config
