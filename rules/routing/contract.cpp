#include "rules/routing/contract.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/routing/compiled.h"
#include "rules/routing/pattern.h"
#include "rules/routing/program.h"

namespace railhead::routing {
namespace {

std::string written(const Template& text) {
  std::string out;
  for (const Template::Part& part : text.parts) {
    out += part.expression ? "${" + part.expression->text() + "}" : part.text;
  }
  return out;
}

std::string_view name_of(BodyFormat format) {
  switch (format) {
    case BodyFormat::json: return "json";
    case BodyFormat::raw: return "raw";
    case BodyFormat::messagepack: return "messagepack";
    case BodyFormat::cbor: return "cbor";
  }
  return "json";
}

std::string name_of(const std::optional<Kind>& kind) {
  return std::string(expression::name_of(kind ? expression::type_of(*kind) : expression::Type::any));
}

// The devices of a selection in one source: their names, or the globs where they are not known.
template <class Each>
void each_known_device(const Rule& rule, std::span<const KnownSource> sources, Each each) {
  for (const Selection& selection : rule.from) {
    for (const std::string& name : selection.sources) {
      const auto source =
          std::find_if(sources.begin(), sources.end(), [&](const KnownSource& known) { return known.name == name; });
      if (source == sources.end() || !source->devices_complete) {
        each(name, selection, nullptr);
        continue;
      }
      for (const ports::KnownDevice& device : source->devices) {
        const bool taken = selection.devices.empty() ||
                           std::any_of(selection.devices.begin(), selection.devices.end(),
                                       [&](const std::string& glob) { return glob_matches(glob, device.name); });
        if (taken) each(name, selection, &device);
      }
    }
  }
}

// The points that are known of a rule's devices, and the type of each on all of them.
std::map<std::string, std::set<std::string>> points_of(const Rule& rule, std::span<const KnownSource> sources) {
  std::map<std::string, std::set<std::string>> points;
  each_known_device(rule, sources, [&](const std::string&, const Selection&, const ports::KnownDevice* device) {
    if (device == nullptr) return;
    for (const ports::KnownPoint& point : device->points) {
      if (point.members.empty()) points[point.name].insert(name_of(point.kind));
      for (const ports::KnownPoint& member : point.members) {
        points[point.name + "." + member.name].insert(name_of(member.kind));
      }
    }
  });
  return points;
}

class FieldsOf {
 public:
  FieldsOf(const Rule& rule, std::span<const KnownSource> sources) : rule_(rule), points_(points_of(rule, sources)) {}

  void add(const Body& body, std::map<std::string, std::string>& fields) const {
    constexpr std::string_view kRoot = "body";
    const std::string name = body.path.size() > kRoot.size() ? body.path.substr(kRoot.size() + 1) : std::string();
    switch (body.shape) {
      case Body::Shape::expression:
        if (points_.empty() || !is_whole_value(*body.expression)) {
          fields[name] = expression::name_of(body.expression->result_type());
        } else {
          add_points(name, fields);
        }
        break;
      case Body::Shape::list: fields[name] = "list"; break;
      case Body::Shape::map:
        for (const Body& member : body.members) add(member, fields);
    }
  }
  void add_document(std::map<std::string, std::string>& fields) const {
    fields[""] = "the reading's document";
    add_points("value", fields);
  }

 private:
  // `value`, or a let that is.
  [[nodiscard]] bool is_whole_value(const expression::Program& program) const {
    const std::string_view text = base::trim(program.text());
    if (text == "value") return true;
    return std::any_of(rule_.lets.begin(), rule_.lets.end(), [&](const Let& let) {
      return let.name == text && let.expression && base::trim(let.expression->text()) == "value";
    });
  }
  void add_points(const std::string& prefix, std::map<std::string, std::string>& fields) const {
    for (const auto& [point, types] : points_) {
      std::string type;
      for (const std::string& one : types) type += (type.empty() ? "" : " or ") + one;
      fields[prefix.empty() ? point : prefix + "." + point] = type;
    }
  }

