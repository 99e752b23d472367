#include <algorithm>

#include "gateway/config/tree.h"

namespace railhead::config {
namespace {

using Kind = Entry::Kind;

bool is_blank(char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

// Bytes of source and of text that an escape at `at` (its backslash) takes and gives.
std::pair<std::size_t, std::size_t> escape_at(std::string_view source, std::size_t at) {
  const char kind = at + 1 < source.size() ? source[at + 1] : '\0';
  const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  if (digits > 0) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits && at + 2 + i < source.size(); ++i) {
      const char digit = source[at + 2 + i];
      const int value = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
      code = code << 4 | static_cast<std::uint32_t>(value & 0xf);
    }
    return {2 + digits, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4};
  }
  if (kind == '\n') {
    std::size_t end = at + 2;
    while (end < source.size() && is_blank(source[end])) ++end;
    return {end - at, 0};
  }
  if (kind == 'N' || kind == '_') return {2, 2};
  if (kind == 'L' || kind == 'P') return {2, 3};
  return {2, 1};
}

// Plain and quoted: a line break with the blanks around it is one blank, n of them are n - 1 breaks.
std::size_t flow_offset(const Entry& entry, std::string_view source, std::size_t wanted) {
  const bool single_quoted = entry.writing == Writing::single_quoted;
  const bool double_quoted = entry.writing == Writing::double_quoted;
  std::size_t at = entry.offset + (single_quoted || double_quoted ? 1 : 0);
  std::size_t given = 0;
  while (given < wanted && at < source.size()) {
    if (double_quoted && source[at] == '\\') {
      const auto [taken, made] = escape_at(source, at);
      if (given + made > wanted) break;
      at += taken;
      given += made;
    } else if (single_quoted && source[at] == '\'') {
      at += 2;
      ++given;
    } else if (is_blank(source[at])) {
      std::size_t end = at;
      while (end < source.size() && is_blank(source[end])) ++end;
      const auto breaks = static_cast<std::size_t>(std::count(source.begin() + static_cast<std::ptrdiff_t>(at),
                                                              source.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      const std::size_t made = breaks == 0 ? 1 : breaks == 1 ? 1 : breaks - 1;
      at = breaks == 0 ? at + 1 : end;
      given += made;
    } else {
      ++at;
      ++given;
    }
  }
  return std::min(at, source.size());
}

// | and >: lines without their common indentation.
std::size_t block_offset(const Entry& entry, std::string_view source, std::size_t wanted) {
  const std::string_view text = entry.text;
  std::size_t at = std::min(source.find('\n', entry.offset), source.size() - 1) + 1;
  std::size_t first = at;
  while (first < source.size() && is_blank(source[first])) ++first;
  const std::size_t before_first = first == 0 ? std::string_view::npos : source.rfind('\n', first - 1);
  const std::size_t indent = before_first == std::string_view::npos ? 0 : first - before_first - 1;
  const auto skip_indent = [&] {
    for (std::size_t i = 0; i < indent && at < source.size() && source[at] == ' '; ++i) ++at;
  };
  skip_indent();
  std::size_t given = 0;
  while (given < wanted && at < source.size()) {
    if (source[at] != '\n') {
      ++at;
      ++given;
      continue;
    }
    ++at;
    if (entry.writing == Writing::literal) {
      ++given;
    } else {
      while (at < source.size() && source[at] == '\n') ++at;
      if (given < text.size() && text[given] == ' ') {
        ++given;
      } else {
        while (given < text.size() && text[given] == '\n') ++given;
      }
    }
    skip_indent();
  }
  return std::min(at, source.size());
}

Mark mark_of(const Entry& entry, std::size_t offset) {
  if (entry.file == nullptr) return {};
  Mark mark = entry.file->source->mark_of(offset);
  mark.file = entry.file->index;
  return mark;
}

}  // namespace

bool Node::is_null() const { return entry_ != nullptr && entry_->kind == Kind::null; }
bool Node::is_scalar() const { return entry_ != nullptr && entry_->kind == Kind::scalar; }
bool Node::is_list() const { return entry_ != nullptr && entry_->kind == Kind::list; }
bool Node::is_map() const { return entry_ != nullptr && entry_->kind == Kind::map; }
bool Node::is_broken() const { return entry_ != nullptr && entry_->kind == Kind::broken; }
bool Node::is_unfinished() const { return entry_ != nullptr && entry_->unfinished; }
Writing Node::writing() const { return entry_ == nullptr ? Writing::plain : entry_->writing; }
bool Node::quoted() const {
  return is_scalar() && (entry_->writing == Writing::single_quoted || entry_->writing == Writing::double_quoted);
}

std::string_view Node::text() const { return is_scalar() ? std::string_view(entry_->text) : std::string_view(); }

Mark Node::mark() const { return entry_ == nullptr ? Mark{} : mark_of(*entry_, entry_->offset); }

std::size_t Node::length() const { return entry_ == nullptr ? 1 : std::max<std::size_t>(1, entry_->length); }

Mark Node::mark_at(std::size_t offset) const {
  if (!is_scalar() || entry_->file == nullptr) return mark();
  const std::string_view source = entry_->file->source->text();
  const bool block = entry_->writing == Writing::literal || entry_->writing == Writing::folded;
  return mark_of(*entry_, block ? block_offset(*entry_, source, offset) : flow_offset(*entry_, source, offset));
}

std::string_view Node::rest_of_line() const {
  if (entry_ == nullptr || entry_->file == nullptr) return {};
  std::string_view rest = entry_->file->source->text().substr(entry_->offset);
  rest = rest.substr(0, rest.find('\n'));
  while (!rest.empty() && is_blank(rest.back())) rest.remove_suffix(1);
  return rest;
}

std::span<const Member> Node::members() const {
  return is_map() ? std::span<const Member>(entry_->members) : std::span<const Member>();
}

std::span<const Node> Node::items() const {
  return is_list() ? std::span<const Node>(entry_->items) : std::span<const Node>();
}

Node Node::find(std::string_view key) const {
  if (!is_map()) return {};
  const auto& order = entry_->by_name;
  const auto found = std::lower_bound(order.begin(), order.end(), key, [&](std::uint32_t index, std::string_view name) {
    return entry_->members[index].name() < name;
  });
  return found != order.end() && entry_->members[*found].name() == key ? entry_->members[*found].value : Node();
}

std::string_view Node::kind_name() const {
  if (entry_ == nullptr) return "nothing";
  switch (entry_->kind) {
    case Kind::null: return "nothing";
    case Kind::scalar: return "a text";
    case Kind::list: return "a list";
    case Kind::map: return "a map";
    case Kind::broken: break;
  }
  return "a mistake";
}

std::filesystem::path Node::resolve(std::string_view path) const {
  std::filesystem::path written{std::string(path)};
  if (path.empty() || path == "-" || written.is_absolute() || entry_ == nullptr || entry_->file == nullptr)
    return written;
  return (entry_->file->path.parent_path() / written).lexically_normal();
}

void index_members(Entry& map, Diagnostics& diagnostics) {
  std::vector<Member>& members = map.members;
  std::vector<std::uint32_t> order(members.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto by_name = [&](std::uint32_t a, std::uint32_t b) { return members[a].name() < members[b].name(); };
  std::stable_sort(order.begin(), order.end(), by_name);
  std::vector<bool> repeated(members.size());
  bool any = false;
  for (std::size_t i = 1, first = 0; i < order.size(); ++i) {
    const Member& kept = members[order[first]];
    const Member& member = members[order[i]];
    if (kept.name() != member.name()) {
      first = i;
      continue;
    }
    diagnostics.error(member.key, "'" + std::string(member.name()) + "' stands here a second time",
                      "the first is at " + diagnostics.where(kept.key.mark()));
    repeated[order[i]] = any = true;
  }
  if (any) {
    std::vector<Member> kept;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!repeated[i]) kept.push_back(members[i]);
    }
    members = std::move(kept);
    order.resize(members.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), by_name);
  }
  map.by_name = std::move(order);
}

}  // namespace railhead::config
