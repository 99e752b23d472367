#include "gateway/config/written_difference.h"

#include <algorithm>

namespace railhead::config {
namespace {

constexpr std::size_t kShownMost = 60;  // bytes of a value

class Comparison {
 public:
  explicit Comparison(const std::set<std::string>& secret) : secret_(secret) {}

  void compare(const std::string& path, const Node& before, const Node& now) {
    if (before.is_map() && now.is_map()) {
      for (const Member& member : now.members()) {
        compare(below(path, member.name()), before.find(member.name()), member.value);
      }
      for (const Member& member : before.members()) {
        if (!now.find(member.name()).present()) compare(below(path, member.name()), member.value, {});
      }
    } else if (before.is_list() && now.is_list()) {
      const std::size_t count = std::max(before.items().size(), now.items().size());
      for (std::size_t i = 0; i < count; ++i) {
        compare(below(path, std::to_string(i)), item(before, i), item(now, i));
      }
    } else if (!same(before, now)) {
      changes_.push_back({path, shown(path, before), shown(path, now)});
    }
  }
  std::vector<WrittenChange> take() { return std::move(changes_); }

 private:
  static std::string below(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
  }
  static Node item(const Node& list, std::size_t i) { return i < list.items().size() ? list.items()[i] : Node(); }
  static bool same(const Node& a, const Node& b) {
    if (!a.present() && !b.present()) return true;
    return a.is_scalar() && b.is_scalar() && a.text() == b.text() && a.quoted() == b.quoted() &&
           a.is_null() == b.is_null();
  }

  [[nodiscard]] bool is_secret(std::string_view name) const { return secret_.contains(std::string(name)); }

  [[nodiscard]] std::string shown(const std::string& path, const Node& node) const {
    if (!node.present()) return {};
    std::string out;
    write(path.substr(path.rfind('.') + 1), node, out);
    if (out.size() <= kShownMost) return out;
    std::size_t end = kShownMost - 3;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
    return out.substr(0, end) + "...";
  }

  void write(std::string_view name, const Node& node, std::string& out) const {
    if (out.size() > 4 * kShownMost) return;  // cut anyway
    if (is_secret(name) && node.is_scalar()) {
      out += "(a secret)";
    } else if (node.is_map()) {
      out += "{ ";
      bool first = true;
      for (const Member& member : node.members()) {
        if (!first) out += ", ";
        first = false;
        out += std::string(member.name()) + ": ";
        write(member.name(), member.value, out);
      }
      out += " }";
    } else if (node.is_list()) {
      out += "[ ";
      for (std::size_t i = 0; i < node.items().size(); ++i) {
        if (i > 0) out += ", ";
        write(name, node.items()[i], out);
      }
      out += " ]";
    } else if (node.is_null()) {
      out += "null";
    } else {
      write_text(node, out);
    }
  }

  // On one line; without what stands before the @ of a URL.
  static void write_text(const Node& node, std::string& out) {
    std::string text(node.text());
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    const std::size_t scheme = text.find("://");
    if (scheme != std::string::npos) {
      const std::size_t host = scheme + 3;
      const std::size_t at = text.substr(0, text.find('/', host)).rfind('@');
      if (at != std::string::npos && at >= host) text.replace(host, at - host, "***");
    }
    out += node.quoted() ? '"' + text + '"' : text;
  }

  const std::set<std::string>& secret_;
  std::vector<WrittenChange> changes_;
};

}  // namespace

std::string_view WrittenChange::field() const { return std::string_view(path).substr(path.rfind('.') + 1); }

std::string WrittenChange::text() const {
  const std::string name = path.empty() ? "" : path + ": ";
  if (before.empty()) return name + now + " is new";
  if (now.empty()) return name + before + " is gone";
  return name + now + ", was " + before;
}

std::vector<WrittenChange> written_difference(const Node& before, const Node& now,
                                              const std::set<std::string>& secret) {
  Comparison comparison(secret);
  comparison.compare({}, before, now);
  return comparison.take();
}

}  // namespace railhead::config