  const Rule& rule_;
  const std::map<std::string, std::set<std::string>> points_;
};

std::string what_a_record_stands_for(const Rule& rule, bool late) {
  std::string what = rule.for_each ? "one item of a reading" : "one reading";
  if (late) return what + " that came late";
  if (rule.window) {
    what = "a window of " + base::format_duration(rule.window->every);
    if (!rule.window->zone.empty()) what += " in " + rule.window->zone;
  }
  if (rule.snapshot) what = "a device's state every " + base::format_duration(rule.snapshot->every);
  return what;
}

Delivery delivery_of(const Rule& rule, const Send& send, bool late, const FieldsOf& fields) {
  Delivery one;
  one.rule = rule.name;
  one.sink = send.sink;
  one.destination = send.topic ? written(*send.topic) : send.routing_key ? written(*send.routing_key) : "";
  one.key = send.key_kind == Send::Key::none       ? "none"
            : send.key_kind == Send::Key::standard ? "source/device"
                                                   : "'" + written(send.key) + "'";
  one.format = name_of(send.format);
  one.content_type = send.content_type.empty() ? kDefaultContentType : send.content_type;
  one.type = send.type.empty() ? kDefaultType : send.type;
  one.stands = what_a_record_stands_for(rule, late);
  if (send.schema && send.enforce) {
    one.schema = send.schema_name;
    one.schema_fingerprint = send.schema->fingerprint();
  }
  for (const NamedTemplate& header : send.headers) one.headers[header.name] = "'" + written(header.text) + "'";
  if (send.body) {
    fields.add(*send.body, one.fields);
  } else {
    fields.add_document(one.fields);
  }
  return one;
}

// Both may take some reading: only names tell for certain that they cannot.
bool may_meet(const Selection& a, const Selection& b) {
  const auto meet = [](const std::vector<std::string>& these, const std::vector<std::string>& those, auto two_meet) {
    if (these.empty() || those.empty()) return true;
    return std::any_of(these.begin(), these.end(), [&](const std::string& one) {
      return std::any_of(those.begin(), those.end(), [&](const std::string& other) { return two_meet(one, other); });
    });
  };
  const bool one_source = std::any_of(a.sources.begin(), a.sources.end(), [&](const std::string& name) {
    return std::find(b.sources.begin(), b.sources.end(), name) != b.sources.end();
  });
  return one_source && meet(a.devices, b.devices, globs_meet) && meet(a.topics, b.topics, topic_filters_meet);
}

bool may_meet(const Rule& a, const Rule& b) {
  return std::any_of(a.from.begin(), a.from.end(), [&](const Selection& one) {
    return std::any_of(b.from.begin(), b.from.end(), [&](const Selection& other) { return may_meet(one, other); });
  });
}

}  // namespace

Contract contract_of(const ports::Router& router, std::span<const KnownSource> sources) {
  Contract contract;
  const auto* const program = dynamic_cast<const Program*>(&router);
  if (program == nullptr) return contract;
  const Compiled& compiled = program->compiled();
  std::vector<const Rule*> finals;
  for (const Rule& rule : compiled.rules) {
    NamedRule& named = contract.rules.emplace_back(NamedRule{rule.name, rule.fingerprint, {}});
    for (const Rule* final_rule : finals) {
      if (may_meet(*final_rule, rule)) named.behind.insert(final_rule->name);
    }
    if (rule.is_final) finals.push_back(&rule);
    const FieldsOf fields(rule, sources);
    std::map<std::string, std::set<std::string>> devices;
    each_known_device(rule, sources,
                      [&](const std::string& source, const Selection& selection, const ports::KnownDevice* device) {
                        if (device != nullptr) {
                          devices[source].insert(device->name);
                        } else if (selection.devices.empty()) {
                          devices[source].insert("*");
                        } else {
                          devices[source].insert(selection.devices.begin(), selection.devices.end());
                        }
                      });
    const auto add = [&](const Send& send, bool late) {
      Delivery one = delivery_of(rule, send, late, fields);
      one.devices = devices;
      contract.deliveries.push_back(std::move(one));
    };
    for (const Send& send : rule.sends) add(send, false);
    for (const Send& send : rule.late_sends) add(send, true);
  }
  for (const auto& [name, table] : compiled.table_files) {
    NamedTable& named = contract.tables.emplace_back(NamedTable{name, {}});
    for (const auto& [key, row] : table.rows.as_map()) {
      named.rows[key.is(Kind::string) ? std::string(key.as_text()) : to_json(key)] = to_json(row);
    }
  }
  return contract;
}

}  // namespace railhead::routing
