#include "rules/routing/expression_reader.h"

#include <algorithm>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/config/scalars.h"
#include "rules/routing/template.h"

namespace railhead::routing {
namespace {

using expression::Type;

// "alarm", "hot boiler", "north-7": what people write when they mean a text.
bool is_bare_words(std::string_view text) {
  if (text.empty()) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; };
  return is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '_';
         });
}

// The rest of the line behind a plain scalar is a comment that may have been meant as text: `value == 'a #1'`.
bool is_cut_by_comment(const config::Node& node) {
  if (node.writing() != config::Writing::plain) return false;
  const std::string_view line = node.rest_of_line();
  return line.starts_with(node.text()) && base::trim(line.substr(node.text().size())).starts_with('#');
}

// How messages about a variable that means nothing here go on; their hint is the one that helps.
constexpr std::string_view kOutOfPlace = "' is ";

bool is_window_function(std::string_view message) {
  for (const std::string_view name : {"count", "sum", "mean", "min", "max", "first", "last", "stddev", "percentile"}) {
    if (message == "unknown function '" + std::string(name) + "'") return true;
  }
  return false;
}

std::string write_it_in_quotes(std::string_view text) {
  return "write it in quotes: " + quoted_for_yaml(base::trim(text));
}

}  // namespace

std::string quoted_for_yaml(std::string_view text) {
  if (text.find_first_of("\"\\") == std::string_view::npos) return "\"" + std::string(text) + "\"";
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out.push_back('\'');
    out.push_back(c);
  }
  return out + "'";
}

bool ExpressionReader::collides(const config::Node& node, std::string_view what) {
  const std::string field = "`" + std::string(what) + "`";
  if (node.is_broken()) return true;  // said already
  if (node.is_scalar() && !node.is_null()) return false;
  if (node.is_null() && node.text().empty()) {
    diagnostics_.error(node, field + " is empty, an expression is due");
    return true;
  }
  if (node.is_list() || node.is_map()) {
    const bool flow = node.writing() == config::Writing::flow;
    diagnostics_.error(node,
                       field + ": YAML takes this for " + std::string(node.kind_name()) + ", an expression is due",
                       flow ? write_it_in_quotes(node.rest_of_line()) : std::string{});
    return true;
  }
  return false;
}

std::string with_article(std::string_view noun) {
  const bool vowel = !noun.empty() && std::string_view("aeiou").find(noun.front()) != std::string_view::npos;
  return (vowel && noun != "uint" ? "an " : "a ") + std::string(noun);
}

std::string type_with_article(const Value& value) {
  return with_article(expression::name_of(expression::type_of(value)));
}

ExpressionPtr ExpressionReader::expression(const config::Node& node, std::string_view what,
                                           const expression::Scope& scope) {
  if (config::is_indirect(node)) {
    const std::optional<std::string> text = config::read_text(node, "an expression", diagnostics_);
    return text ? compile(node, 0, *text, what, scope) : nullptr;
  }
  if (collides(node, what)) return nullptr;
  return compile(node, 0, node.text(), what, scope);
}

ExpressionPtr ExpressionReader::condition(const config::Node& node, std::string_view what,
                                          const expression::Scope& scope) {
  ExpressionPtr program = expression(node, what, scope);
  if (!program) return nullptr;
  const Type type = program->result_type();
  if (type != Type::any && type != Type::boolean) {
    diagnostics_.error(
        node, "`" + std::string(what) + "` must be true or false, this is " + std::string(expression::name_of(type)));
    return nullptr;
  }
  return program;
}

ExpressionPtr ExpressionReader::compile(const config::Node& node, std::size_t offset, std::string_view text,
                                        std::string_view what, const expression::Scope& scope) {
  std::vector<expression::Problem> problems;
  ExpressionPtr program = expression::compile(text, scope, problems);
  if (program) {
    const std::size_t before = problems.size();
    check_reads(*program, text, problems);
    if (problems.size() > before) program = nullptr;
  }
  if (program && !program->aggregates().empty() && on_aggregates_) on_aggregates_(*program, scope.size(), node);
  const bool whole = offset == 0 && text == node.text();
  for (expression::Problem& problem : problems) {
    const bool indirect = !node.is_scalar();
    const config::Mark mark = indirect ? node.mark() : node.mark_at(offset + problem.offset);
    const std::size_t length = indirect ? node.length() : std::max<std::size_t>(problem.length, 1);
    reword(problem, node, whole ? text : std::string_view{}, what);
    if (problem.warning) {
      diagnostics_.warning(mark, length, std::move(problem.message), std::move(problem.hint));
    } else {
      diagnostics_.error(mark, length, std::move(problem.message), std::move(problem.hint));
    }
  }
  return program;
}

