// The one file that knows yaml-cpp. It listens to the parser's events and builds our tree at once, so yaml-cpp's own
// tree (79 times the text) never exists. Foreign exceptions end here.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "gateway/config/tree.h"

namespace railhead::config {
namespace {

using Kind = Entry::Kind;

constexpr int kRoundsMax = 50;    // of reading on behind a syntax error
constexpr int kShieldsMax = 500;  // of templates inside braces

struct Refused {};  // a bound was reached

class Builder final : public YAML::EventHandler {
 public:
  Builder(Tree& tree, const LoadedFile& file, std::size_t base,
          const std::vector<std::pair<std::size_t, std::size_t>>& holes, Diagnostics& diagnostics)
      : tree_(tree), file_(file), source_(file.source->text()), base_(base), holes_(holes), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      report(offset_of(mark), 1, "a second document in one file",
             "if this belongs to what stands above, check its indentation; '---' is not taken");
      throw Refused{};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    std::size_t offset = offset_of(mark);
    const std::string_view rest = source_.substr(std::min(offset, source_.size()));
    const bool written =
        rest.starts_with("~") || rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL");
    const bool at_value =
        written && (pending_key() == nullptr || offset > pending_key()->offset + pending_key()->length);
    std::size_t length = rest.starts_with("~") ? 1 : 4;
    // Why: of an empty value the parser gives the place of the next token; the key is where a person looks.
    if (!at_value) {
      if (const Entry* key = pending_key()) {
        offset = key->offset;
        length = key->length;
      } else {
        offset = dash_before(offset);
        length = 1;
      }
    }
    Entry* entry = make(offset, Kind::null);
    entry->length = length;
    refuse_anchor(anchor, entry);
    if (in_hole(offset, offset_of(mark))) entry->kind = Kind::broken;
    place(entry);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Entry* entry = make(offset_of(mark), Kind::broken);
    report(entry->offset, 1, "'*' begins a YAML alias: aliases are not taken here",
           "write the value again; a text or an expression that begins with '*' needs quotes");
    place(entry);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const std::size_t offset = offset_of(mark);
    Entry* entry = make(offset, Kind::scalar);
    entry->text = unshielded(value);
    set_writing(*entry);
    refuse_tag(tag, entry);
    refuse_anchor(anchor, entry);
    if (entry->kind == Kind::scalar &&
        (entry->writing == Writing::single_quoted || entry->writing == Writing::double_quoted) &&
        end_of_quoted(source_, offset) == std::string_view::npos) {
      report(offset, 1, "this quote is never closed", {});
      entry->kind = Kind::broken;
    }
    last_ = entry;
    place(entry);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, style, Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, style, Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  // After a syntax error: what is still open stays as it is.
  void abandon() {
    while (!open_.empty()) {
      open_.back().entry->unfinished = true;
      close();
    }
  }

  [[nodiscard]] const Entry* root() const { return root_; }
  [[nodiscard]] const Entry* last() const { return last_; }
  [[nodiscard]] const Entry* innermost() const { return open_.empty() ? nullptr : open_.back().entry; }

 private:
  struct Level {
    Entry* entry;
    Entry* key = nullptr;  // of a map: read, its value not yet
  };

  [[nodiscard]] std::size_t offset_of(const YAML::Mark& mark) const {
    return std::min(source_.size(), base_ + static_cast<std::size_t>(std::max(0, mark.pos)));
  }
  [[nodiscard]] Entry* pending_key() const { return open_.empty() ? nullptr : open_.back().key; }

  void report(std::size_t offset, std::size_t length, std::string message, std::string hint) {
    Mark mark = file_.source->mark_of(offset);
    mark.file = file_.index;
    diagnostics_.error(mark, length, std::move(message), std::move(hint));
  }

  Entry* make(std::size_t offset, Kind kind) {
    if (tree_.entries.size() >= kNodesMax) {
      report(offset, 1, "the configuration has more than " + std::to_string(kNodesMax) + " values", {});
      throw Refused{};
    }
    return tree_.add(&file_, offset, kind);
  }

  [[nodiscard]] std::size_t dash_before(std::size_t offset) const {
    const std::size_t dash = source_.substr(0, offset).find_last_of("-[,");
    return dash == std::string_view::npos ? offset : dash;
  }

