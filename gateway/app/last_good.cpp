#include "gateway/app/last_good.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

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

}  // namespace

Result<void> keep_last_good(const std::filesystem::path& spool, const config::FileStore& files) {
  const std::string copy = files.copy();
  const std::filesystem::path path = place_in(spool);
  if (copy.size() > config::FileStore::kCopyBytesMax) return fail(Errc::invalid, "it is larger than 128 MiB");
  if (config::FileStore before; before.read(path, config::FileStore::kCopyBytesMax).value_or("") == copy) return {};
  const std::filesystem::path fresh = path.string() + ".new";
  if (Result<void> written = write_whole(fresh, copy); !written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return fail(system_error("rename " + fresh.string(), errno));
  const system::Descriptor directory(::open(spool.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0) return fail(system_error("fsync " + spool.string(), errno));
  return {};
}

Result<config::FileStore> last_good(const std::filesystem::path& spool) {
  config::FileStore disk;
  const Result<std::string> copy = disk.read(place_in(spool), config::FileStore::kCopyBytesMax);
  if (!copy) return fail(copy.error());
  return config::FileStore::from_copy(*copy);
}

}  // namespace railhead::app
