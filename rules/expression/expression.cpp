#include "rules/expression/expression.h"

#include <algorithm>

#include "rules/expression/checker.h"
#include "rules/expression/compiler.h"
#include "rules/expression/constants.h"
#include "rules/expression/impossible.h"
#include "rules/expression/lexer.h"
#include "rules/expression/parser.h"
#include "rules/expression/program.h"
#include "rules/expression/scope.h"

namespace railhead::expression {

Program::Program(std::unique_ptr<const Code> code) : code_(std::move(code)) {}
Program::~Program() = default;
Type Program::result_type() const { return code_->result; }
const std::vector<MemberPath>& Program::reads() const { return code_->reads; }
const std::vector<Aggregate>& Program::aggregates() const { return code_->aggregates; }
const std::optional<Value>& Program::constant() const { return code_->constant; }
const std::string& Program::text() const { return code_->text; }

std::shared_ptr<const Program> compile(std::string_view text, const Scope& scope, std::vector<Problem>& problems) {
  std::vector<Problem> found;
  const auto wrong = [&] {
    return std::any_of(found.begin(), found.end(), [](const Problem& each) { return !each.warning; });
  };
  std::shared_ptr<const Program> program;
  Ast ast;
  if (parse(text, ast, found)) {
    check(text, ast, scope.names(), found);
    if (!wrong()) find_impossible(text, ast, scope.names(), found);
    if (!wrong() && !scope.names().types_at_run_time) check_constants(ast, found);
    if (!wrong()) program = assemble(text, ast, scope.names(), found);
    if (wrong()) program = nullptr;
  }
  std::stable_sort(found.begin(), found.end(), [](const Problem& a, const Problem& b) { return a.offset < b.offset; });
  problems.insert(problems.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return program;
}

std::size_t end_of_embedded(std::string_view text, std::size_t begin) {
  if (begin > text.size()) return std::string_view::npos;
  std::vector<Problem> ignored;
  std::size_t open = 0;
  for (const Token& token : tokenize(text.substr(begin), ignored)) {
    if (token.is("{")) ++open;
    if (!token.is("}")) continue;
    if (open == 0) return begin + token.offset;
    --open;
  }
  return std::string_view::npos;
}

bool append_text(const Value& value, std::string& out) {
  if (value.is(Kind::string)) {
    out += value.as_text();
    return true;
  }
  if (value.is(Kind::type) || value.is(Kind::error)) return false;
  const std::optional<std::string> text = text_of(value);
  if (text) out += *text;
  return text.has_value();
}

}  // namespace railhead::expression