  // Was something blanked out between an empty value's key and the next token? Then the value is no mistake of its own.
  [[nodiscard]] bool in_hole(std::size_t begin, std::size_t end) const {
    return std::any_of(holes_.begin(), holes_.end(),
                       [&](const auto& hole) { return hole.first >= begin && hole.first < end; });
  }

  void set_writing(Entry& entry) const {
    const std::string_view rest = source_.substr(entry.offset);
    const std::string_view line = rest.substr(0, rest.find('\n'));
    switch (rest.empty() ? '\0' : rest.front()) {
      case '\'':
      case '"': {
        entry.writing = rest.front() == '"' ? Writing::double_quoted : Writing::single_quoted;
        const std::size_t end = end_of_quoted(source_, entry.offset);
        entry.length = std::min(end == std::string_view::npos ? line.size() : end - entry.offset, line.size());
        break;
      }
      case '|':
      case '>': entry.writing = rest.front() == '|' ? Writing::literal : Writing::folded; break;
      default: {
        // A plain scalar has no escapes: on one line it stands in the source as it is.
        std::size_t same = 0;
        while (same < entry.text.size() && same < line.size() && entry.text[same] == line[same]) ++same;
        while (same > 1 && (line[same - 1] == ' ' || line[same - 1] == '\t')) --same;
        entry.length = std::max<std::size_t>(1, same);
      }
    }
  }

  void refuse_tag(const std::string& tag, Entry* entry) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    const std::string_view rest = source_.substr(entry->offset);
    std::string_view line = rest.substr(0, rest.find('\n'));
    line = line.substr(0, line.find(" #"));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    const bool in_flow = !open_.empty() && open_.back().entry->writing == Writing::flow;
    if (in_flow) line = line.substr(0, line.find_first_of(",}"));
    report(entry->offset, std::max<std::size_t>(1, line.size()), "'!' begins a YAML tag here: tags are not taken",
           "an expression that begins with '!' needs quotes: " + in_quotes(line));
    entry->kind = Kind::broken;
  }

  void refuse_anchor(YAML::anchor_t anchor, Entry* entry) {
    if (anchor == 0) return;
    report(entry->offset, 1, "'&' begins a YAML anchor: anchors are not taken here", {});
    entry->kind = Kind::broken;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value style,
            Kind kind) {
    Entry* entry = make(offset_of(mark), kind);
    entry->writing = style == YAML::EmitterStyle::Flow ? Writing::flow : Writing::block;
    if (open_.size() >= kDepthMax) {
      report(entry->offset, 1, "nested deeper than " + std::to_string(kDepthMax) + " levels", {});
      throw Refused{};
    }
    refuse_tag(tag, entry);
    refuse_anchor(anchor, entry);
    place(entry);
    open_.push_back({entry});
  }

  void close() {
    Entry* entry = open_.back().entry;
    open_.pop_back();
    if (entry->writing == Writing::flow) {
      refuse_cut_calls(*entry);
      last_ = entry;
    } else if (!entry->members.empty()) {
      entry->length = entry->members.front().key.length();
    }
    index_members(*entry, diagnostics_);
  }

