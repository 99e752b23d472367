#include "rules/expression/checker.h"

#include <algorithm>
#include <string>

#include "gateway/base/text.h"
#include "rules/expression/expectations.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/suggest.h"
#include "rules/expression/types.h"

namespace railhead::expression {
namespace {

struct Local {
  std::string name;
  std::uint32_t number = 0;
  Type type = Type::any;
  std::string shape;
  Type content = Type::any;
};

class Checker : Expectations {
 public:
  Checker(std::string_view text, Ast& ast, const Scope::Names& names, std::vector<Problem>& problems)
      : Expectations(text, ast, names, problems) {}

  void run() {
    visit(ast_.root);
    expect_result(ast_.root);
  }

 private:
  static void fail_at_run_time(Node& node, const std::string& sentence) {
    node.form = Form::literal;
    node.value = Value::error(sentence);
    node.children.clear();
  }
  // --- walking
  void visit(NodeId id) {
    if (ast_.at(id).form == Form::select) resolve_qualified(id);
    Node& node = ast_.at(id);
    switch (node.form) {
      case Form::literal: node.type = type_of(node.value); return;
      case Form::failed: return;
      case Form::name: visit_name(id); return;
      case Form::comprehension: visit_comprehension(id); return;
      case Form::call: visit_call(id); return;
      default: break;
    }
    visit_children(id);
    switch (node.form) {
      case Form::select:
      case Form::optional_select:
      case Form::test: visit_select(node); break;
      case Form::index:
      case Form::optional_index: visit_index(node); break;
      case Form::unary: visit_unary(node); break;
      case Form::binary: visit_binary(node); break;
      case Form::all_of:
      case Form::any_of: visit_logic(node); break;
      case Form::conditional: visit_conditional(node); break;
      case Form::list:
        node.type = Type::list;
        expect_optional_items(node, 0, 1);
        break;
      case Form::map: visit_map(node); break;
      default: break;
    }
  }

  void visit_children(NodeId id) {
    for (std::size_t i = 0; i < ast_.at(id).children.size(); ++i) visit_child(id, i);
  }
  void visit_child(NodeId id, std::size_t i) {
    const NodeId child = ast_.at(id).children[i];
    visit(child);
    Node& node = ast_.at(id);
    node.reads_variable = node.reads_variable || ast_.at(child).reads_variable;
    node.lowest_local = std::min(node.lowest_local, ast_.at(child).lowest_local);
  }

  // --- names
  [[nodiscard]] const Local* local(const std::string& name) const {
    const auto found =
        std::find_if(locals_.rbegin(), locals_.rend(), [&](const Local& each) { return each.name == name; });
    return found == locals_.rend() ? nullptr : &*found;
  }

  // `a.b.c`: the longest prefix that is the name of a variable, type or enum becomes one name [langdef "Name
  // Resolution"].
  void resolve_qualified(NodeId id) {
    std::vector<NodeId> chain{id};
    while (ast_.at(chain.back()).form == Form::select) chain.push_back(ast_.at(chain.back()).children[0]);
    const Node& base = ast_.at(chain.back());
    if (base.form != Form::name || (!base.rooted && local(base.name) != nullptr)) return;
    std::reverse(chain.begin(), chain.end());
    for (std::size_t parts = std::min(chain.size(), names_.dots_max + 1); parts > 1; --parts) {
      std::string name = base.name;
      for (std::size_t i = 1; i < parts; ++i) name += "." + ast_.at(chain[i]).name;
      if (!names_.by_name.contains(name) && !constant_named(name)) continue;
      const bool rooted = base.rooted;
      Node& whole = ast_.at(chain[parts - 1]);
      whole.form = Form::name;
      whole.name = std::move(name);
      whole.rooted = rooted;
      whole.offset = whole.begin;
      whole.length = whole.end - whole.begin;
      whole.children.clear();
      return;
    }
  }

  void visit_name(NodeId id) {
    Node& node = ast_.at(id);
    if (const Local* found = node.rooted ? nullptr : local(node.name)) {
      node.binding = Binding::local;
      node.index = found->number;
      node.lowest_local = found->number;
      node.type = found->type;
      node.shape = found->shape;
      node.content = found->content;
      if (inside_aggregate_ && found->number < kNoLocal) {
        error(node.offset, node.length, "a window function cannot use '" + node.name + "' of the expression around it");
      }
      return;
    }
    if (const auto found = names_.by_name.find(node.name); found != names_.by_name.end()) {
      const Scope::Names::Variable& variable = names_.variables[found->second];
      node.binding = Binding::variable;
      node.index = static_cast<std::uint32_t>(found->second);
      node.reads_variable = true;
      node.type = variable.type;
      node.shape = variable.shape;
      return;
    }
    if (const auto constant = constant_named(node.name)) {
      node.form = Form::literal;
      node.value = *constant;
      node.type = type_of(*constant);
      return;
    }
    if (names_.types_at_run_time) {
      fail_at_run_time(node, "unknown name '" + node.name + "'");
      return;
    }
    std::vector<std::string> visible;
    for (const Local& each : locals_) visible.push_back(each.name);
    error(node.offset, node.length, "unknown name '" + node.name + "'", suggest_name(node.name, visible, names_));
    node.form = Form::failed;
  }

