#include "gateway/app/table_watch.h"

#include "gateway/app/last_good.h"
#include "rules/routing/routing.h"

namespace railhead::app {

void TableWatch::watch(std::shared_ptr<const Configuration> configuration,
                       std::shared_ptr<const config::Diagnostics> diagnostics) {
  configuration_ = std::move(configuration);
  diagnostics_ = std::move(diagnostics);
  places_ = routing::table_places(configuration_->routing);
  watches_.clear();
  for (const auto& [name, path] : places_) watches_[name].watch({path});
}

void TableWatch::look(Assembly& assembly, status::Reporter& reporter) {
  for (auto& [name, watch] : watches_) {
    if (watch.changed()) read_anew(name, assembly, reporter);
  }
}

void TableWatch::read_anew(const std::string& name, Assembly& assembly, status::Reporter& reporter) {
  const std::string path = places_[name].string();
  const auto files = std::make_shared<config::FileStore>();
  config::Diagnostics diagnostics = diagnostics_->beside(files);
  auto rules = routing::with_table_read_anew(*assembly.todays_rules(), configuration_->routing, name, diagnostics);
  if (!rules) {
    const std::string why = diagnostics.render();
    reporter.report(status::Event::table_refused,
                    {{"table", name}, {"path", path}, {"why", why.substr(0, why.find('\n'))}, {"diagnostics", why}});
    return;
  }
  assembly.apply_rules(std::move(rules));
  reporter.report(status::Event::table_read, {{"table", name}, {"path", path}});
  keep(*files, reporter);
}

// The last good configuration has the table as it is now.
void TableWatch::keep(const config::FileStore& read, status::Reporter& reporter) const {
  const std::filesystem::path& spool = configuration_->options.spool.path;
  Result<config::FileStore> kept = last_good(spool);
  if (!kept) return;  // it could not be kept in the first place, and that was said
  kept->overlay(read);
  if (Result<void> written = keep_last_good(spool, *kept); !written) {
    reporter.report(status::Event::config_not_kept, {{"why", written.error().what}});
  }
}

}  // namespace railhead::app
