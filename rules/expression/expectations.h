// What a node has to be where it stands, and the sentence and the hint when its type cannot be that.
// Errors: Problems; what cannot work because of types is left to the evaluation where the scope says so.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/scope.h"

namespace railhead::expression {

class Expectations {
 protected:
  Expectations(std::string_view text, Ast& ast, const Scope::Names& names, std::vector<Problem>& problems)
      : text_(text), ast_(ast), names_(names), problems_(problems) {}

  void error(std::size_t offset, std::size_t length, std::string message, std::string hint = {});
  void warn(std::size_t offset, std::size_t length, std::string message, std::string hint = {});
  // What cannot work because of types.
  void mismatch(std::size_t offset, std::size_t length, std::string message, std::string hint = {});
  // The same, pointing at the node's operator or name.
  void mismatch(const Node& node, std::string message, std::string hint = {}) {
    mismatch(node.offset, node.length, std::move(message), std::move(hint));
  }
  // The same, pointing at all of it.
  void mismatch_whole(const Node& node, std::string message, std::string hint = {}) {
    mismatch(node.begin, node.end - node.begin, std::move(message), std::move(hint));
  }
  [[nodiscard]] std::string_view source_of(const Node& node) const {
    return text_.substr(node.begin, node.end - node.begin);
  }

  // `where`: "'&&' takes".
  void expect_boolean(const Node& node, std::string_view where);
  void expect_optional(const Node& node, std::string_view where);
  // Of a list's items, or of a map's entries: children `first`, `first` + `stride`...
  void expect_optional_items(const Node& node, std::size_t first, std::size_t stride);
  // Of a call that only optionals answer; false: it is reported. A member of what was read is plain, whatever its type:
  // no variable holds an optional.
  bool expect_optional_receiver(const Node& call, const Node& receiver);
  // No optional leaves an expression, by itself or in the lists and maps it writes.
  void expect_result(NodeId id);
  // Operands that no operator of this name takes.
  void report_operands(const Node& node, const Node& left, const Node& right);
  void warn_integer_division(const Node& node, const Node& left, const Node& right);
  // Arguments that no overload takes.
  void report_arguments(const Node& node, const FunctionEntry& function, const std::vector<Type>& given);

  std::string_view text_;
  Ast& ast_;
  const Scope::Names& names_;
  std::vector<Problem>& problems_;
};

}  // namespace railhead::expression
