#include "gateway/config/file_store.h"

#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "gateway/base/crc32c.h"
#include "gateway/base/text.h"

namespace railhead::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = "railhead configuration 1\n";

bool is_yaml_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return (extension == ".yaml" || extension == ".yml") && !path.filename().string().starts_with('.');
}

Result<std::string> read_disk(const fs::path& path, std::size_t bytes_max) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fail(Errc::io, "it is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return fail(Errc::io, errno != 0 ? std::strerror(errno) : "no such file");
  std::string text;
  char block[16 * 1024];
  while (text.size() <= bytes_max && (file.read(block, sizeof block) || file.gcount() > 0)) {
    text.append(block, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return fail(Errc::io, errno != 0 ? std::strerror(errno) : "cannot be read");
  if (text.size() > bytes_max) return fail(Errc::invalid, "it is too large");
  return text;
}

}  // namespace

Result<FileStore> FileStore::from_copy(std::string_view copy) {
  const auto damaged = [] { return fail(Errc::invalid, "the copy of the last good configuration is damaged"); };
  if (!copy.starts_with(kHead)) return damaged();
  copy.remove_prefix(kHead.size());
  FileStore store;
  store.from_copy_ = true;
  while (!copy.empty()) {
    const std::size_t end = copy.find('\n');
    if (end == std::string_view::npos) return damaged();
    const std::string_view line = copy.substr(0, end);
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return damaged();
    const auto bytes = base::parse_uint(line.substr(0, first));
    const auto crc = base::parse_uint(line.substr(first + 1, second - first - 1));
    copy.remove_prefix(end + 1);
    if (!bytes || !crc || *bytes >= copy.size()) return damaged();
    const std::string_view text = copy.substr(0, static_cast<std::size_t>(*bytes));
    if (base::crc32c(text) != *crc) return damaged();
    store.copied_.emplace(fs::path(std::string(line.substr(second + 1))), std::string(text));
    copy.remove_prefix(text.size() + 1);
  }
  return store;
}

std::string FileStore::copy() const {
  std::string out(kHead);
  for (const auto& [path, text] : read_) {
    if (path.native().find('\n') != std::string::npos) continue;
    out += std::to_string(text.size()) + " " + std::to_string(base::crc32c(text)) + " " + path.native() + "\n";
    out += text;
    out += "\n";
  }
  return out;
}

void FileStore::overlay(const FileStore& newer) {
  for (auto& [path, text] : copied_) read_.emplace(path, std::move(text));
  copied_.clear();
  for (const auto& [path, text] : newer.read_) read_[path] = text;
}

Result<std::string> FileStore::read(const fs::path& path, std::size_t bytes_max) {
  const auto found = copied_.find(path);
  Result<std::string> text = found != copied_.end() ? Result<std::string>(found->second) : read_disk(path, bytes_max);
  if (text) {
    read_[path] = *text;
  } else {
    listed_.insert(path);  // it may come
  }
  return text;
}

bool FileStore::is_directory(const fs::path& path) const {
  if (from_copy_) return !copied_.contains(path);
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<fs::path> FileStore::yaml_files_in(const fs::path& directory) {
  std::vector<fs::path> paths;
  listed_.insert(directory);
  if (from_copy_) {
    for (const auto& [path, text] : copied_) {
      if (path.parent_path() == directory && is_yaml_name(path)) paths.push_back(path);
    }
  } else {
    std::error_code error;
    for (const auto& found : fs::directory_iterator(directory, error)) {
      if (is_yaml_name(found.path()) && !found.is_directory(error)) paths.push_back(found.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> FileStore::matches_of(const fs::path& pattern) {
  std::vector<fs::path> paths;
  if (pattern.has_parent_path()) listed_.insert(pattern.parent_path());
  if (from_copy_) {
    for (const auto& [path, text] : copied_) {
      if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) paths.push_back(path);
    }
    return paths;
  }
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return paths;
}

void FileStore::forget_texts() {
  for (const auto& [path, text] : read_) listed_.insert(path);
  read_.clear();
  copied_.clear();
}

std::vector<fs::path> FileStore::paths() const {
  std::vector<fs::path> paths(listed_.begin(), listed_.end());
  for (const auto& [path, text] : read_) paths.push_back(path);
  return paths;
}

}  // namespace railhead::config
