#include "tests/rules/routing/case_support.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include "gateway/base/text.h"
#include "rules/routing/try_lines.h"

namespace railhead::test {
namespace {

// What kind a point's values are is known where its type is written.
std::vector<ports::KnownPoint> points_in(const config::Node& map) {
  std::vector<ports::KnownPoint> points;
  for (const config::Member& member : map.members()) {
    ports::KnownPoint& point = points.emplace_back(ports::KnownPoint{.name = std::string(member.name())});
    const std::string_view type = member.value.find("type").text();
    if (member.value.find("scale").present()) {
      point.kind = Kind::real;
    } else if (!type.empty()) {
      point.kind = type == "unix32" ? Kind::timestamp : type == "uint64" ? Kind::uinteger : Kind::integer;
    }
  }
  return points;
}

routing::KnownSource known_source(const config::Member& source) {
  routing::KnownSource known{std::string(source.name())};
  const config::Node modbus = source.value.find("modbus");
  known.devices_complete = modbus.present();
  for (const config::Member& device : modbus.find("devices").members()) {
    ports::KnownDevice& one = known.devices.emplace_back(ports::KnownDevice{.name = std::string(device.name())});
    one.points = points_in(device.value.find("points"));
    for (const config::Member& point : device.value.find("points").members()) {
      const auto every = base::parse_duration(point.value.find("every").text());
      one.rates.emplace(point.name(), every.value_or(std::chrono::seconds{1}));
    }
  }
  return known;
}

routing::KnownSink known_sink(const config::Member& sink) {
  const std::string kind = sink.value.members().empty() ? "" : std::string(sink.value.members()[0].name());
  return {std::string(sink.name()), kind, kind == "kafka" || kind == "mqtt", kind == "amqp"};
}

}  // namespace

std::unique_ptr<Built> build_rules(std::string_view text, const std::string& name, status::Reporter* reporter) {
  auto built = std::make_unique<Built>();
  built->document = config::Document::parse(text, name, built->diagnostics);
  const config::Node root = built->document.root();
  routing::RoutingInput& input = built->input;
  input.gateway = root.find("gateway").present() ? std::string(root.find("gateway").text()) : "plant-7";
  for (const config::Member& label : root.find("labels").members()) {
    input.labels[std::string(label.name())] = label.value.text();
  }
  input.rules = root.find("rules");
  input.tables = root.find("tables");
  input.reporter = reporter;
  for (const config::Member& source : root.find("sources").members()) input.sources.push_back(known_source(source));
  for (const config::Member& sink : root.find("sinks").members()) input.sinks.push_back(known_sink(sink));
  built->router = routing::build(input, built->diagnostics);
  if (built->diagnostics.has_errors()) built->router = nullptr;
  return built;
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string try_text(const ports::Router& router, const std::string& input, const std::string& source,
                     std::span<const routing::KnownSource> sources) {
  std::istringstream in(input);
  std::ostringstream out;
  routing::TryOptions options;
  options.source = source;
  options.sources = sources;
  (void)routing::try_lines(router, options, in, out);
  return out.str();
}

}  // namespace railhead::test
