// TableWatch: the tables' files of a running configuration, looked at once a second. A new version takes the place of
// the old one as a whole, when all rules check against it; one that does not is refused with its reason, and the old
// one stays. Threads: main's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/app/assembly.h"
#include "gateway/app/configuration.h"
#include "gateway/app/file_watch.h"
#include "gateway/status/reporter.h"

namespace railhead::app {

class TableWatch {
 public:
  // From now on the tables of this configuration, whose texts `diagnostics` has.
  void watch(std::shared_ptr<const Configuration> configuration,
             std::shared_ptr<const config::Diagnostics> diagnostics);
  [[nodiscard]] bool empty() const { return watches_.empty(); }
  // Looks, and changes the rules of `assembly` where a file changed.
  void look(Assembly& assembly, status::Reporter& reporter);

 private:
  void read_anew(const std::string& name, Assembly& assembly, status::Reporter& reporter);
  void keep(const config::FileStore& read, status::Reporter& reporter) const;

  std::shared_ptr<const Configuration> configuration_;
  std::shared_ptr<const config::Diagnostics> diagnostics_;
  std::map<std::string, std::filesystem::path> places_;
  std::map<std::string, FileWatch> watches_;
};

}  // namespace railhead::app
