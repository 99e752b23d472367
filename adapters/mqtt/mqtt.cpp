#include "adapters/mqtt/mqtt.h"

#include <utility>

#include "adapters/mqtt/config.h"
#include "adapters/mqtt/simulator.h"

namespace railhead::mqtt {
namespace {

// Why a sink's is another one: a source and a sink of one name at one broker would take each other's session.
std::string source_client_id(const std::string& written, const std::string& gateway, const std::string& name) {
  return written.empty() ? "railhead-" + gateway + "-" + name : written;
}
std::string sink_client_id(const std::string& written, const std::string& gateway, const std::string& name) {
  return written.empty() ? "railhead-" + gateway + "-" + name + "-out" : written;
}

// A broker has one session of a client_id [MQTT-3.1.4-3]. Which broker it is, only its address tells.
std::vector<ports::Claim> claims_of(const std::string& client_id, const std::vector<Url>& urls) {
  std::vector<ports::Claim> claims;
  for (const Url& url : urls) claims.push_back({"client_id '" + client_id + "' at " + url.authority(), "client_id"});
  return claims;
}

class SourcePlan final : public ports::SourcePlan {
 public:
  SourcePlan(SourceSettings settings, std::vector<RowExpressions> expressions)
      : settings_(std::move(settings)), expressions_(std::move(expressions)) {}
  void compile(const ports::ExpressionCompiler& compiler, config::Diagnostics& diagnostics) override {
    for (std::size_t i = 0; i < expressions_.size(); ++i) {
      const auto compiled = [&](const config::Node& node, std::string_view what) {
        return node.present() ? compiler.compile(node, what, diagnostics) : nullptr;
      };
      settings_.rows[i].time = compiled(expressions_[i].time, "time");
      settings_.rows[i].split = compiled(expressions_[i].split, "split");
    }
  }
  std::unique_ptr<ports::Source> make(ports::Context context) const override {
    SourceSettings settings = settings_;
    settings.session.client_id = source_client_id(settings.session.client_id, context.gateway, context.name);
    return make_source(std::move(settings), std::move(context));
  }
  std::vector<ports::Claim> claims(const std::string& gateway, const std::string& name) const override {
    return claims_of(source_client_id(settings_.session.client_id, gateway, name), settings_.urls);
  }
  Result<std::vector<Reading>> read_again(const ports::RawInput& raw, Time arrived) const override {
    Interpreter interpreter(std::string(raw.source), settings_.retained, settings_.rows, settings_.unpacked_bytes_max);
    Publish publish;
    publish.topic = raw.topic;
    publish.payload = raw.payload;
    std::vector<Reading> readings(1);
    const Result<Interpreter::Outcome> outcome =
        interpreter.read(publish, std::nullopt, arrived, false, readings.front());
    if (!outcome) return fail(outcome.error());
    if (*outcome != Interpreter::Outcome::reading) {
      return fail(Errc::refused, "no subscription of the source takes the topic '" + std::string(raw.topic) + "'");
    }
    if (!interpreter.splits()) return readings;
    const Reading whole = std::move(readings.front());
    readings.clear();
    if (const Result<void> split = interpreter.split(whole, readings); !split) return fail(split.error());
    return readings;
  }
  std::vector<std::string> topics() const override {
    std::vector<std::string> filters;
    for (const Interpreter::Row& row : settings_.rows) filters.push_back(row.pattern.topics());
    return filters;
  }
  std::unique_ptr<ports::Simulation> simulate(ports::SimulationOptions options,
                                              const system::Clock& clock) const override {
    std::vector<Simulator::Written> written;
    for (const RowExpressions& row : expressions_) {
      written.push_back({std::string(row.time.text()), std::string(row.split.text())});
    }
    return std::make_unique<Simulator>(settings_, written, std::move(options), clock);
  }

 private:
  SourceSettings settings_;
  const std::vector<RowExpressions> expressions_;  // beside its rows
};

class SinkPlan final : public ports::SinkPlan {
 public:
  explicit SinkPlan(SinkSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<ports::Sink> make(ports::Context context) const override {
    SinkSettings settings = settings_;
    settings.client_id = sink_client_id(settings.client_id, context.gateway, context.name);
    return make_sink(std::move(settings), std::move(context));
  }
  std::vector<ports::Claim> claims(const std::string& gateway, const std::string& name) const override {
    return claims_of(sink_client_id(settings_.client_id, gateway, name), settings_.urls);
  }
  bool needs_topic() const override { return true; }

 private:
  const SinkSettings settings_;
};

std::unique_ptr<ports::SourcePlan> read_source_plan(const config::Node& node, const config::Node&,
                                                    config::Diagnostics& diagnostics) {
  std::vector<RowExpressions> expressions;
  std::optional<SourceSettings> settings = read_source(node, expressions, diagnostics);
  if (!settings) return nullptr;
  return std::make_unique<SourcePlan>(std::move(*settings), std::move(expressions));
}

std::unique_ptr<ports::SinkPlan> read_sink_plan(const config::Node& node, config::Diagnostics& diagnostics) {
  std::optional<SinkSettings> settings = read_sink(node, diagnostics);
  if (!settings) return nullptr;
  return std::make_unique<SinkPlan>(std::move(*settings));
}

}  // namespace

const ports::SourceKind& source_kind() {
  static constexpr ports::SourceKind kKind{"mqtt", read_source_plan,
                                           [](config::Reference& reference) { source_fields().describe(reference); }};
  return kKind;
}

const ports::SinkKind& sink_kind() {
  static constexpr ports::SinkKind kKind{"mqtt", read_sink_plan,
                                         [](config::Reference& reference) { sink_fields().describe(reference); }};
  return kKind;
}

}  // namespace railhead::mqtt
