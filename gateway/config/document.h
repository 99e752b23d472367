// Document: YAML files as an immutable tree of our own, each node with its place. The strict subset of YAML 1.2 that a
// configuration needs: no anchors, aliases, merge keys or tags with a meaning, no duplicate keys, one document a file.
// Bounds:  kFileBytesMax a file, kFilesMax files, kNodesMax nodes, kDepthMax levels. All are diagnostics, never a
// crash. Errors:  everything goes to Diagnostics; what could be read is in the tree, so later checks may report more.
// Lifetime: a Node is a cheap handle; it is valid while its Document lives.
// Threads: a loaded Document is immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/config/diagnostics.h"

namespace railhead::config {

inline constexpr std::size_t kFileBytesMax = 1024 * 1024;
inline constexpr std::size_t kFilesMax = 1000;
inline constexpr std::size_t kNodesMax = 250'000;
inline constexpr std::size_t kDepthMax = 64;

struct Tree;
struct Entry;
struct Member;

// How a scalar or a collection was written.
enum class Writing : std::uint8_t { plain, single_quoted, double_quoted, literal, folded, block, flow };

class Node {
 public:
  Node() = default;  // absent

  [[nodiscard]] bool present() const { return entry_ != nullptr; }
  [[nodiscard]] bool is_null() const;  // nothing was written, or `null` or `~`
  [[nodiscard]] bool is_scalar() const;
  [[nodiscard]] bool is_list() const;
  [[nodiscard]] bool is_map() const;
  [[nodiscard]] Writing writing() const;
  [[nodiscard]] bool quoted() const;  // 'x' or "x"
  // A mistake was reported here already: it is none of the other kinds, and nothing more is to be said.
  [[nodiscard]] bool is_broken() const;
  // A collection that a syntax error cut short: what seems missing may have stood behind it.
  [[nodiscard]] bool is_unfinished() const;
  [[nodiscard]] std::string_view text() const;  // of a scalar; "" otherwise
  [[nodiscard]] Mark mark() const;              // of a flow collection its bracket, of a block one its first item
  [[nodiscard]] std::size_t length() const;     // in bytes on its first line, for a caret run; at least 1
  // The place of text()[offset] in the file, through quotes, escapes and folded lines.
  [[nodiscard]] Mark mark_at(std::size_t offset) const;
  // The line as written from the mark on, without blanks at its end.
  [[nodiscard]] std::string_view rest_of_line() const;
  // Of a map, in the order of the file; a duplicate key is left out (and was reported).
  [[nodiscard]] std::span<const Member> members() const;
  // Of a list.
  [[nodiscard]] std::span<const Node> items() const;
  // The value of a key; absent if there is none or this is no map.
  [[nodiscard]] Node find(std::string_view key) const;
  // "a text", "a list", "a map", "nothing": for messages.
  [[nodiscard]] std::string_view kind_name() const;
  // A path written in this node, made relative to the file it stands in. "-" and absolute ones stay.
  [[nodiscard]] std::filesystem::path resolve(std::string_view path) const;

  friend bool operator==(const Node&, const Node&) = default;

 private:
  friend struct Tree;
  friend class Document;
  explicit Node(const Entry* entry) : entry_(entry) {}
  const Entry* entry_ = nullptr;
};

struct Member {
  Node key;
  Node value;
  [[nodiscard]] std::string_view name() const { return key.text(); }
};

class Document {
 public:
  Document();
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  // A configuration: one file, or a directory (its *.yaml and *.yml), and what its `include:` globs name, sorted by
  // path. The files' top levels become one map: maps and lists of the same name (sources, rules, ...) are joined.
  [[nodiscard]] static Document load(const std::filesystem::path& path, Diagnostics& diagnostics);
  // One file alone, `include` has no meaning in it (device models, tables). `named_at` is where the path was written:
  // a file that cannot be read is reported there.
  [[nodiscard]] static Document load_file(const std::filesystem::path& path, const Node& named_at,
                                          Diagnostics& diagnostics);
  // A text under a name; relative paths in it are relative to the name's directory.
  [[nodiscard]] static Document parse(std::string_view text, std::string name, Diagnostics& diagnostics);

  // Absent if nothing could be read.
  [[nodiscard]] Node root() const;
  // Every file that was read, for a watch.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;

 private:
  std::unique_ptr<Tree> tree_;
};

}  // namespace railhead::config
