#include "gateway/app/pipeline_options.h"

#include <algorithm>
#include <filesystem>

namespace railhead::app {
namespace {

// S12: unless the configuration says otherwise, the smaller of 512 MiB and a tenth of the disk is left to others.
std::uint64_t keep_free(const config::SpoolSettings& settings) {
  if (settings.keep_free) return settings.keep_free->value();
  constexpr std::uint64_t most = std::uint64_t{512} << 20;
  std::error_code error;
  std::filesystem::path there = std::filesystem::absolute(settings.path, error);
  while (!there.empty() && there != there.root_path() && !std::filesystem::exists(there, error))
    there = there.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(there, error);
  return error ? most : std::min<std::uint64_t>(most, space.capacity / 10);
}

}  // namespace

flow::PipelineOptions pipeline_options(const Configuration& configuration) {
  const config::GatewayOptions& options = configuration.options;
  flow::PipelineOptions result;
  result.gateway = options.gateway.value;
  result.directory = options.spool.path.string();
  result.telemetry.limit = options.spool.limit.value();
  result.telemetry.keep_free = keep_free(options.spool);
  result.telemetry.commit = options.spool.commit;
  result.telemetry.age = options.spool.age;
  result.telemetry.keep_delivered = options.spool.keep_delivered;
  result.telemetry.when_full = options.spool.when_full == config::WhenFull::block
                                   ? spool::SpoolOptions::WhenFull::block
                                   : spool::SpoolOptions::WhenFull::drop_oldest;
  result.alarms_limit = options.spool.alarm_limit.value();
  result.dead_limit = options.dead_letters.limit.value();
  if (options.dead_letters.to) result.dead_sink = options.dead_letters.to->value;
  result.dead_topic = configuration.dead_topic;
  return result;
}

}  // namespace railhead::app
