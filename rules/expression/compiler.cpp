#include "rules/expression/compiler.h"

#include <algorithm>
#include <optional>

#include "rules/expression/fold.h"
#include "rules/expression/scope.h"

namespace railhead::expression {
namespace {

class Assembler {
 public:
  Assembler(std::string_view text, const Ast& ast, const Scope::Names& names, std::vector<Problem>& problems)
      : text_(text), ast_(ast), names_(names), problems_(problems), code_(std::make_unique<Program::Code>()) {}

  std::unique_ptr<Program::Code> run(NodeId root) {
    const Node& top = ast_.at(root);
    if (top.end <= text_.size()) code_->text = text_.substr(top.begin, top.end - top.begin);
    code_->result = top.type;
    code_->result_shape = top.shape;
    if (top.form == Form::literal) code_->constant = top.value;
    visit(root);
    code_->steps = code_->instructions.size();
    code_->is_look_up = code_->steps == 1 && code_->instructions[0].op == Op::push;
    return std::move(code_);
  }

 private:
  std::uint32_t here() const { return static_cast<std::uint32_t>(code_->instructions.size()); }

  // `effect`: how many values the instruction leaves more (or less) on the stack.
  std::size_t emit(Op op, int effect, std::size_t a = 0, std::size_t b = 0) {
    if (op == Op::list || op == Op::map || op >= Op::loop_collect || op == Op::call) code_->makes_containers = true;
    return emit({op, From::stack, From::stack, static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)}, effect);
  }

  std::size_t emit(const Instruction& instruction, int effect) {
    code_->instructions.push_back(instruction);
    depth_ = static_cast<std::size_t>(static_cast<int>(depth_) + effect);
    code_->stack_max = std::max(code_->stack_max, depth_);
    return code_->instructions.size() - 1;
  }

  std::size_t constant(const Value& value) {
    code_->constants.push_back(value);
    return code_->constants.size() - 1;
  }

  // --- what the program reads
  void note_read(const MemberPath& read, const Node& at) {
    for (MemberPath& known : code_->reads) {
      if (known.slot == read.slot && known.members == read.members) {
        known.only_tested = known.only_tested && read.only_tested;
        return;
      }
    }
    code_->reads.push_back(read);
    code_->reads.back().offset = at.begin;
    code_->reads.back().length = at.end - at.begin;
  }

  // variable.member.member... and variable["member"]: one instruction. `optional_from`: the first member behind a `?`,
  // if that is allowed.
  bool path_of(NodeId id, MemberPath& path, std::size_t* optional_from = nullptr) const {
    std::vector<std::string> reversed;
    std::size_t behind_optional = 0;  // members from the first optional one on
    for (;;) {
      const Node& node = ast_.at(id);
      if (node.form == Form::name && node.binding == Binding::variable) {
        path.slot = node.index;
        path.members.assign(reversed.rbegin(), reversed.rend());
        path.variable = node.name;
        if (optional_from != nullptr) *optional_from = reversed.size() - behind_optional;
        return true;
      }
      const bool optional = node.form == Form::optional_select || node.form == Form::optional_index;
      if (optional && optional_from == nullptr) return false;
      if (optional) behind_optional = reversed.size() + 1;
      if (node.form == Form::select || node.form == Form::optional_select) {
        reversed.push_back(node.name);
      } else if ((node.form == Form::index || optional) && ast_.at(node.children[1]).form == Form::literal &&
                 ast_.at(node.children[1]).value.is(Kind::string)) {
        reversed.emplace_back(ast_.at(node.children[1]).value.as_text());
      } else {
        return false;
      }
      id = node.children[0];
    }
  }

  std::size_t path(const MemberPath& read) {
    Path& path = code_->paths.emplace_back();
    path.slot = static_cast<std::uint32_t>(read.slot);
    for (const std::string& member : read.members) path.members.push_back({Value::text(member)});
    return code_->paths.size() - 1;
  }

  // As path_of(), with at least one member that may be absent: its place among the paths.
  std::optional<std::size_t> optional_path(NodeId id) {
    MemberPath read;
    std::size_t optional_from = 0;
    if (ast_.at(id).type != Type::optional || !path_of(id, read, &optional_from)) return {};
    if (optional_from == read.members.size()) return {};
    read.only_tested = true;
    note_read(read, ast_.at(id));
    const std::size_t number = path(read);
    code_->paths[number].optional_from = static_cast<std::uint32_t>(optional_from);
    return number;
  }

  // What needs no instruction of its own to be an operand; From::stack: all else, and nothing is done.
  struct Place {
    From from = From::stack;
    std::size_t number = 0;
  };
  Place place_of(NodeId id) {
    const Node& node = ast_.at(id);
    if (node.form == Form::literal) return {From::constant, constant(node.value)};
    if (node.form == Form::name && node.binding == Binding::local) return {From::local, node.index};
    MemberPath read;
    if (!path_of(id, read)) return {};
    note_read(read, node);
    if (read.members.empty()) return {From::variable, read.slot};
    if (read.members.size() > 1) return {From::path, path(read)};
    code_->members.push_back({static_cast<std::uint32_t>(read.slot), {Value::text(read.members[0])}});
    return {From::member, code_->members.size() - 1};
  }