  // --- members
  // What is known about member `name` of a value with this shape.
  void known_member(Node& node, const Node& operand, const std::string& name, std::size_t offset, std::size_t length) {
    const Scope::Names::Known* known = names_.known_at(operand.shape);
    if (!operand.shape.empty()) node.shape = operand.shape + "." + name;
    if (known == nullptr) return;
    for (const auto& [field, type] : known->fields) {
      if (field != name) continue;
      if (node.form != Form::test) node.type = type;
      return;
    }
    std::vector<std::string> fields;
    for (const auto& [field, type] : known->fields) fields.push_back(field);
    const std::optional<std::string> near = base::nearest(name, fields);
    const std::string message = "'" + std::string(source_of(operand)) + "' has no member '" + name + "'";
    if (known->complete) {
      error(offset, length, message, near ? "did you mean '" + *near + "'?" : list_of_names(fields));
    } else if (near) {
      warn(offset, length, "'" + name + "' is not among the known members of '" + std::string(source_of(operand)) + "'",
           "did you mean '" + *near + "'?");
    }
  }

  // What a member or index is asked of: an optional's own members are those of what it holds.
  [[nodiscard]] static Type container_type(const Node& operand) {
    return operand.type == Type::optional ? operand.content : operand.type;
  }
  // What was found so far is what the optional `node` holds.
  static void become_optional(Node& node) { node.content = std::exchange(node.type, Type::optional); }

  void visit_select(Node& node) {
    const Node& operand = ast_.at(node.children[0]);
    if (node.form == Form::test) node.type = Type::boolean;
    check_select(node, operand);
    const bool optional = node.form == Form::optional_select || operand.type == Type::optional;
    if (optional && node.form != Form::test) become_optional(node);
  }

  void check_select(Node& node, const Node& operand) {
    const Type container = container_type(operand);
    if (container == Type::map || container == Type::any) {
      known_member(node, operand, node.name, node.offset, node.length);
      return;
    }
    mismatch(node, a_type(container) + " has no member '" + node.name + "'",
             find_function(node.name, true, 1) ? "a function is called with brackets: " + node.name + "()" : "");
  }

  void visit_index(Node& node) {
    const Node& operand = ast_.at(node.children[0]);
    check_index(node, operand, ast_.at(node.children[1]));
    if (node.form == Form::optional_index || operand.type == Type::optional) become_optional(node);
  }

  void check_index(Node& node, const Node& operand, const Node& key) {
    const Type container = container_type(operand);
    if (container != Type::map && container != Type::list && container != Type::any) {
      mismatch(node, a_type(container) + " cannot be indexed");
      return;
    }
    if (container == Type::list && key.type != Type::any && !is_number(key.type)) {
      mismatch_whole(key, "a list is indexed by a number, not by " + a_type(key.type));
      return;
    }
    check_key_type(operand, key);
    if (key.form == Form::literal && key.value.is(Kind::string) && container != Type::list) {
      known_member(node, operand, std::string(key.value.as_text()), key.begin, key.end - key.begin);
    } else if (!operand.shape.empty()) {
      node.shape = operand.shape + "[]";
    }
  }

  // Where all keys are of one type, "tables.t[#]" has a field of it.
  void check_key_type(const Node& operand, const Node& key) {
    if (operand.shape.empty() || key.type == Type::any) return;
    const auto* const keys = names_.known_at(operand.shape + "[#]");
    if (keys == nullptr || keys->fields.size() != 1) return;
    const Type type = keys->fields.front().second;
    if (type == Type::any || type == key.type || (is_number(type) && is_number(key.type))) return;
    mismatch(key.begin, key.end - key.begin,
             "the keys of '" + operand.shape + "' are of type " + std::string(name_of(type)) + ", this is " +
                 a_type(key.type),
             type == Type::string ? "write string(" + std::string(source_of(key)) + ")" : "");
  }

