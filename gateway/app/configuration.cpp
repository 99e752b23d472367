#include "gateway/app/configuration.h"

#include <algorithm>
#include <array>
#include <map>

#include "gateway/app/catalogue.h"
#include "gateway/base/text.h"
#include "gateway/config/fields.h"
#include "rules/routing/reading_expression.h"

namespace railhead::app {
namespace {

// What a sink may have beside its kind.
constexpr std::array<std::string_view, 2> kBesideSinkKind{"schema", "enforce"};

struct SinkContract {
  config::Located<std::filesystem::path> schema;
  bool enforce = false;
  config::Node kind;
};

const config::Fields<SinkContract>& sink_contract_fields() {
  static const config::Fields<SinkContract> fields = [] {
    config::Fields<SinkContract> all("sink", "Where records go: one kind, and what its consumers demand.");
    for (const ports::SinkKind* kind : sink_kinds()) {
      all.raw(kind->name, &SinkContract::kind, {.sentence = "A sink of this kind."});
    }
    all.optional(
           "schema", &SinkContract::schema,
           {.sentence = "A JSON Schema (2020-12; .json or .yaml) that the consumer demands of every body; a `send` "
                        "may name another one. railhead check and railhead test hold the rules against it.",
            .example = "schemas/telemetry.json"})
        .optional(
            "enforce", &SinkContract::enforce,
            {.sentence = "Also the running gateway: a body that does not fit is an error of its rule (on_error) and is "
                         "never sent."});
    return all;
  }();
  return fields;
}

template <class Kinds>
std::vector<std::string_view> names_of(const Kinds& kinds) {
  std::vector<std::string_view> names;
  for (const auto* kind : kinds) names.push_back(kind->name);
  return names;
}

// Only described: kind_of() reads it.
struct SourceContract {
  config::Node kind;
};

const config::Fields<SourceContract>& source_contract_fields() {
  static const config::Fields<SourceContract> fields = [] {
    config::Fields<SourceContract> all("source", "Where readings come from: one kind.");
    for (const ports::SourceKind* kind : source_kinds()) {
      all.raw(kind->name, &SourceContract::kind, {.sentence = "A source of this kind."});
    }
    all.exactly_one(names_of(source_kinds()));
    return all;
  }();
  return fields;
}

// `plant-kafka: { kafka: {...} }`: the one member of `node` names the kind, `beside` are its neighbours' names. Absent
// after reporting what is wrong.
template <class Kind>
const Kind* kind_of(const config::Member& named, std::span<const Kind* const> kinds, std::string_view what,
                    std::span<const std::string_view> beside, config::Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const Kind* kind : kinds) names.emplace_back(kind->name);
  std::string listed;
  for (const std::string& name : names) listed += (listed.empty() ? "" : ", ") + name;
  const config::Node node = named.value;
  if (node.is_broken()) return nullptr;
  const std::string title = std::string(what) + " '" + std::string(named.name()) + "'";
  if (!node.is_map() || node.members().empty()) {
    diagnostics.error(node.present() ? node : named.key, title + " does not say what it is", "one of " + listed);
    return nullptr;
  }
  std::vector<const config::Member*> kinds_named;
  for (const config::Member& member : node.members()) {
    if (std::find(beside.begin(), beside.end(), member.name()) == beside.end()) kinds_named.push_back(&member);
  }
  for (const config::Member* member : kinds_named) {
    if (kinds_named.size() < 2 || std::find(names.begin(), names.end(), member->name()) != names.end()) continue;
    std::vector<std::string> fields(names);
    fields.insert(fields.end(), beside.begin(), beside.end());
    const std::optional<std::string> near = base::nearest(member->name(), fields);
    diagnostics.error(member->key, "unknown field '" + std::string(member->name()) + "' in " + title,
                      near ? "did you mean '" + *near + "'?" : "");
    return nullptr;
  }
  if (kinds_named.size() > 1) {
    diagnostics.error(kinds_named[1]->key, title + " is two things at once", "give each its own name");
    return nullptr;
  }
  if (kinds_named.empty()) {
    diagnostics.error(named.key, title + " does not say what it is", "one of " + listed);
    return nullptr;
  }
  const config::Member& member = *kinds_named.front();
  for (const Kind* kind : kinds) {
    if (kind->name == member.name()) return kind;
  }
  const std::optional<std::string> near = base::nearest(member.name(), names);
  diagnostics.error(member.key, "there is no " + std::string(what) + " of kind '" + std::string(member.name()) + "'",
                    near ? "did you mean '" + *near + "'?" : "one of " + listed);
  return nullptr;
}

// How strict the reader of a part is to be about its certificates, where another configuration runs.
template <class Part>
void set_files(const std::vector<Part>& running, std::string_view name, config::Fingerprint fingerprint,
               config::Diagnostics& diagnostics) {
  const bool same = std::any_of(running.begin(), running.end(),
                                [&](const Part& part) { return part.name == name && part.fingerprint == fingerprint; });
  diagnostics.set_files(same ? config::Files::may_be_bad : config::Files::must_fit);
}

void read_sources(Configuration& configuration, const Configuration* running, config::Diagnostics& diagnostics) {
  for (const config::Member& named : configuration.options.sources.members()) {
    const ports::SourceKind* kind = kind_of(named, source_kinds(), "source", {}, diagnostics);
    routing::KnownSource known;
    known.name = named.name();
    if (kind != nullptr) {
      // Before the files are looked at: what changes in between is for the next reload.
      const config::Fingerprint fingerprint = config::fingerprint(named.value, configuration.options.models);
      if (running != nullptr) set_files(running->sources, named.name(), fingerprint, diagnostics);
      auto plan = kind->read(named.value.members().front().value, configuration.options.models, diagnostics);
      if (plan) {
        plan->compile(routing::reading_expressions(), diagnostics);
        known.devices = plan->devices();
        known.devices_complete = plan->devices_are_known();
        known.topics = plan->topics();
        configuration.sources.push_back(
            {std::string(named.name()), std::string(kind->name), std::move(plan), fingerprint});
      }
    }
    configuration.routing.sources.push_back(std::move(known));
  }
}

// A sink that writes to the devices of a source: that source must be there, and of the same kind.
void check_written_source(const Configuration& configuration, const config::Member& named, const ports::SinkKind& kind,
                          std::string_view wanted, config::Diagnostics& diagnostics) {
  if (wanted.empty()) return;
  const config::Node place = named.value.find(kind.name).find("source");
  const config::Node sources = configuration.options.sources;
  const config::Node source = sources.find(wanted);
  if (!source.present()) {
    std::vector<std::string> known;
    for (const config::Member& member : sources.members()) known.emplace_back(member.name());
    const auto near = base::nearest(wanted, known);
    diagnostics.error(place, "no source '" + std::string(wanted) + "'", near ? "did you mean '" + *near + "'?" : "");
  } else if (!source.find(kind.name).present()) {
    diagnostics.error(place, "source '" + std::string(wanted) + "' is no " + std::string(kind.name) + " source");
  }
}

void read_sinks(Configuration& configuration, const Configuration* running, config::Diagnostics& diagnostics) {
  for (const config::Member& named : configuration.options.sinks.members()) {
    const ports::SinkKind* kind = kind_of(named, sink_kinds(), "sink", kBesideSinkKind, diagnostics);
    routing::KnownSink known;
    known.name = named.name();
    if (kind != nullptr) {
      known.kind = kind->name;
      const SinkContract contract = sink_contract_fields().read(named.value, diagnostics);
      known.schema = contract.schema;
      known.enforce = contract.enforce;
      const config::Fingerprint fingerprint = config::fingerprint(named.value);
      if (running != nullptr) set_files(running->sinks, named.name(), fingerprint, diagnostics);
      auto plan = kind->read(named.value.find(kind->name), diagnostics);
      if (plan) {
        known.needs_topic = plan->needs_topic();
        known.takes_routing_key = plan->takes_routing_key();
        check_written_source(configuration, named, *kind, plan->writes_to(), diagnostics);
        configuration.sinks.push_back(
            {std::string(named.name()), std::string(kind->name), std::move(plan), fingerprint});
      }
    }
    configuration.routing.sinks.push_back(std::move(known));
  }
}

// What only one part may have at its peer.
void check_claims(const Configuration& configuration, config::Diagnostics& diagnostics) {
  std::map<std::string, std::string> claimed;
  const auto claim = [&](const auto& named, std::string_view what, const config::Node& parts) {
    const std::string title = std::string(what) + " '" + named.name + "'";
    for (const ports::Claim& one : named.plan->claims(configuration.options.gateway.value, named.name)) {
      const auto [had, first] = claimed.try_emplace(named.kind + " " + one.what, title);
      if (first || had->second == title) continue;
      const config::Node part = parts.find(named.name).find(named.kind);
      const config::Node field = part.find(one.field);
      diagnostics.error(field.present() ? field : part, title + " has the " + one.what + ", and so has " + had->second,
                        "they would disturb each other for ever: give each its own " + std::string(one.field));
      break;
    }
  };
  for (const auto& source : configuration.sources) claim(source, "source", configuration.options.sources);
  for (const auto& sink : configuration.sinks) claim(sink, "sink", configuration.options.sinks);
}

// The topic of dead letters may hold ${gateway} and ${labels.NAME}, which never change.
void read_dead_letters(Configuration& configuration, config::Diagnostics& diagnostics) {
  const config::DeadLetterSettings& settings = configuration.options.dead_letters;
  if (!settings.topic) return;
  std::string_view rest = settings.topic->value;
  while (!rest.empty()) {
    const std::size_t opens = rest.find("${");
    configuration.dead_topic += rest.substr(0, opens);
    if (opens == std::string_view::npos) break;
    const std::size_t closes = rest.find('}', opens);
    const std::string_view name =
        rest.substr(opens + 2, closes == std::string_view::npos ? closes : closes - opens - 2);
    const auto label = name.starts_with("labels.") ? configuration.options.labels.find(std::string(name.substr(7)))
                                                   : configuration.options.labels.end();
    if (name == "gateway") {
      configuration.dead_topic += configuration.options.gateway.value;
    } else if (label != configuration.options.labels.end()) {
      configuration.dead_topic += label->second;
    } else {
      diagnostics.error(settings.topic->mark, settings.topic->length, "'" + std::string(name) + "' is not known here",
                        "a dead letter's topic may hold ${gateway} and ${labels.NAME}");
    }
    if (closes == std::string_view::npos) break;
    rest.remove_prefix(closes + 1);
  }
}

// All but what a difference can be applied to while the rest runs on.
config::Fingerprint frame_of(const Configuration& configuration) {
  static constexpr std::array<std::string_view, 10> kParts{"version", "include", "labels", "sources", "models",
                                                           "reload",  "tables",  "rules",  "tests",   "sinks"};
  config::Fingerprint whole = 0;
  for (const config::Member& member : configuration.document.root().members()) {
    if (std::find(kParts.begin(), kParts.end(), member.name()) != kParts.end()) continue;
    whole += config::fingerprint(member.key) ^ (config::fingerprint(member.value) * 31);
  }
  return whole;
}

}  // namespace

