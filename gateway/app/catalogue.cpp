#include "gateway/app/catalogue.h"

#include <array>

#include "adapters/amqp/amqp.h"
#include "adapters/file/file.h"
#include "adapters/kafka/kafka.h"
#include "adapters/modbus/modbus.h"
#include "adapters/mqtt/mqtt.h"

namespace railhead::app {

std::span<const ports::SourceKind* const> source_kinds() {
  static const std::array kinds{&modbus::source_kind(), &mqtt::source_kind()};
  return kinds;
}

std::span<const ports::SinkKind* const> sink_kinds() {
  static const std::array kinds{&kafka::sink_kind(), &amqp::sink_kind(), &mqtt::sink_kind(), &file::sink_kind(),
                                &modbus::sink_kind()};
  return kinds;
}

}  // namespace railhead::app