  // --- operators
  void visit_unary(Node& node) {
    const Node& operand = ast_.at(node.children[0]);
    if (operand.form == Form::failed) {
      node.type = node.name == "!" ? Type::boolean : Type::any;
    } else if (const auto type = unary_result(node.name, operand.type)) {
      node.type = *type;
    } else {
      const bool number = node.name == "!" && is_number(operand.type);
      mismatch(node, "'" + node.name + "' does not work on " + a_type(operand.type),
               number ? "compare: " + std::string(source_of(operand)) + " == 0" : "");
    }
  }

  void visit_binary(Node& node) {
    const Node& left = ast_.at(node.children[0]);
    const Node& right = ast_.at(node.children[1]);
    const auto type = binary_result(node.name, left.type, right.type);
    if (!type) {
      report_operands(node, left, right);
      if (node.name.find_first_of("=<>i") != std::string::npos) node.type = Type::boolean;
      return;
    }
    node.type = *type;
    if (node.name == "/" && !names_.types_at_run_time) warn_integer_division(node, left, right);
  }

  // --- optionals
  // optional.of(x), o.value(), o.or(p), o.orValue(x) and their kin.
  void visit_optional_call(Node& node, const FunctionEntry& function) {
    if (function.method && (function.overloads.front() == 'o')) {
      const Node& receiver = ast_.at(node.children[0]);
      if (!expect_optional_receiver(node, receiver)) return;
      check_overload(node, function);
      node.shape = receiver.shape;
      if (function.name == "value") node.type = receiver.content;
      if (function.name == "or") node.content = common_type(receiver.content, ast_.at(node.children[1]).content);
      if (function.name == "orValue") node.type = common_type(receiver.content, ast_.at(node.children[1]).type);
      return;
    }
    check_overload(node, function);
    if (node.type == Type::optional && !node.children.empty()) {
      node.content = ast_.at(node.children[0]).type;
      node.shape = ast_.at(node.children[0]).shape;
    }
  }

  void visit_logic(Node& node) {
    node.type = Type::boolean;
    for (const NodeId child : node.children) expect_boolean(ast_.at(child), "'" + node.name + "' takes");
  }

  void visit_conditional(Node& node) {
    expect_boolean(ast_.at(node.children[0]), "the condition of '? :' is");
    const Node& then = ast_.at(node.children[1]);
    const Node& otherwise = ast_.at(node.children[2]);
    node.type = common_type(then.type, otherwise.type);
    node.content = common_type(then.content, otherwise.content);
    if (then.shape == otherwise.shape) node.shape = then.shape;
  }

  void visit_map(Node& node) {
    node.type = Type::map;
    expect_optional_items(node, 1, 2);
    for (std::size_t i = 0; i < node.children.size(); i += 2) {
      const Node& key = ast_.at(node.children[i]);
      switch (key.type) {
        case Type::any:
        case Type::string:
        case Type::integer:
        case Type::uinteger:
        case Type::boolean: break;
        default: mismatch_whole(key, a_type(key.type) + " is no key of a map");
      }
    }
  }

  void visit_comprehension(NodeId id) {
    visit_child(id, 0);
    const Node range = ast_.at(ast_.at(id).children[0]);
    Node& node = ast_.at(id);
    const bool bind = node.macro == Macro::bind;
    const bool of_optional = node.macro == Macro::opt_map || node.macro == Macro::opt_flat_map;
    if (of_optional) expect_optional(range, node.name + "() works on");
    if (!bind && !of_optional && range.type != Type::list && range.type != Type::map && range.type != Type::any) {
      mismatch(node, node.name + "() goes through a list or map, not " + a_type(range.type));
    }
    const auto first = static_cast<std::uint32_t>(next_local_);
    node.index = first;
    for (const std::string& name : node.variables) {
      Local each{name, static_cast<std::uint32_t>(next_local_++), Type::any, {}};
      if (bind) {
        each.type = range.type;
        each.shape = range.shape;
        each.content = range.content;
      } else if (of_optional) {
        each.type = range.content;
        each.shape = range.shape;
      } else if (range.type == Type::list && !range.shape.empty() && &name == &node.variables.back()) {
        each.shape = range.shape + "[]";
      }
      locals_.push_back(std::move(each));
    }
    const std::size_t declared = node.variables.size();
    const std::uint32_t lowest_before = node.lowest_local;
    ast_.at(id).lowest_local = kNoLocal;
    for (std::size_t i = 1; i < ast_.at(id).children.size(); ++i) visit_child(id, i);
    locals_.resize(locals_.size() - declared);
    next_local_ -= declared;
    finish_comprehension(ast_.at(id), first, lowest_before);
  }