  void push(const Place& place) {
    emit({Op::push, place.from, From::stack, static_cast<std::uint32_t>(place.number), 0}, 1);
  }

  // The operand stands where it is, or is computed.
  Place operand(NodeId id) {
    const Place place = place_of(id);
    if (place.from == From::stack) visit(id);
    return place;
  }

  void visit_binary(Op op, const Node& node) {
    const Place left = operand(node.children[0]);
    const Place right = operand(node.children[1]);
    // A failure of the right one may be put above the left one.
    code_->stack_max = std::max(code_->stack_max, depth_ + 1);
    if (op == Op::add) code_->makes_containers = true;
    emit({op, left.from, right.from, static_cast<std::uint32_t>(left.number), static_cast<std::uint32_t>(right.number)},
         1 - (left.from == From::stack ? 1 : 0) - (right.from == From::stack ? 1 : 0));
  }

  void visit_test(const Node& node) {
    MemberPath read;
    if (path_of(node.children[0], read)) {
      read.members.push_back(node.name);
      read.only_tested = true;
      note_read(read, node);
      emit(Op::test_path, 1, path(read));
      return;
    }
    visit(node.children[0]);
    emit(Op::test, 0, constant(Value::text(node.name)));
  }

  void visit_all(const std::vector<NodeId>& children) {
    for (const NodeId child : children) visit(child);
  }

  void visit(NodeId id) {
    const Node& node = ast_.at(id);
    if (const Place place = place_of(id); place.from != From::stack) return push(place);
    if (const auto path = optional_path(id)) {
      emit(Op::optional_path, 1, *path);
      return;
    }
    switch (node.form) {
      case Form::literal:
      case Form::name: RAILHEAD_ASSERT(false); break;
      case Form::select:
        visit(node.children[0]);
        emit(Op::select, 0, constant(Value::text(node.name)));
        break;
      case Form::optional_select:
        visit(node.children[0]);
        emit(Op::optional_select, 0, constant(Value::text(node.name)));
        break;
      case Form::optional_index:
        visit_all(node.children);
        emit(Op::optional_index, -1);
        break;
      case Form::test: visit_test(node); break;
      case Form::index: visit_binary(Op::index, node); break;
      case Form::call: visit_call(node); break;
      case Form::aggregate: visit_aggregate(node); break;
      case Form::unary:
        visit(node.children[0]);
        emit(node.name == "!" ? Op::invert : Op::negate, 0);
        break;
      case Form::binary: visit_binary(op_of(node.name), node); break;
      case Form::all_of: visit_chain(node, Op::and_jump, Op::and_join); break;
      case Form::any_of: visit_chain(node, Op::or_jump, Op::or_join); break;
      case Form::conditional: visit_conditional(node); break;
      case Form::list:
      case Form::map: visit_literal(node); break;
      case Form::comprehension: visit_comprehension(node); break;
      case Form::failed: RAILHEAD_ASSERT(false); break;
    }
  }

  static Op op_of(std::string_view name) {
    if (name == "+") return Op::add;
    if (name == "-") return Op::subtract;
    if (name == "*") return Op::multiply;
    if (name == "/") return Op::divide;
    if (name == "%") return Op::remainder;
    if (name == "==") return Op::equal;
    if (name == "!=") return Op::not_equal;
    if (name == "<") return Op::less;
    if (name == "<=") return Op::less_equal;
    if (name == ">") return Op::greater;
    if (name == ">=") return Op::greater_equal;
    return Op::in;
  }

  void visit_call(const Node& node) {
    const FunctionEntry& function = functions()[node.index];
    const bool matches = function.name == "matches" && node.children.size() == 2;
    const Node* pattern = matches ? &ast_.at(node.children[1]) : nullptr;
    if (matches && pattern->form == Form::literal && pattern->value.is(Kind::string)) {
      std::string why;
      if (auto regex = Regex::compile(pattern->value.as_text(), why)) {
        visit(node.children[0]);
        code_->regexes.push_back(std::move(regex));
        emit(Op::match, 0, code_->regexes.size() - 1);
        return;
      }
      if (!names_.types_at_run_time) {
        problems_.push_back({pattern->begin, pattern->end - pattern->begin, "wrong pattern: " + why,
                             "patterns are written as in RE2; a raw text r\"...\" needs no double backslashes", false});
      }
    }
    if (function.code == nullptr) return visit_fallback(node, function.name == "orValue");
    if (function.name == "hasValue") {
      if (const auto path = optional_path(node.children[0])) {
        emit(Op::path_holds, 1, *path);
        return;
      }
    }
    visit_all(node.children);
    emit(Op::call, 1 - static_cast<int>(node.children.size()), node.index, node.children.size());
  }

