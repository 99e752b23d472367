// The nodes of the tree that a parser reads, one function a form; the grammar is the parser's.
// Errors: as TokenReader's; 0 is returned once it has stopped.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/macros.h"
#include "rules/expression/token_reader.h"

namespace railhead::expression {

class TreeWriter : protected TokenReader {
 protected:
  TreeWriter(std::vector<Token> tokens, Ast& ast, std::vector<Problem>& problems)
      : TokenReader(std::move(tokens), problems), ast_(ast) {}

  // What parsing gives up with.
  NodeId fail_at(const Token& token, std::string message, std::string hint = {});
  NodeId unexpected(const Token& token, bool after_operand);

  NodeId add(Node node);
  // `pointed`: what a problem of the node points at. It ends where the last token does.
  [[nodiscard]] Node spanning(Form form, const Token& pointed, std::size_t begin) const;
  [[nodiscard]] std::size_t begin_of(NodeId id) const { return id < ast_.nodes.size() ? ast_.at(id).begin : 0; }

  // Takes the token.
  NodeId literal(const Token& token, Value value);
  NodeId number(const Token& token, bool negative);
  NodeId comprehension(const MacroShape& shape, NodeId range, const std::vector<NodeId>& given, const Token& name);
  NodeId presence(const Token& token, const std::vector<NodeId>& given);  // has(...)
  // cel.bind(), and the forms that optimisers of CEL write: cel.block([...], x) with cel.index(n) for what the list
  // computes, cel.iterVar() and cel.accuVar() for variables. nullopt: no such form.
  std::optional<NodeId> of_cel(const Token& name, const std::vector<NodeId>& given, std::size_t begin);
  // "google.protobuf.Value" of `google.protobuf.Value` or `.google.protobuf.Value`; empty if it is no name.
  [[nodiscard]] std::string dotted_name(NodeId id) const;

  Ast& ast_;

 private:
  NodeId block(const Token& name, const std::vector<NodeId>& given, std::size_t begin);
};

}  // namespace railhead::expression
