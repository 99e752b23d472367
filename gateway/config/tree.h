// What a Document is made of; for the files of this room only.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/document.h"

namespace railhead::config {

struct LoadedFile {
  std::uint32_t index = 0;  // in the Diagnostics
  std::shared_ptr<const SourceText> source;
  std::filesystem::path path;
};

struct Entry {
  // broken: there was a mistake, it was reported, nothing more is to be said about it.
  enum class Kind : std::uint8_t { null, scalar, list, map, broken };
  Kind kind = Kind::null;
  Writing writing = Writing::plain;
  bool unfinished = false;  // the file ended in a syntax error before this collection did
  const LoadedFile* file = nullptr;
  std::size_t offset = 0;  // of its first byte in the file
  std::size_t length = 1;
  std::string text;
  std::vector<Member> members;
  std::vector<Node> items;
  std::vector<std::uint32_t> by_name;  // members sorted by name
};

// Entries never move: a Node points at one.
struct Tree {
  std::deque<Entry> entries;
  std::deque<LoadedFile> files;
  const Entry* root = nullptr;

  Entry* add(const LoadedFile* file, std::size_t offset, Entry::Kind kind) {
    Entry& entry = entries.emplace_back();
    entry.file = file;
    entry.offset = offset;
    entry.kind = kind;
    return &entry;
  }
  [[nodiscard]] static Node node(const Entry* entry) { return Node(entry); }
  [[nodiscard]] static const Entry* entry(const Node& node) { return node.entry_; }
};

// Sorts by_name, takes out members whose name stands earlier, and reports them.
void index_members(Entry& map, Diagnostics& diagnostics);

// The YAML of one file into `tree`; its root, or nullptr. Reports; finds further mistakes behind a syntax error.
[[nodiscard]] const Entry* read_yaml(Tree& tree, const LoadedFile& file, Diagnostics& diagnostics);

// One past the last byte of the quoted text that begins at `offset`; npos when it is never closed.
[[nodiscard]] std::size_t end_of_quoted(std::string_view source, std::size_t offset);

// What a YAML parser knew when it failed.
struct SyntaxFailure {
  std::string message;
  std::size_t offset = 0;       // where it noticed
  const Entry* last = nullptr;  // the last scalar, or flow collection ended
  const Entry* open = nullptr;  // the innermost collection still open
};
// Where the mistake really is, in a person's words.
struct SyntaxFault {
  std::size_t offset = 0;
  std::size_t length = 1;
  std::string message;
  std::string hint;
};
[[nodiscard]] SyntaxFault explain(std::string_view source, const SyntaxFailure& failure);
// { topic: a.${b} }: YAML ends a text at the '{'. What is meant is plain, so the template's own marks in the source are
// replaced by bytes that YAML lets pass, each for one, and unshielded() gives the text back. False: it is not that.
[[nodiscard]] bool shield_template(std::string& source, const SyntaxFailure& failure);
[[nodiscard]] std::string unshielded(std::string text);

// Blanks the mistake (the value, or the line, with what is indented below it), so that reading can go on behind it.
// False when there is nothing left to blank. Offsets stay as they are. Returns in `hole` the range blanked.
[[nodiscard]] bool blank_out(std::string& source, const SyntaxFault& fault, std::pair<std::size_t, std::size_t>& hole);

// 'a == "b"' for a hint: single-quoted, as YAML wants it.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace railhead::config