  // a.or(b), a.orValue(b): b only where a holds nothing. `opens`: what a holds instead of a.
  void visit_fallback(const Node& node, bool opens) {
    std::vector<std::size_t> jumps;
    visit_held(node.children[0], opens, jumps);
    visit(node.children[1]);
    for (const std::size_t each : jumps) code_->instructions[each].b = here();
  }

  // Goes on where the optional holds nothing, else jumps. Members that are read where they stand become no optionals.
  void visit_held(NodeId id, bool opens, std::vector<std::size_t>& jumps) {
    const Node& node = ast_.at(id);
    const auto path = opens ? optional_path(id) : std::nullopt;
    if (path) {
      jumps.push_back(emit(Op::path_or, 0, *path));
    } else if (node.form == Form::call && functions()[node.index].name == "or") {
      for (const NodeId child : node.children) visit_held(child, opens, jumps);
    } else {
      visit(id);
      jumps.push_back(emit(Op::held_or, -1, opens ? 1 : 0));
    }
  }

  void visit_aggregate(const Node& node) {
    Aggregate aggregate;
    aggregate.name = node.name;
    aggregate.slot = names_.variables.size() + code_->aggregates.size();
    for (const NodeId child : node.children) {
      aggregate.arguments.push_back(
          std::make_shared<const Program>(Assembler(text_, ast_, names_, problems_).run(child)));
    }
    push({From::variable, aggregate.slot});
    code_->aggregates.push_back(std::move(aggregate));
  }

  void visit_chain(const Node& node, Op jump, Op join) {
    std::vector<std::size_t> jumps;
    visit(node.children.front());
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      jumps.push_back(emit(jump, 0));
      visit(node.children[i]);
      emit(join, -1);
    }
    for (const std::size_t each : jumps) code_->instructions[each].a = here();
  }

  void visit_conditional(const Node& node) {
    visit(node.children[0]);
    const std::size_t branch = emit(Op::branch, -1);
    visit(node.children[1]);
    const std::size_t jump = emit(Op::jump, -1);
    code_->instructions[branch].a = here();
    visit(node.children[2]);
    code_->instructions[branch].b = here();
    code_->instructions[jump].a = here();
  }

  void visit_literal(const Node& node) {
    visit_all(node.children);
    const int count = static_cast<int>(node.children.size());
    if (!node.optional_items.empty()) {
      code_->marks.push_back(node.optional_items);
      emit(node.form == Form::list ? Op::marked_list : Op::marked_map, 1 - count, node.children.size(),
           code_->marks.size() - 1);
      return;
    }
    emit(node.form == Form::list ? Op::list : Op::map, 1 - count, node.children.size());
  }

  void visit_comprehension(const Node& node) {
    const std::size_t locals = std::max<std::size_t>(1, node.variables.size());
    code_->locals = std::max(code_->locals, node.index + locals);
    visit(node.children[0]);
    if (node.macro == Macro::bind) {
      emit(Op::set_local, -1, node.index);
      visit(node.children[1]);
      emit(Op::keep, 0);
      return;
    }
    if (node.macro == Macro::opt_map || node.macro == Macro::opt_flat_map) {
      const std::size_t held = emit(Op::held_to_local, -1, node.index);
      visit(node.children[1]);
      emit(node.macro == Macro::opt_map ? Op::optional_of : Op::keep, 0);
      code_->instructions[held].b = here();
      return;
    }
    code_->loops.push_back({node.macro, node.index, static_cast<std::uint32_t>(node.variables.size())});
    const std::size_t begin = emit(Op::loop_begin, -1, code_->loops.size() - 1);
    const std::size_t next = emit(Op::loop_next, 0);
    std::size_t filter = 0;
    if (node.filtered) {
      visit(node.children[1]);
      filter = emit(Op::loop_filter, -1, next);
    }
    visit(node.children.back());
    const std::size_t collect = emit(Op::loop_collect, 0, next);
    code_->instructions[next].a = static_cast<std::uint32_t>(collect - next);
    for (const std::size_t each : {begin, next, collect}) code_->instructions[each].b = here();
    if (node.filtered) code_->instructions[filter].b = here();
  }

  std::string_view text_;
  const Ast& ast_;
  const Scope::Names& names_;
  std::vector<Problem>& problems_;
  std::unique_ptr<Program::Code> code_;
  std::size_t depth_ = 0;
};

}  // namespace

std::unique_ptr<Program::Code> assemble_part(const Ast& ast, NodeId root, const Scope::Names& names) {
  std::vector<Problem> ignored;
  return Assembler({}, ast, names, ignored).run(root);
}

std::shared_ptr<const Program> assemble(std::string_view text, Ast& ast, const Scope::Names& names,
                                        std::vector<Problem>& problems) {
  fold(ast, names, problems);
  auto code = Assembler(text, ast, names, problems).run(ast.root);
  code->text = text;
  return std::make_shared<const Program>(std::move(code));
}

}  // namespace railhead::expression
