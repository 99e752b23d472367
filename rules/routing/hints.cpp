#include "rules/routing/hints.h"

#include "gateway/base/text.h"

namespace railhead::routing {

std::string hint_of(std::string_view unknown, const std::vector<std::string>& known) {
  const auto near = base::nearest(unknown, known);
  return near ? "did you mean '" + *near + "'?" : std::string{};
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > 8 ? out + ", ..." : out;
}

}  // namespace railhead::routing
