#include "rules/routing/contract.h"

#include <algorithm>
#include <set>

#include "rules/routing/compiled.h"
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

void add_fields(const Body& body, std::map<std::string, std::string>& fields) {
  constexpr std::string_view kRoot = "body";
  const std::string name = body.path.size() > kRoot.size() ? body.path.substr(kRoot.size() + 1) : std::string();
  switch (body.shape) {
    case Body::Shape::expression: fields[name] = expression::name_of(body.expression->result_type()); break;
    case Body::Shape::list: fields[name] = "list"; break;
    case Body::Shape::map:
      for (const Body& member : body.members) add_fields(member, fields);
  }
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

// All that goes to one destination of one sink.
struct Destination {
  std::set<std::string> rules;
  std::set<std::string> keys, formats, types;
  std::map<std::string, std::set<std::string>> fields;
};

std::map<std::string, Destination> by_place(const std::vector<Delivery>& deliveries) {
  std::map<std::string, Destination> places;
  for (const Delivery& delivery : deliveries) {
    Destination& place = places[delivery.place()];
    place.rules.insert(delivery.rule);
    place.keys.insert(delivery.key);
    place.formats.insert(delivery.format);
    place.types.insert(delivery.type);
    for (const auto& [name, type] : delivery.fields) place.fields[name].insert(type);
  }
  return places;
}

std::string list_of(const std::set<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " or ") + text;
  return out;
}

void compare(const std::string& place, const Destination& before, const Destination& now,
             std::vector<std::string>& changes) {
  const auto changed = [&](const std::string& what, const std::set<std::string>& was, const std::set<std::string>& is) {
    if (was != is) changes.push_back(place + ": " + what + " changes from " + list_of(was) + " to " + list_of(is));
  };
  changed("the key", before.keys, now.keys);
  changed("the format", before.formats, now.formats);
  changed("the type", before.types, now.types);
  for (const auto& [name, types] : before.fields) {
    const std::string field = name.empty() ? "the body" : "field '" + name + "'";
    if (const auto found = now.fields.find(name); found == now.fields.end()) {
      changes.push_back(place + ": " + field + " is gone");
    } else {
      changed(field, types, found->second);
    }
  }
  for (const auto& [name, types] : now.fields) {
    if (!before.fields.contains(name)) {
      changes.push_back(place + ": " + (name.empty() ? "the body" : "field '" + name + "'") + " is new (" +
                        list_of(types) + ")");
    }
  }
}

}  // namespace

std::vector<Delivery> contract_of(const ports::Router& router) {
  std::vector<Delivery> deliveries;
  const auto* const program = dynamic_cast<const Program*>(&router);
  if (program == nullptr) return deliveries;
  for (const Rule& rule : program->compiled().rules) {
    for (const Send& send : rule.sends) {
      Delivery& one = deliveries.emplace_back();
      one.rule = rule.name;
      one.sink = send.sink;
      one.destination = send.topic ? written(*send.topic) : send.routing_key ? written(*send.routing_key) : "";
      one.key = send.key_kind == Send::Key::none       ? "none"
                : send.key_kind == Send::Key::standard ? "source/device"
                                                       : "'" + written(send.key) + "'";
      one.format = name_of(send.format);
      one.type = send.type.empty() ? "railhead.reading" : send.type;
      if (send.body) {
        add_fields(*send.body, one.fields);
      } else {
        one.fields[""] = "the reading's document";
      }
    }
  }
  return deliveries;
}

std::vector<NamedRule> rules_of(const ports::Router& router) {
  std::vector<NamedRule> rules;
  if (const auto* const program = dynamic_cast<const Program*>(&router)) {
    for (const Rule& rule : program->compiled().rules) rules.push_back({rule.name, rule.fingerprint});
  }
  return rules;
}

std::vector<std::string> changes_for_consumers(const std::vector<Delivery>& before, const std::vector<Delivery>& now) {
  const std::map<std::string, Destination> old_places = by_place(before);
  const std::map<std::string, Destination> new_places = by_place(now);
  std::vector<std::string> changes;
  std::set<std::string> renamed;
  for (const auto& [place, old] : old_places) {
    if (const auto same = new_places.find(place); same != new_places.end()) {
      compare(place, old, same->second, changes);
      continue;
    }
    // The rules that sent there send to a destination that was not there before: it has a new name.
    const auto moved = std::find_if(new_places.begin(), new_places.end(), [&, &old = old](const auto& entry) {
      return !old_places.contains(entry.first) && !renamed.contains(entry.first) && entry.second.rules == old.rules;
    });
    if (moved == new_places.end()) {
      changes.push_back(place + ": nothing is sent there any more");
      continue;
    }
    renamed.insert(moved->first);
    changes.push_back(place + ": is now " + moved->first);
    compare(moved->first, old, moved->second, changes);
  }
  for (const auto& [place, destination] : new_places) {
    if (!old_places.contains(place) && !renamed.contains(place)) changes.push_back(place + ": is new");
  }
  return changes;
}

}  // namespace railhead::routing
