#include "tests/support/number_at.h"

#include <optional>

#include "gateway/base/text.h"

namespace railhead::test {

std::int64_t number_at(const Value& document, const std::vector<std::string>& path) {
  const Value* at = &document;
  for (const std::string& step : path) {
    if (at->is(Kind::list)) {
      const std::optional<std::uint64_t> index = base::parse_uint(step);
      if (!index || *index >= at->as_list().size()) return -1;
      at = &at->as_list()[static_cast<std::size_t>(*index)];
    } else {
      at = at->find(step);
      if (at == nullptr) return -1;
    }
  }
  if (at->is(Kind::integer)) return at->as_integer();
  return at->is(Kind::uinteger) ? static_cast<std::int64_t>(at->as_uinteger()) : -1;
}

}  // namespace railhead::test
