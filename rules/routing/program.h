// Program: the compiled rules as a Router. Immutable and shared. Threads: any.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/ports/router.h"
#include "rules/routing/compiled.h"
#include "rules/routing/coverage.h"

namespace railhead::routing {

class Program final : public ports::Router {
 public:
  explicit Program(std::shared_ptr<const Compiled> compiled);
  [[nodiscard]] std::unique_ptr<ports::RuleState> open() const override;
  [[nodiscard]] std::unique_ptr<ports::RuleState> open_one(std::string_view rule) const override;
  // A state that notes in `coverage` what its readings reach; `coverage` outlives it.
  [[nodiscard]] std::unique_ptr<ports::RuleState> open(Coverage& coverage) const;
  [[nodiscard]] bool takes_from(std::string_view source) const override;
  [[nodiscard]] const Compiled& compiled() const { return *compiled_; }

 private:
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace railhead::routing
