// The tree of one expression: nodes in a flat array, children by index, the root last added by the parser.
// Why flat: one allocation pattern, no recursive destructors, and the checker's results sit in the nodes.
// Bounds: kNodesMax nodes; `depth` of a node is at most kDepthMax, so recursion over the tree is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/message/value.h"
#include "rules/expression/expression.h"

namespace railhead::expression {

using NodeId = std::uint32_t;

inline constexpr std::uint32_t kDepthMax = 1000;
inline constexpr std::uint32_t kNoLocal = 0xffff'ffff;

enum class Form : std::uint8_t {
  literal,          // value
  name,             // a variable, local or type, possibly rooted (`.x`)
  select,           // children[0].name
  test,             // has(children[0].name)
  index,            // children[0][children[1]]
  optional_select,  // children[0].?name
  optional_index,   // children[0][?children[1]]
  call,             // name(children...), or children[0].name(children[1]...) if method
  unary,            // name is "!" or "-"
  binary,           // name is the operator
  all_of,           // && over all children
  any_of,           // || over all children
  conditional,      // children[0] ? children[1] : children[2]
  list,
  map,            // children are key, value, key, value...
  aggregate,      // of a window: children are programs of their own
  comprehension,  // macro over children[0]; locals are named by `variables`; then [filter] and body
  failed,         // a mistake already reported
};

enum class Macro : std::uint8_t {
  all,
  exists,
  exists_one,
  map,
  filter,
  transform_list,
  transform_map,
  bind,
  opt_map,
  opt_flat_map
};

// What a name node turned out to be.
enum class Binding : std::uint8_t { unknown, variable, local };

struct Node {
  Form form = Form::failed;
  Macro macro = Macro::all;
  Binding binding = Binding::unknown;
  bool rooted = false;          // `.x`: no local
  bool method = false;          // call: written receiver.name(...)
  bool filtered = false;        // comprehension: children are range, filter, body
  bool reads_variable = false;  // by the checker: somewhere inside
  Type type = Type::any;        // by the checker
  std::uint32_t depth = 1;
  std::uint32_t index = 0;  // slot of a variable, number of a local (a comprehension's first), of a function
  std::uint32_t lowest_local = kNoLocal;  // by the checker: the lowest local used inside and not bound inside
  std::size_t offset = 0;                 // of the part to point at: the name, the operator
  std::size_t length = 0;
  std::size_t begin = 0;  // the whole text of the node
  std::size_t end = 0;
  Value value;
  std::string name;
  std::vector<std::string> variables;
  std::vector<NodeId> children;
  std::vector<bool>
      optional_items;        // list, map: of which items or entries `?` says that they may be none; empty: of no one
  Type content = Type::any;  // by the checker: of what an optional holds
  std::string shape;         // by the checker: the path whose known fields this value has (Scope::declare_fields)
};

struct Ast {
  std::vector<Node> nodes;
  NodeId root = 0;

  [[nodiscard]] Node& at(NodeId id) { return nodes[id]; }
  [[nodiscard]] const Node& at(NodeId id) const { return nodes[id]; }
};

}  // namespace railhead::expression
