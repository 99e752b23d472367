// ModbusSource: the body of a source's thread. One event loop for all links of the source; readings go to the intake as
// they complete. While the intake takes nothing only the newest reading of each device and tick is kept, the others are
// counted (reading_superseded): the field cannot be asked for yesterday's values anyway.
// Threads: run() is the source's thread; everything here is its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/modbus/link.h"
#include "adapters/modbus/scheduler.h"
#include "adapters/tls/options.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/source.h"

namespace railhead::modbus {

struct LinkPlan {
  LinkOptions link;
  tls::Options tls;  // for a secure endpoint
  std::vector<DeviceOptions> devices;
};

struct SourceOptions {
  std::vector<LinkPlan> links;
  SchedulerOptions scheduler;  // its `source` is set from the context
};

class ModbusSource final : public ports::Source {
 public:
  ModbusSource(std::shared_ptr<const SourceOptions> options, ports::Context context);
  void run(ports::Intake& intake, std::stop_token stop) override;

 private:
  const std::shared_ptr<const SourceOptions> options_;  // the plan's: of a large plant there are not two
  const ports::Context context_;
};

}  // namespace railhead::modbus