void ExpressionReader::check_reads(const expression::Program& program, std::string_view text,
                                   std::vector<expression::Problem>& problems) const {
  for (const expression::MemberPath& path : program.reads()) {
    const auto found = forbidden_.find(path.slot);
    if (found == forbidden_.end()) continue;
    std::string hint = found->second.hint;
    if (const std::size_t at = hint.find("{}"); at != std::string::npos) {
      hint.replace(at, 2, text.substr(path.offset, path.length));
    }
    problems.push_back({path.offset, path.length, "'" + path.variable + "' " + found->second.message, hint, false});
  }
  if (!aggregates_ && !program.aggregates().empty()) {
    const std::string& name = program.aggregates().front().name;
    const std::size_t at = text.find(name);
    problems.push_back({at == std::string_view::npos ? 0 : at, name.size(),
                        "'" + name + "' is known when the window closes, not here", "it stands in `send`", false});
  }
}

void ExpressionReader::reword(expression::Problem& problem, const config::Node& node, std::string_view text,
                              std::string_view what) const {
  for (const std::string_view no_member : {"'value' has no member ", "'previous.value' has no member "}) {
    if (devices_.empty() || !problem.message.starts_with(no_member)) continue;
    problem.message = "no point " + problem.message.substr(no_member.size()) + " on " + devices_;
  }
  if (problem.hint.find("'#") != std::string::npos) problem.hint.clear();
  if (problem.message == "unknown name 'window'" || is_window_function(problem.message)) {
    problem.hint = "it belongs to a rule with `window:`";
  } else if (problem.message == "unknown name 'item'" || problem.message == "unknown name 'index'") {
    problem.hint = "it belongs to a rule with `for_each:`";
  }
  if (problem.warning || text.empty() || problem.message.find(kOutOfPlace) != std::string::npos) return;
  if (text.find("${") != std::string_view::npos) {
    problem.hint = "`" + std::string(what) + "` is an expression: it stands without ${ }";
  } else if (text.find("{{") != std::string_view::npos) {
    problem.hint = "`" + std::string(what) + "` is an expression: it stands without {{ }}";
  } else if (is_cut_by_comment(node)) {
    problem.hint = "' #' begins a comment in YAML; " + write_it_in_quotes(node.rest_of_line());
  } else if (is_bare_words(text) && !problem.hint.starts_with("did you mean") &&
             problem.hint.find("with brackets") == std::string::npos) {
    problem.hint = "a text here has quotes inside the quotes of YAML: \"'" + std::string(text) + "'\"";
  }
}

ExpressionPtr ExpressionReader::null_literal(const expression::Scope& scope) {
  std::vector<expression::Problem> problems;
  return expression::compile("null", scope, problems);
}

void ExpressionReader::warn_of_braces(const config::Node& node, std::string_view whole, std::string_view text,
                                      const expression::Scope& scope) {
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos;) {
    const std::size_t begin = text.find_first_not_of("{ ", at);
    const std::size_t end = text.find('}', at);
    if (begin == std::string_view::npos || end == std::string_view::npos) return;
    const std::string_view inside = begin < end ? base::trim(text.substr(begin, end - begin)) : std::string_view();
    const std::size_t after = std::min(text.find_first_not_of('}', end), text.size());
    if (scope.slot_of(inside.substr(0, inside.find_first_of(".[(")))) {
      const std::string written(text.substr(at, after - at));
      const std::size_t offset = whole.find(written);
      const bool plain = node.is_scalar() && offset != std::string_view::npos;
      diagnostics_.warning(plain ? node.mark_at(offset) : node.mark(), plain ? written.size() : node.length(),
                           "'" + written + "' is sent as it stands",
                           "a variable is written ${" + std::string(inside) + "}");
    }
    at = after;
  }
}

std::optional<Template> ExpressionReader::text_template(const config::Node& node, std::string_view what,
                                                        const expression::Scope& scope) {
  if (node.is_broken()) return {};
  const std::optional<std::string> text = config::read_text(node, "a text with ${expressions}", diagnostics_);
  if (!text) return {};
  TemplateFault fault;
  const std::vector<TemplatePart> parts = split_template(*text, fault);
  if (!fault.sentence.empty()) {
    diagnostics_.error(node.is_scalar() ? node.mark_at(fault.offset) : node.mark(), fault.length,
                       std::string(fault.sentence), std::string(fault.hint));
    return {};
  }
  Template out;
  bool complete = true;
  for (const TemplatePart& part : parts) {
    Template::Part compiled;
    if (part.kind == TemplatePart::Kind::text) {
      compiled.text = part.text;
      warn_of_braces(node, *text, part.text, scope);
    } else {
      compiled.expression = compile(node, part.offset, part.text, what, scope);
      if (!compiled.expression) {
        complete = false;
        continue;
      }
      const Type type = compiled.expression->result_type();
      if (type == Type::null || type == Type::list || type == Type::map || type == Type::type) {
        diagnostics_.error(node.is_scalar() ? node.mark_at(part.offset) : node.mark(), part.text.size(),
                           with_article(expression::name_of(type)) + " has no text");
        complete = false;
      }
    }
    out.parts.push_back(std::move(compiled));
  }
  if (!complete) return {};
  return out;
}

}  // namespace railhead::routing
