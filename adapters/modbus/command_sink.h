// CommandSink: records become commands to the devices of a Modbus source (S33).
// Body:    {"device": "boiler-1", "point": "setpoint", "value": 21.5} or {"device": ..., "values": {"a": 1, "b":
// true}},
//          and perhaps "correlation": a text that comes back with the outcome; a header `correlation` does the same.
// At most once: Outlet::started is durable before the command is handed to the link; one that was started before a
// crash
//          is not sent again (unless `repeat`): its outcome is `unknown`.
// Time:    `ttl` counts from the append, on boot time; what comes from before the last reboot is expired.
// Outcome: the event modbus_command_done or modbus_command_refused, so a reading of the source railhead (S25). What was
//          not done is also set aside as a dead letter, with the reason.
// Bounds:  kOpenMax commands are under way.
// Threads: run() is the sink's; outcomes come on the source's thread.
#pragma once

#include <memory>
#include <string>

#include "gateway/base/time.h"
#include "gateway/config/document.h"
#include "gateway/config/fields.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/sink.h"

namespace railhead::modbus {

struct CommandSinkConfig {
  config::Located<std::string> source;
  Duration ttl = std::chrono::seconds{10};
  bool verify = false;
  bool repeat = false;
};
[[nodiscard]] const config::Fields<CommandSinkConfig>& command_sink_fields();

struct CommandSinkOptions {
  std::string source;
  Duration ttl = std::chrono::seconds{10};
  bool verify = false;
  bool repeat = false;
};
[[nodiscard]] std::unique_ptr<ports::Sink> make_command_sink(CommandSinkOptions options, ports::Context context);

}  // namespace railhead::modbus
