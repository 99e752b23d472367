#include "rules/expression/fold.h"

#include <algorithm>
#include <utility>

#include "rules/expression/expression.h"
#include "rules/expression/optionals.h"
#include "rules/expression/scope.h"

namespace railhead::expression {
namespace {

constexpr std::size_t kTextKept = 4096;
constexpr std::size_t kItemsKept = 1000;

class NoBindings : public Bindings {
 public:
  const Value& get(std::size_t /*slot*/) override { return nothing_; }

 private:
  Value nothing_ = Value::error("no variables here");
};

// Small enough to be kept as a constant.
bool is_small(const Value& value) {
  std::vector<const Value*> open{&value};
  std::size_t text = 0;
  std::size_t items = 0;
  while (!open.empty()) {
    const Value* const next = open.back();
    open.pop_back();
    if (++items > kItemsKept) return false;
    switch (next->kind()) {
      case Kind::string:
      case Kind::bytes: text += next->as_text().size(); break;
      case Kind::list:
        if (next->as_list().size() > kItemsKept) return false;
        for (const Value& item : next->as_list()) open.push_back(&item);
        break;
      case Kind::map:
        if (next->as_map().size() > kItemsKept) return false;
        for (const Value::Entry& entry : next->as_map()) {
          open.push_back(&entry.first);
          open.push_back(&entry.second);
        }
        break;
      default: break;
    }
    if (text > kTextKept) return false;
  }
  return true;
}

}  // namespace

void fold(Ast& ast, const Scope::Names& names, std::vector<Problem>& problems) {
  std::vector<NodeId> open{ast.root};
  NoBindings bindings;
  Evaluator evaluator;
  std::uint64_t left = kFoldStepsMax;
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    Node& node = ast.at(id);
    if (node.form == Form::literal) continue;
    if (node.reads_variable || node.lowest_local != kNoLocal) {
      open.insert(open.end(), node.children.begin(), node.children.end());
      continue;
    }
    if (node.type == Type::optional) {
      open.insert(open.end(), node.children.begin(), node.children.end());
      continue;
    }
    if (left == 0) continue;
    const Program part(assemble_part(ast, id, names));
    evaluator.set_budget(left);
    const Value value = evaluator.evaluate(part, bindings);
    const std::uint64_t used = evaluator.steps_used();
    left -= std::min(left, used);
    if (value.is(Kind::error) && value.as_text() == kOptionalLeaves) {
      open.insert(open.end(), node.children.begin(), node.children.end());
      continue;
    }
    if (value.is(Kind::error)) {
      if (left > 0 && !names.types_at_run_time) {
        problems.push_back(
            {node.begin, node.end - node.begin, "this always fails: " + std::string(value.as_text()), {}, true});
      }
      continue;
    }
    if (!is_small(value)) continue;
    node.form = Form::literal;
    node.value = value;
    node.children.clear();
  }
}

}  // namespace railhead::expression