  void finish_comprehension(Node& node, std::uint32_t first, std::uint32_t lowest_before) {
    if (node.lowest_local >= first) node.lowest_local = kNoLocal;
    node.lowest_local = std::min(node.lowest_local, lowest_before);
    const Node& body = ast_.at(node.children.back());
    const std::string where = node.name + "() asks for";
    if (node.filtered) expect_boolean(ast_.at(node.children[1]), where);
    switch (node.macro) {
      case Macro::all:
      case Macro::exists:
      case Macro::exists_one:
        expect_boolean(body, where);
        node.type = Type::boolean;
        break;
      case Macro::filter: expect_boolean(body, where); [[fallthrough]];
      case Macro::map:
      case Macro::transform_list: node.type = Type::list; break;
      case Macro::transform_map: node.type = Type::map; break;
      case Macro::bind:
        node.type = body.type;
        node.shape = body.shape;
        node.content = body.content;
        break;
      case Macro::opt_map:
        node.type = Type::optional;
        node.content = body.type;
        node.shape = body.shape;
        break;
      case Macro::opt_flat_map:
        expect_optional(body, where);
        node.type = Type::optional;
        node.content = body.content;
        node.shape = body.shape;
        break;
    }
  }

  // --- calls
  void visit_call(NodeId id) {
    resolve_namespace(ast_.at(id));
    if (!ast_.at(id).method && names_.aggregate(ast_.at(id).name) != nullptr) {
      visit_aggregate(id, *names_.aggregate(ast_.at(id).name));
      return;
    }
    visit_children(id);
    Node& node = ast_.at(id);
    const auto found = find_function(node.name, node.method, node.children.size());
    if (!found && names_.types_at_run_time) {
      fail_at_run_time(node, unknown_function(node.name, node.method, node.children.size()));
      return;
    }
    if (!found) {
      const bool failed_receiver = node.method && ast_.at(node.children[0]).form == Form::failed;
      if (!failed_receiver) {
        error(node.offset, node.length, unknown_function(node.name, node.method, node.children.size()),
              suggest_function(node.name, node.method, node.children.size(), names_));
      }
      node.form = Form::failed;
      return;
    }
    node.index = static_cast<std::uint32_t>(*found);
    visit_optional_call(node, functions()[*found]);
  }

  // math.abs(x), strings.quote(x): written like a method of an unknown name.
  void resolve_namespace(Node& node) {
    if (!node.method || node.children.empty()) return;
    const Node& receiver = ast_.at(node.children[0]);
    if (receiver.form != Form::name || local(receiver.name) != nullptr || names_.by_name.contains(receiver.name))
      return;
    const std::string whole = receiver.name + "." + node.name;
    const auto all = functions();
    const bool space = std::any_of(all.begin(), all.end(), [&](const FunctionEntry& each) {
      return each.name.starts_with(receiver.name) && each.name.substr(receiver.name.size()).starts_with('.');
    });
    if (!space) return;
    node.method = false;
    node.name = whole;
    node.offset = node.begin;
    node.length = whole.size();
    node.children.erase(node.children.begin());
  }

  void visit_aggregate(NodeId id, const Scope::Names::AggregateName& aggregate) {
    if (inside_aggregate_) {
      const Node& node = ast_.at(id);
      error(node.offset, node.length, "window functions cannot be inside each other");
    }
    const bool before = std::exchange(inside_aggregate_, true);
    visit_children(id);
    inside_aggregate_ = before;
    for (const NodeId child : ast_.at(id).children) expect_result(child);
    Node& node = ast_.at(id);
    const std::size_t given = node.children.size();
    if (given < aggregate.arguments_min || given > aggregate.arguments_max) {
      error(node.offset, node.length, wrong_count(node.name, aggregate.arguments_min, aggregate.arguments_max, given));
    }
    node.form = Form::aggregate;
    node.type = aggregate.result;
    node.reads_variable = true;
  }

  void check_overload(Node& node, const FunctionEntry& function) {
    std::vector<Type> given;
    for (const NodeId child : node.children) given.push_back(ast_.at(child).type);
    if (const auto result = call_result(function, given)) {
      node.type = *result;
      return;
    }
    report_arguments(node, function, given);
  }

  std::vector<Local> locals_;
  std::size_t next_local_ = 0;
  bool inside_aggregate_ = false;
};

}  // namespace

void check(std::string_view text, Ast& ast, const Scope::Names& names, std::vector<Problem>& problems) {
  Checker(text, ast, names, problems).run();
}

}  // namespace railhead::expression