  // { a: f(x, y), b: 1 }: YAML ends the value at the ',' and makes 'y)' a field of its own. So does [f(x, y)].
  void refuse_cut_calls(Entry& collection) {
    std::vector<Node> pieces;
    for (const Member& member : collection.members)
      pieces.push_back(member.value.is_null() ? member.key : member.value);
    if (collection.kind == Kind::list) pieces = collection.items;
    std::vector<bool> drop(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      int depth = brackets_open(pieces[i]);
      if (depth <= 0) continue;
      std::size_t end = i + 1;
      while (end < pieces.size() && depth > 0 &&
             (collection.kind == Kind::list || collection.members[end].value.is_null())) {
        depth += brackets_open(pieces[end++]);
      }
      if (depth != 0) continue;
      auto* value = const_cast<Entry*>(Tree::entry(pieces[i]));
      const Entry* tail = Tree::entry(pieces[end - 1]);
      const std::string_view whole = source_.substr(value->offset, tail->offset + tail->length - value->offset);
      report(value->offset, whole.size(), "a ',' inside { } and [ ] ends the value",
             "put the whole value in quotes: " + in_quotes(whole));
      value->kind = Kind::broken;
      for (std::size_t j = i + 1; j < end; ++j) drop[j] = true;
      i = end - 1;
    }
    for (std::size_t i = pieces.size(); i-- > 0;) {
      if (!drop[i]) continue;
      if (collection.kind == Kind::list) {
        collection.items.erase(collection.items.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        collection.members.erase(collection.members.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  // How many '(' a plain scalar leaves open; negative: closes.
  [[nodiscard]] static int brackets_open(const Node& node) {
    if (!node.is_scalar() || node.writing() != Writing::plain) return 0;
    const auto opened = std::count(node.text().begin(), node.text().end(), '(');
    const auto closed = std::count(node.text().begin(), node.text().end(), ')');
    return static_cast<int>(opened - closed);
  }

  // Into the collection that is open, as item, key or value.
  void place(Entry* entry) {
    if (open_.empty()) {
      root_ = entry;
      return;
    }
    Level& level = open_.back();
    if (level.entry->kind == Kind::list) {
      level.entry->items.push_back(Tree::node(entry));
    } else if (level.entry->kind == Kind::broken) {
      return;
    } else if (level.key == nullptr) {
      level.key = entry;
    } else {
      add_member(*level.entry, *level.key, *entry);
      level.key = nullptr;
    }
  }

  void add_member(Entry& map, const Entry& key, const Entry& value) {
    if (key.kind == Kind::broken) return;
    if (key.kind != Kind::scalar) {
      const bool braces = key.kind == Kind::map && key.writing == Writing::flow;
      report(key.offset, key.length, "a key must be a text",
             braces ? "{ begins a map in YAML; in a text a variable is written \"${device}\", in an expression device"
                    : "");
    } else if (key.text == "<<" && key.writing == Writing::plain) {
      report(key.offset, key.length, "merge keys ('<<') are not taken", "write the fields out");
    } else {
      map.members.push_back({Tree::node(&key), Tree::node(&value)});
    }
  }

  Tree& tree_;
  const LoadedFile& file_;
  std::string_view source_;
  std::size_t base_;  // what the parser does not see: a byte order mark
  const std::vector<std::pair<std::size_t, std::size_t>>& holes_;
  Diagnostics& diagnostics_;
  std::vector<Level> open_;
  const Entry* root_ = nullptr;
  const Entry* last_ = nullptr;
  int documents_ = 0;
};

}  // namespace

const Entry* read_yaml(Tree& tree, const LoadedFile& file, Diagnostics& diagnostics) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  std::string source(file.source->text());
  const std::size_t base = source.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  std::vector<std::pair<std::size_t, std::size_t>> holes;
  for (int round = 0, shields = 0;; ++round) {
    // Why: a text with a syntax error is read again without the mistake, and only the last reading may speak of the
    // rest.
    Diagnostics trial = diagnostics;
    const std::size_t entries_before = tree.entries.size();
    Builder builder(tree, file, base, holes, trial);
    SyntaxFailure failure;
    try {
      std::istringstream stream(source.substr(base));
      YAML::Parser parser(stream);
      while (parser.HandleNextDocument(builder)) {
      }
      diagnostics = std::move(trial);
      return builder.root();
    } catch (const Refused&) {
      builder.abandon();
      diagnostics = std::move(trial);
      return builder.root();
    } catch (const YAML::Exception& error) {
      failure.message = error.msg;
      failure.offset = std::min(source.size(), base + static_cast<std::size_t>(std::max(0, error.mark.pos)));
    }
    failure.last = builder.last();
    failure.open = builder.innermost();
    if (shields < kShieldsMax && shield_template(source, failure)) {
      ++shields;
      --round;
      while (tree.entries.size() > entries_before) tree.entries.pop_back();
      continue;
    }
    const SyntaxFault fault = explain(source, failure);
    Mark mark = file.source->mark_of(fault.offset);
    mark.file = file.index;
    std::pair<std::size_t, std::size_t> hole;
    const bool go_on = round < kRoundsMax && blank_out(source, fault, hole);
    if (!go_on) {
      builder.abandon();
      diagnostics = std::move(trial);
    }
    diagnostics.error(mark, fault.length, fault.message, fault.hint);
    if (!go_on) return builder.root();
    holes.push_back(hole);
    while (tree.entries.size() > entries_before) tree.entries.pop_back();
  }
}

}  // namespace railhead::config
