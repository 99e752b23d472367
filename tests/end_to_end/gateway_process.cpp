#include "tests/end_to_end/gateway_process.h"

#include <doctest/doctest.h>

#include "adapters/panel/control_client.h"
#include "gateway/message/json.h"
#include "tests/support/places.h"

namespace railhead::test {

GatewayProcess::GatewayProcess(const TemporaryDirectory& directory, const std::string& configuration)
    : directory_(directory),
      config_path_(directory.write("railhead.yaml", configuration)),
      socket_path_(directory.path() + "/control.sock"),
      log_path_(directory.path() + "/gateway.log") {}

std::string GatewayProcess::program() { return test::build_directory() + "/railhead"; }

void GatewayProcess::start() {
  process_.reset();
  Process::Options options;
  options.output = log_path_;
  process_ = std::make_unique<Process>(
      std::vector<std::string>{program(), "run", "-c", config_path_, "--socket", socket_path_}, options);
  const bool answers =
      eventually(std::chrono::seconds{20}, [&] { return status().has_value() || !process_->running(); }) &&
      process_->running();
  REQUIRE_MESSAGE(answers, log());
}

std::optional<Value> GatewayProcess::status() const {
  const Result<std::string> answer = panel::ask(socket_path_, "status");
  if (!answer) return std::nullopt;
  JsonParser parser;
  const Result<Value> document = parser.parse(*answer);
  if (!document) return std::nullopt;
  return *document;
}

Ran GatewayProcess::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), program());
  Process::Options options;
  options.environment["RAILHEAD_SOCKET"] = socket_path_;
  return run(std::move(arguments), std::chrono::seconds{60}, options);
}

}  // namespace railhead::test
