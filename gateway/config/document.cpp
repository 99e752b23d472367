#include "gateway/config/document.h"

#include <algorithm>
#include <set>

#include "gateway/base/bytes.h"
#include "gateway/config/tree.h"

namespace railhead::config {
namespace {

using Kind = Entry::Kind;
namespace fs = std::filesystem;

// Says what is wrong at the node that named the file, or of no place at all.
void report_file(const Node& named_at, const std::string& message, Diagnostics& diagnostics) {
  if (named_at.present()) {
    diagnostics.error(named_at, message);
  } else {
    diagnostics.error(Mark{}, 1, message);
  }
}

std::optional<std::string> read_whole(const fs::path& path, const Node& named_at, Diagnostics& diagnostics) {
  const std::string name = "'" + path.string() + "'";
  Result<std::string> text = diagnostics.store().read(path, kFileBytesMax);
  if (text) return std::move(*text);
  report_file(named_at,
              text.error().code == Errc::invalid ? name + " is larger than 1 MiB: split it with include"
                                                 : "cannot read " + name + ": " + text.error().what,
              diagnostics);
  return std::nullopt;
}

// What YAML would quietly change or stop at.
bool check_bytes(const LoadedFile& file, Diagnostics& diagnostics) {
  const std::string_view text = file.source->text();
  const auto control = std::find_if(text.begin(), text.end(), [](char byte) {
    const auto value = static_cast<unsigned char>(byte);
    return (value < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || value == 0x7f;
  });
  if (control != text.end()) {
    Mark mark = file.source->mark_of(static_cast<std::size_t>(control - text.begin()));
    mark.file = file.index;
    diagnostics.error(mark, 1, "a control character: this is not a text file");
    return false;
  }
  if (base::is_utf8(text)) return true;
  for (std::uint32_t line = 1;; ++line) {
    if (base::is_utf8(file.source->line(line))) continue;
    diagnostics.error(Mark{file.index, line, 1}, 1, "this line is not UTF-8");
    return false;
  }
}

const Entry* read_file(Tree& tree, const fs::path& path, std::string name, std::string text, Diagnostics& diagnostics) {
  LoadedFile& file = tree.files.emplace_back();
  file.source = std::make_shared<const SourceText>(std::move(name), std::move(text));
  file.index = diagnostics.add_file(file.source);
  file.path = path;
  return check_bytes(file, diagnostics) ? read_yaml(tree, file, diagnostics) : nullptr;
}

// Loads files into one tree, each once, and joins their top levels.
class Loader {
 public:
  Loader(Tree& tree, Diagnostics& diagnostics) : tree_(tree), diagnostics_(diagnostics) {}

  void load(const fs::path& path, const Node& named_at) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(path, error);
    if (!seen_.insert(error ? path : whole).second) return;
    if (seen_.size() > kFilesMax) {
      if (seen_.size() == kFilesMax + 1) {
        report_file(named_at, "more than " + std::to_string(kFilesMax) + " files in one configuration", diagnostics_);
      }
      return;
    }
    std::optional<std::string> text = read_whole(path, named_at, diagnostics_);
    if (!text) return;
    const Entry* root = read_file(tree_, path, path.string(), std::move(*text), diagnostics_);
    if (root == nullptr || root->kind == Kind::null || root->kind == Kind::broken) return;
    if (root->kind != Kind::map) {
      diagnostics_.error(Tree::node(root),
                         "a configuration is a map of fields, not " + std::string(Tree::node(root).kind_name()),
                         "begin with 'version: 1'");
      return;
    }
    roots_.push_back(root);
    include(Tree::node(root).find("include"));
  }

  [[nodiscard]] const Entry* joined() {
    if (roots_.empty()) return nullptr;
    if (roots_.size() == 1) return roots_.front();
    return join(roots_);
  }

 private:
  void include(const Node& node) {
    std::vector<Node> patterns;
    if (node.is_scalar()) patterns.push_back(node);
    for (const Node& item : node.items()) {
      if (item.is_scalar()) {
        patterns.push_back(item);
      } else if (!item.is_broken()) {
        diagnostics_.error(item, "include takes paths, not " + std::string(item.kind_name()));
      }
    }
    if (node.is_map())
      diagnostics_.error(node, "include takes paths, not a map", "write include: [ \"rules.d/*.yaml\" ]");
    std::vector<std::pair<fs::path, Node>> found;
    for (const Node& pattern : patterns) {
      const std::vector<fs::path> paths = diagnostics_.store().matches_of(pattern.resolve(pattern.text()));
      if (paths.empty() && pattern.text().find_first_of("*?[") != std::string_view::npos) {
        // Why: a folder for later files may be empty; a folder that is not there is perhaps misspelt.
        std::error_code error;
        const fs::path folder = pattern.resolve(pattern.text()).parent_path();
        if (!folder.empty() && !fs::is_directory(folder, error)) {
          diagnostics_.warning(pattern, "no file matches '" + std::string(pattern.text()) + "'");
        }
      } else if (paths.empty()) {
        diagnostics_.error(pattern, "there is no file '" + std::string(pattern.text()) + "'");
      }
      for (const fs::path& path : paths) found.emplace_back(path, pattern);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [path, pattern] : found) load(path, pattern);
  }

  // Maps and lists of one name are joined; anything else stands in one file only, but for `version` and `include`.
  const Entry* join(const std::vector<const Entry*>& maps) {
    Entry* whole = tree_.add(maps.front()->file, maps.front()->offset, Kind::map);
    whole->writing = Writing::block;
    whole->length = maps.front()->length;
    for (const Entry* map : maps) {
      whole->unfinished |= map->unfinished;
      for (const Member& member : map->members) {
        const auto same = std::find_if(whole->members.begin(), whole->members.end(),
                                       [&](const Member& known) { return known.name() == member.name(); });
        if (same == whole->members.end()) {
          whole->members.push_back(member);
        } else if (member.name() != "include" &&
                   !(member.name() == "version" && member.value.text() == same->value.text())) {
          same->value = join_values(*same, member);
        }
      }
    }
    index_members(*whole, diagnostics_);
    return whole;
  }

  Node join_values(const Member& known, const Member& member) {
    const Node& a = known.value;
    const Node& b = member.value;
    if (b.is_null() || b.is_broken()) return a;
    if (a.is_null() || a.is_broken()) return b;
    if (!(a.is_map() && b.is_map()) && !(a.is_list() && b.is_list())) {
      diagnostics_.error(member.key, "'" + std::string(member.name()) + "' stands in two files",
                         "the first is at " + diagnostics_.where(known.key.mark()));
      return a;
    }
    const Entry* first = Tree::entry(a);
    const Entry* second = Tree::entry(b);
    Entry* both = tree_.add(first->file, first->offset, first->kind);
    both->writing = first->writing;
    both->length = first->length;
    both->unfinished = first->unfinished || second->unfinished;
    for (const Entry* entry : {first, second}) {
      both->members.insert(both->members.end(), entry->members.begin(), entry->members.end());
      both->items.insert(both->items.end(), entry->items.begin(), entry->items.end());
    }
    index_members(*both, diagnostics_);
    return Tree::node(both);
  }

  Tree& tree_;
  Diagnostics& diagnostics_;
  std::set<fs::path> seen_;
  std::vector<const Entry*> roots_;
};

}  // namespace

Document::Document() = default;
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Document Document::load(const fs::path& path, Diagnostics& diagnostics) {
  Document document;
  document.tree_ = std::make_unique<Tree>();
  Loader loader(*document.tree_, diagnostics);
  if (diagnostics.store().is_directory(path)) {
    const std::vector<fs::path> files = diagnostics.store().yaml_files_in(path);
    if (files.empty()) diagnostics.error(Mark{}, 1, "there is no *.yaml in '" + path.string() + "'");
    for (const fs::path& file : files) loader.load(file, Node());
  } else {
    loader.load(path, Node());
  }
  document.tree_->root = loader.joined();
  return document;
}

Document Document::load_file(const fs::path& path, const Node& named_at, Diagnostics& diagnostics) {
  Document document;
  document.tree_ = std::make_unique<Tree>();
  if (std::optional<std::string> text = read_whole(path, named_at, diagnostics)) {
    document.tree_->root = read_file(*document.tree_, path, path.string(), std::move(*text), diagnostics);
  }
  return document;
}

Document Document::parse(std::string_view text, std::string name, Diagnostics& diagnostics) {
  Document document;
  document.tree_ = std::make_unique<Tree>();
  if (text.size() > kFileBytesMax) {
    diagnostics.error(Mark{}, 1, "'" + name + "' is larger than 1 MiB");
    return document;
  }
  const fs::path path = name;
  document.tree_->root = read_file(*document.tree_, path, std::move(name), std::string(text), diagnostics);
  return document;
}

Node Document::root() const { return tree_ == nullptr ? Node() : Tree::node(tree_->root); }

std::vector<fs::path> Document::files() const {
  std::vector<fs::path> paths;
  if (tree_ != nullptr) {
    for (const LoadedFile& file : tree_->files) paths.push_back(file.path);
  }
  return paths;
}

}  // namespace railhead::config