Configuration load_configuration(const std::filesystem::path& path, config::Diagnostics& diagnostics,
                                 status::Reporter* reporter, bool for_tests, const Configuration* running) {
  Configuration configuration;
  configuration.document = config::Document::load(path, diagnostics);
  configuration.options = config::read_gateway(configuration.document, diagnostics);
  read_sources(configuration, running, diagnostics);
  read_sinks(configuration, running, diagnostics);
  check_claims(configuration, diagnostics);
  configuration.routing.gateway = configuration.options.gateway.value;
  configuration.routing.labels = configuration.options.labels;
  // What is no list was reported.
  if (configuration.options.rules.is_list()) configuration.routing.rules = configuration.options.rules;
  configuration.routing.tables = configuration.options.tables;
  configuration.routing.reporter = reporter;
  configuration.routing.enforce_schemas = for_tests;
  configuration.routing.bodies_as_json = for_tests;
  read_dead_letters(configuration, diagnostics);
  configuration.frame = frame_of(configuration);
  for (const config::Node& part : {configuration.options.sources, configuration.options.sinks}) {
    const std::vector<std::filesystem::path> files = config::referenced_files(part);
    configuration.referenced.insert(configuration.referenced.end(), files.begin(), files.end());
  }
  configuration.router = routing::build(configuration.routing, diagnostics);
  return configuration;
}

flow::Requeue::ReadAgain read_again_by(std::shared_ptr<const Configuration> configuration) {
  return [configuration = std::move(configuration)](const ports::RawInput& raw,
                                                    Time arrived) -> Result<std::vector<Reading>> {
    for (const Configuration::NamedSource& source : configuration->sources) {
      if (source.name == raw.source) return source.plan->read_again(raw, arrived);
    }
    return fail(Errc::refused, "there is no source '" + std::string(raw.source) + "' any more");
  };
}

void describe_everything(config::Reference& reference) {
  reference.place("");
  config::describe_gateway(reference);
  reference.place("sources.<name>");
  source_contract_fields().describe(reference);
  for (const ports::SourceKind* kind : source_kinds()) {
    reference.place("sources.<name>." + std::string(kind->name));
    kind->describe(reference);
  }
  reference.place("sinks.<name>");
  sink_contract_fields().describe(reference);
  for (const ports::SinkKind* kind : sink_kinds()) {
    reference.place("sinks.<name>." + std::string(kind->name));
    kind->describe(reference);
  }
  routing::describe(reference);
}

}  // namespace railhead::app
