#include "rules/expression/tree_writer.h"

#include <algorithm>
#include <utility>

#include "rules/expression/number.h"

namespace railhead::expression {
namespace {

Token token_of(const Node& node) {
  Token token;
  token.offset = node.begin;
  token.length = node.end - node.begin;
  return token;
}

}  // namespace

NodeId TreeWriter::fail_at(const Token& token, std::string message, std::string hint) {
  TokenReader::fail_at(token, std::move(message), std::move(hint));
  return 0;
}

NodeId TreeWriter::unexpected(const Token& token, bool after_operand) {
  TokenReader::unexpected(token, after_operand);
  return 0;
}

NodeId TreeWriter::add(Node node) {
  for (const NodeId child : node.children) {
    if (child < ast_.nodes.size()) node.depth = std::max(node.depth, ast_.at(child).depth + 1);
  }
  if (ast_.nodes.size() >= kNodesMax) {
    return fail_at(now(), "the expression is too long: more than " + std::to_string(kNodesMax) + " parts");
  }
  if (node.depth > kDepthMax) return fail_at(now(), "the expression is nested too deeply");
  ast_.nodes.push_back(std::move(node));
  return static_cast<NodeId>(ast_.nodes.size() - 1);
}

Node TreeWriter::spanning(Form form, const Token& pointed, std::size_t begin) const {
  Node node;
  node.form = form;
  node.offset = pointed.offset;
  node.length = pointed.length;
  node.begin = begin;
  node.end = end_of_last();
  return node;
}

NodeId TreeWriter::literal(const Token& token, Value value) {
  advance();
  Node node = spanning(Form::literal, token, token.offset);
  node.value = std::move(value);
  return add(std::move(node));
}

NodeId TreeWriter::number(const Token& token, bool negative) {
  const std::size_t from = negative ? token.offset - 1 : token.offset;
  const std::optional<Value> value = number_value(token.text, token.kind, negative);
  if (!value) {
    return fail_at(token, std::string(negative ? "-" : "") + token.text + " is out of range",
                   token.kind == TokenKind::uinteger ? "uint holds 0 to 18446744073709551615"
                                                     : "int holds -9223372036854775808 to 9223372036854775807");
  }
  const NodeId result = literal(token, *value);
  if (!stopped()) ast_.at(result).begin = from;
  return result;
}

NodeId TreeWriter::comprehension(const MacroShape& shape, NodeId range, const std::vector<NodeId>& given,
                                 const Token& name) {
  Node node = spanning(Form::comprehension, name, begin_of(range));
  node.name = shape.name;
  node.macro = shape.macro;
  node.filtered = shape.filtered;
  node.children = {range};
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Node& argument = ast_.at(given[i]);
    if (i >= shape.variables) {
      node.children.push_back(given[i]);
    } else if (argument.form != Form::name || argument.rooted) {
      return fail_at(token_of(argument), "the first argument of " + std::string(shape.name) + "() names its variable",
                     "for example: list.all(x, x > 0)");
    } else if (std::find(node.variables.begin(), node.variables.end(), argument.name) != node.variables.end()) {
      return fail_at(token_of(argument), "the variable '" + argument.name + "' is named twice");
    } else {
      node.variables.push_back(argument.name);
    }
  }
  return add(std::move(node));
}

NodeId TreeWriter::presence(const Token& token, const std::vector<NodeId>& given) {
  if (given.size() == 1 && ast_.at(given[0]).form == Form::optional_select) {
    return fail_at(token, "has() asks for a plain member", "write has(a.b), or a.?b.hasValue()");
  }
  if (given.size() != 1 || ast_.at(given[0]).form != Form::select) {
    return fail_at(token, "has() asks for one member", "for example: has(value.temperature)");
  }
  ast_.at(given[0]).form = Form::test;
  return given[0];
}

std::optional<NodeId> TreeWriter::of_cel(const Token& name, const std::vector<NodeId>& given, std::size_t begin) {
  if (name.text == "bind" && given.size() == 3) return comprehension(kBind, given[1], {given[0], given[2]}, name);
  if (name.text == "block" && given.size() == 2) return block(name, given, begin);
  const bool index = name.text == "index" && given.size() == 1;
  const bool variable = (name.text == "iterVar" || name.text == "accuVar") && given.size() == 2;
  if (!index && !variable) return {};
  Node node = spanning(Form::name, name, begin);
  node.name = "@" + name.text;
  for (const NodeId each : given) {
    const Node& number = ast_.at(each);
    if (number.form != Form::literal || !number.value.is(Kind::integer)) {
      return fail_at(token_of(number), "cel." + name.text + "() takes a whole number");
    }
    node.name += ":" + std::to_string(number.value.as_integer());
  }
  return add(std::move(node));
}

// As binds inside each other, the first of the list outermost.
NodeId TreeWriter::block(const Token& name, const std::vector<NodeId>& given, std::size_t begin) {
  if (ast_.at(given[0]).form != Form::list || !ast_.at(given[0]).optional_items.empty()) {
    return fail_at(token_of(ast_.at(given[0])), "cel.block() takes a list of expressions");
  }
  const std::vector<NodeId> items = ast_.at(given[0]).children;
  NodeId result = given[1];
  for (std::size_t i = items.size(); i-- > 0 && !stopped();) {
    Node node = spanning(Form::comprehension, name, begin);
    node.name = kBind.name;
    node.macro = kBind.macro;
    node.variables = {"@index:" + std::to_string(i)};
    node.children = {items[i], result};
    result = add(std::move(node));
  }
  return result;
}

std::string TreeWriter::dotted_name(NodeId id) const {
  std::string name;
  while (ast_.at(id).form == Form::select) {
    name = "." + ast_.at(id).name + name;
    id = ast_.at(id).children[0];
  }
  return ast_.at(id).form == Form::name ? ast_.at(id).name + name : "";
}

}  // namespace railhead::expression
