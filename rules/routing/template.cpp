#include "rules/routing/template.h"

#include "rules/expression/expression.h"

namespace railhead::routing {

std::vector<TemplatePart> split_template(std::string_view text, TemplateFault& fault) {
  fault = {};
  std::vector<TemplatePart> parts;
  const auto add_text = [&](std::string_view more, std::size_t offset) {
    if (more.empty()) return;
    if (parts.empty() || parts.back().kind != TemplatePart::Kind::text) {
      parts.push_back({TemplatePart::Kind::text, {}, offset});
    }
    parts.back().text += more;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t dollar = text.find('$', at);
    add_text(text.substr(at, dollar == std::string_view::npos ? std::string_view::npos : dollar - at), at);
    if (dollar == std::string_view::npos) break;
    const std::string_view rest = text.substr(dollar);
    if (rest.starts_with("$${")) {
      add_text("${", dollar);
      at = dollar + 3;
    } else if (rest.starts_with("${")) {
      const std::size_t end = expression::end_of_embedded(text, dollar + 2);
      if (end == std::string_view::npos) {
        fault = {dollar, text.size() - dollar, "nothing closes this ${", "end it with }; a literal ${ is written $${"};
        return parts;
      }
      const std::string_view expression = text.substr(dollar + 2, end - dollar - 2);
      if (expression.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        fault = {dollar, end + 1 - dollar, "there is no expression in this ${}", "a literal ${ is written $${"};
        return parts;
      }
      parts.push_back({TemplatePart::Kind::expression, std::string(expression), dollar + 2});
      at = end + 1;
    } else {
      add_text("$", dollar);
      at = dollar + 1;
    }
  }
  return parts;
}

}  // namespace railhead::routing
