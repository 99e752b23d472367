#include "tests/support/upstream_seen.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"

namespace railhead::test {
namespace {

std::string text(const Value& document, std::string_view name) {
  const Value* found = document.find(name);
  return found != nullptr && found->is(Kind::string) ? std::string(found->as_text()) : std::string();
}
std::optional<std::int64_t> number(const Value& document, std::string_view name) {
  const Value* found = document.find(name);
  if (found == nullptr || !found->is(Kind::integer)) return std::nullopt;
  return found->as_integer();
}

Seen seen_of(const Value& document) {
  Seen seen;
  if (const Value* headers = document.find("headers"); headers != nullptr && headers->is(Kind::map)) {
    for (const auto& [name, value] : headers->as_map()) {
      seen.headers[std::string(name.as_text())] =
          value.is(Kind::string) ? std::string(value.as_text()) : to_json(value);
    }
  }
  seen.value = text(document, "value");
  if (const Value* key = document.find("key"); key != nullptr && key->is(Kind::string)) seen.key = key->as_text();
  seen.partition = number(document, "partition").value_or(0);
  seen.java_partition = number(document, "java_partition").value_or(-1);
  seen.offset = number(document, "offset").value_or(0);
  seen.timestamp = number(document, "timestamp").value_or(0);
  seen.exchange = text(document, "exchange");
  seen.routing_key = text(document, "routing_key");
  seen.message_id = text(document, "message_id");
  seen.content_type = text(document, "content_type");
  seen.delivery_mode = number(document, "delivery_mode").value_or(0);
  seen.priority = number(document, "priority");
  const Value* redelivered = document.find("redelivered");
  seen.redelivered = redelivered != nullptr && redelivered->is(Kind::boolean) && redelivered->as_boolean();
  return seen;
}

}  // namespace

std::vector<Seen> parse_seen(std::string_view lines) {
  JsonParser parser;
  std::vector<Seen> all;
  for (const std::string_view line : base::split(lines, '\n')) {
    if (line.empty() || line.front() != '{') continue;
    if (const Result<Value> document = parser.parse(line); document) all.push_back(seen_of(*document));
  }
  return all;
}

std::string test_cache() {
  std::filesystem::path path;
  if (const char* named = std::getenv("RAILHEAD_TEST_CACHE"); named != nullptr && *named != '\0') {
    path = named;
  } else if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    path = std::filesystem::path(cache) / "railhead-tests";
  } else {
    const char* home = std::getenv("HOME");
    path = std::filesystem::path(home != nullptr && *home != '\0' ? home : "/tmp") / ".cache" / "railhead-tests";
  }
  std::filesystem::create_directories(path);
  return path.string();
}

CacheLock::CacheLock(const std::string& name) {
  const std::string path = test_cache() + "/" + name + ".lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  RAILHEAD_ASSERT(fd_ >= 0);
  while (::flock(fd_, LOCK_EX) != 0) {
  }
}

CacheLock::~CacheLock() { ::close(fd_); }

}  // namespace railhead::test
