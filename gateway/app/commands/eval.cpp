#include <iostream>

#include "gateway/app/commands/commands.h"
#include "rules/expression/eval_json.h"

namespace railhead::app {

int run_eval(const EvalArguments& arguments) {
  if (arguments.json) {
    std::ios::sync_with_stdio(false);
    return expression::eval_lines(std::cin, std::cout);
  }
  if (arguments.expression.empty()) {
    std::cerr << "railhead eval: an expression is missing, like railhead eval '1 + 2'\n";
    return 1;
  }
  return expression::eval_text(arguments.expression, std::cout, std::cerr);
}

}  // namespace railhead::app
