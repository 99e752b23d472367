#include "gateway/app/last_good.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "gateway/system/descriptor.h"

namespace railhead::app {
namespace {

std::filesystem::path place_in(const std::filesystem::path& spool) { return spool / "last-good-configuration"; }

Result<void> write_whole(const std::filesystem::path& path, std::string_view bytes) {
  const system::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return fail(system_error("open " + path.string(), errno));
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file.get(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail(system_error("write " + path.string(), errno));
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(file.get()) != 0) return fail(system_error("fsync " + path.string(), errno));
  return {};
}

std::vector<std::filesystem::path> places_of_memory(const std::filesystem::path& configuration) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(configuration, error).lexically_normal();
  std::vector<std::filesystem::path> places{whole.parent_path() / ("." + whole.filename().string() + ".spool")};
  if (const char* const state = std::getenv("STATE_DIRECTORY"); state != nullptr && *state != '\0') {
    std::string name = whole.string();
    std::replace(name.begin(), name.end(), '/', '-');
    const std::string_view first = std::string_view(state).substr(0, std::string_view(state).find(':'));
    places.push_back(std::filesystem::path(first) / ("spool-of" + name));
  }
  return places;
}

Result<void> write_anew(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path fresh = path.string() + ".new";
  if (Result<void> written = write_whole(fresh, bytes); !written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return fail(system_error("rename " + fresh.string(), errno));
  const std::filesystem::path folder = path.parent_path();
  const system::Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0) return fail(system_error("fsync " + folder.string(), errno));
  return {};
}

}  // namespace

Result<void> keep_last_good(const std::filesystem::path& spool, const config::FileStore& files) {
  const std::string copy = files.copy();
  const std::filesystem::path path = place_in(spool);
  if (copy.size() > config::FileStore::kCopyBytesMax) return fail(Errc::invalid, "it is larger than 128 MiB");
  if (config::FileStore before; before.read(path, config::FileStore::kCopyBytesMax).value_or("") == copy) return {};
  return write_anew(path, copy);
}

Result<void> remember_spool(const std::filesystem::path& configuration, const std::filesystem::path& spool) {
  std::error_code error;
  const std::string wanted = std::filesystem::absolute(spool, error).lexically_normal().string();
  Result<void> remembered;
  for (const std::filesystem::path& place : places_of_memory(configuration)) {
    if (config::FileStore before; before.read(place, config::FileStore::kCopyBytesMax).value_or("") == wanted) {
      return {};
    }
    remembered = write_anew(place, wanted);
    if (remembered) return remembered;
  }
  return remembered;
}

std::vector<std::filesystem::path> remembered_spools(const std::filesystem::path& configuration) {
  std::vector<std::filesystem::path> spools;
  for (const std::filesystem::path& place : places_of_memory(configuration)) {
    config::FileStore disk;
    if (const Result<std::string> text = disk.read(place, config::FileStore::kCopyBytesMax); text && !text->empty()) {
      spools.emplace_back(*text);
    }
  }
  return spools;
}

Result<config::FileStore> last_good(const std::filesystem::path& spool) {
  config::FileStore disk;
  const Result<std::string> copy = disk.read(place_in(spool), config::FileStore::kCopyBytesMax);
  if (!copy) return fail(copy.error());
  return config::FileStore::from_copy(*copy);
}

}  // namespace railhead::app
