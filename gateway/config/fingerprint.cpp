#include "gateway/config/fingerprint.h"

#include <cstdlib>
#include <fstream>
#include <string>

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

class Hasher {
 public:
  explicit Hasher(const Node& models) : models_(models) {}

  void add(const Node& node) {
    if (node.is_map()) {
      tag('m', node.members().size());
      for (const Member& member : node.members()) {
        text(member.name());
        value(member.name(), member.value);
      }
    } else if (node.is_list()) {
      tag('l', node.items().size());
      for (const Node& item : node.items()) add(item);
    } else if (node.is_scalar()) {
      // Why: 30 and "30" are not the same thing.
      tag(node.quoted() ? 'q' : 's', 0);
      text(node.text());
    } else {
      tag(node.present() ? '0' : '-', 0);
    }
  }
  [[nodiscard]] Fingerprint result() const { return hash_; }

 private:
  void value(std::string_view name, const Node& node) {
    add(node);
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
    for (int i = 0; i < 4; ++i) {
      const char byte = static_cast<char>(count >> (8 * i));
      bytes({&byte, 1});
    }
  }
  void bytes(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }

  const Node& models_;
  int depth_ = 0;
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
