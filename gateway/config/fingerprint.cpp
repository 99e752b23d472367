#include "gateway/config/fingerprint.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "gateway/base/bytes.h"

namespace railhead::config {
namespace {

bool names_a_file(std::string_view member) {
  return member == "file" || member == "ca" || member == "cert" || member == "key";
}

void collect_files(const Node& node, std::vector<std::filesystem::path>& files) {
  for (const Node& item : node.items()) collect_files(item, files);
  for (const Member& member : node.members()) {
    if (member.value.is_scalar() && names_a_file(member.name())) {
      files.push_back(member.value.resolve(member.value.text()));
    } else {
      collect_files(member.value, files);
    }
  }
}

// The values of `let` are computed in turn; a body and headers are written in their order.
bool keeps_order(std::string_view member) { return member == "let" || member == "body" || member == "headers"; }

// Without quotes this would be a text as well: no number, no word that may mean true, false or nothing.
bool is_text_anyway(std::string_view text) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (text.empty() || !is_letter(text.front())) return false;
  return std::none_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) {
    return std::equal(word.begin(), word.end(), text.begin(), text.end(),
                      [](char a, char b) { return a == (b | 0x20); });
  });
}

class Hasher {
 public:
  explicit Hasher(const Node& models, int depth = 0) : models_(models), depth_(depth) {}

  void add(const Node& node, bool in_order = false) {
    if (node.is_map()) {
      tag('m', node.members().size());
      Fingerprint sum = 0;
      for (const Member& member : node.members()) {
        Hasher alone(models_, depth_);
        Hasher& hasher = in_order ? *this : alone;
        hasher.text(member.name());
        hasher.value(member.name(), member.value, in_order || keeps_order(member.name()));
        sum += alone.hash_;
      }
      if (!in_order) number(sum);
    } else if (node.is_list()) {
      tag('l', node.items().size());
      for (const Node& item : node.items()) add(item, in_order);
    } else if (node.is_scalar()) {
      // Why: 30 and "30" are not the same thing.
      tag(node.quoted() || is_text_anyway(node.text()) ? 'q' : 's', 0);
      text(node.text());
    } else {
      tag(node.present() ? '0' : '-', 0);
    }
  }
  [[nodiscard]] Fingerprint result() const { return hash_; }

 private:
  void value(std::string_view name, const Node& node, bool in_order) {
    add(node, in_order);
    if (!node.is_scalar()) return;
    if (name == "env") {
      const char* set = std::getenv(std::string(node.text()).c_str());
      text(set == nullptr ? "" : set);
    } else if (names_a_file(name)) {
      contents(node.resolve(node.text()));
    } else if (name == "model" && models_.find(node.text()).present() && depth_ == 0) {
      ++depth_;  // a model names no other
      add(models_.find(node.text()));
      --depth_;
    }
  }
  void contents(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return tag('!', 0);
    std::ifstream file(path, std::ios::binary);
    char block[4096];
    while (file.read(block, sizeof block) || file.gcount() > 0) {
      bytes({block, static_cast<std::size_t>(file.gcount())});
    }
    tag('f', 0);
  }
  void text(std::string_view text) {
    tag('t', text.size());
    bytes(text);
  }
  void tag(char kind, std::size_t count) {
    bytes({&kind, 1});
    number(count);
  }
  void number(std::uint64_t number) {
    char stored[sizeof number];
    base::store_le(stored, number);
    bytes({stored, sizeof stored});
  }
  void bytes(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }

  const Node& models_;
  int depth_;
  Fingerprint hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace

Fingerprint fingerprint(const Node& node) { return fingerprint(node, {}); }

Fingerprint fingerprint(const Node& node, const Node& models) {
  Hasher hasher(models);
  hasher.add(node);
  return hasher.result();
}

std::vector<std::filesystem::path> referenced_files(const Node& node) {
  std::vector<std::filesystem::path> files;
  collect_files(node, files);
  return files;
}

}  // namespace railhead::config
