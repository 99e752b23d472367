// What two contracts differ in, in sentences.
#include <algorithm>
#include <iterator>

#include "rules/routing/contract.h"

namespace railhead::routing {
namespace {

using Texts = std::set<std::string>;

// All that goes to one destination of one sink.
struct Destination {
  Texts rules, keys, formats, content_types, types, stands, schemas;
  std::set<std::uint64_t> schema_fingerprints;
  std::map<std::string, Texts> headers, fields, devices;
  std::vector<std::string> order;  // of the rules
};

std::map<std::string, Destination> by_place(const std::vector<Delivery>& deliveries) {
  std::map<std::string, Destination> places;
  for (const Delivery& delivery : deliveries) {
    Destination& place = places[delivery.place()];
    if (place.rules.insert(delivery.rule).second) place.order.push_back(delivery.rule);
    place.keys.insert(delivery.key);
    place.formats.insert(delivery.format);
    place.content_types.insert(delivery.content_type);
    place.types.insert(delivery.type);
    place.stands.insert(delivery.stands);
    if (!delivery.schema.empty()) {
      place.schemas.insert("'" + delivery.schema + "'");
      place.schema_fingerprints.insert(delivery.schema_fingerprint);
    }
    for (const auto& [name, text] : delivery.headers) place.headers[name].insert(text);
    for (const auto& [name, type] : delivery.fields) place.fields[name].insert(type);
    for (const auto& [source, devices] : delivery.devices) {
      place.devices[source].insert(devices.begin(), devices.end());
    }
  }
  return places;
}

std::string joined(const Texts& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " or ") + text;
  return out.empty() ? "none" : out;
}

Texts without(const Texts& all, const Texts& these) {
  Texts out;
  std::set_difference(all.begin(), all.end(), these.begin(), these.end(), std::inserter(out, out.end()));
  return out;
}

// "'a', 'b' and 17 more".
std::string some_of(const Texts& names) {
  constexpr std::size_t kNamed = 5;
  std::string out;
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kNamed) break;
    out += (out.empty() ? "'" : ", '") + name + "'";
  }
  return names.size() > kNamed ? out + " and " + std::to_string(names.size() - kNamed) + " more" : out;
}

template <class Map>
Texts names_of(const Map& map) {
  Texts names;
  for (const auto& [name, what] : map) names.insert(name);
  return names;
}

class PlaceComparison {
 public:
  PlaceComparison(const std::string& place, const Destination& before, const Destination& now,
                  std::vector<std::string>& changes)
      : place_(place), before_(before), now_(now), changes_(changes) {}

  void run() {
    changed("the key", before_.keys, now_.keys);
    changed("the format", before_.formats, now_.formats);
    if (before_.formats == now_.formats) changed("the content type", before_.content_types, now_.content_types);
    changed("the type", before_.types, now_.types);
    changed("what a record stands for", before_.stands, now_.stands);
    named("header", before_.headers, now_.headers);
    named("field", before_.fields, now_.fields);
    changed("the schema that is enforced", before_.schemas, now_.schemas);
    if (before_.schemas == now_.schemas && before_.schema_fingerprints != now_.schema_fingerprints) {
      say("the schema " + joined(now_.schemas) + ", which is enforced, demands other things");
    }
    devices();
    rules();
  }

 private:
  void say(const std::string& what) { changes_.push_back(place_ + ": " + what); }
  void changed(const std::string& what, const Texts& was, const Texts& is) {
    if (was != is) say(what + " changes from " + joined(was) + " to " + joined(is));
  }
  void named(const std::string& what, const std::map<std::string, Texts>& before,
             const std::map<std::string, Texts>& now) {
    const auto title = [&](const std::string& name) { return name.empty() ? "the body" : what + " '" + name + "'"; };
    for (const auto& [name, was] : before) {
      if (const auto found = now.find(name); found == now.end()) {
        say(title(name) + " is gone");
      } else {
        changed(title(name), was, found->second);
      }
    }
    for (const auto& [name, is] : now) {
      if (!before.contains(name)) say(title(name) + " is new (" + joined(is) + ")");
    }
  }

  // `renamed` stands for what else changes with a name.
  void come_and_gone(const std::string& what, const Texts& gone, const Texts& come, const std::string& renamed) {
    const std::string plural = what + "s ";
    if (gone.size() == 1 && come.size() == 1) {
      say(what + " '" + *gone.begin() + "' is gone, '" + *come.begin() + "' is new: " + renamed);
      return;
    }
    if (!gone.empty())
      say((gone.size() == 1 ? what + " " : plural) + some_of(gone) + (gone.size() == 1 ? " is" : " are") + " gone");
    if (!come.empty())
      say((come.size() == 1 ? what + " " : plural) + some_of(come) + (come.size() == 1 ? " is" : " are") + " new");
  }
  void devices() {
    const Texts before = names_of(before_.devices);
    const Texts now = names_of(now_.devices);
    come_and_gone("source", without(before, now), without(now, before),
                  "`source`, ce_source and the default key change with it");
    for (const auto& [source, was] : before_.devices) {
      const auto is = now_.devices.find(source);
      if (is == now_.devices.end()) continue;
      come_and_gone("device", without(was, is->second), without(is->second, was),
                    "`device`, ce_subject and the default key change with it");
    }
  }
  void rules() {
    const Texts gone = without(before_.rules, now_.rules);
    const Texts come = without(now_.rules, before_.rules);
    for (const std::string& rule : gone) say("rule '" + rule + "' sends nothing there any more");
    for (const std::string& rule : come) say("rule '" + rule + "' sends there, too");
    const auto of_both = [&](std::vector<std::string> order) {
      std::erase_if(order, [&](const std::string& rule) { return gone.contains(rule) || come.contains(rule); });
      return order;
    };
    if (of_both(before_.order) != of_both(now_.order)) say("its rules send in another order");
  }

  const std::string& place_;
  const Destination& before_;
  const Destination& now_;
  std::vector<std::string>& changes_;
};

void compare_places(const std::vector<Delivery>& before, const std::vector<Delivery>& now,
                    std::vector<std::string>& changes) {
  const std::map<std::string, Destination> old_places = by_place(before);
  const std::map<std::string, Destination> new_places = by_place(now);
  Texts renamed;
  for (const auto& [place, old] : old_places) {
    if (const auto same = new_places.find(place); same != new_places.end()) {
      PlaceComparison(place, old, same->second, changes).run();
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
    PlaceComparison(moved->first, old, moved->second, changes).run();
  }
  for (const auto& [place, destination] : new_places) {
    if (!old_places.contains(place) && !renamed.contains(place)) changes.push_back(place + ": is new");
  }
}

template <class Part>
const Part* named_part(const std::vector<Part>& parts, const std::string& name) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

// What final rules take before others see it.
void compare_finals(const Contract& before, const Contract& now, std::vector<std::string>& changes) {
  for (const NamedRule& rule : now.rules) {
    const NamedRule* const old = named_part(before.rules, rule.name);
    if (old == nullptr) continue;
    for (const std::string& taker : without(rule.behind, old->behind)) {
      changes.push_back("rule '" + rule.name + "': what rule '" + taker +
                        "' takes does not come to it any more (final)");
    }
    for (const std::string& taker : without(old->behind, rule.behind)) {
      changes.push_back("rule '" + rule.name + "': what rule '" + taker + "' takes comes to it now");
    }
  }
}

void compare_tables(const Contract& before, const Contract& now, std::vector<std::string>& changes) {
  for (const NamedTable& table : now.tables) {
    const NamedTable* const old = named_part(before.tables, table.name);
    if (old == nullptr || old->rows == table.rows) continue;
    const Texts was = names_of(old->rows);
    const Texts is = names_of(table.rows);
    const std::string title = "table '" + table.name + "': ";
    if (const Texts gone = without(was, is); !gone.empty()) changes.push_back(title + "no key " + some_of(gone));
    if (const Texts come = without(is, was); !come.empty())
      changes.push_back(title + "key " + some_of(come) + " is new");
    Texts others;
    for (const auto& [key, row] : table.rows) {
      if (const auto had = old->rows.find(key); had != old->rows.end() && had->second != row) others.insert(key);
    }
    if (!others.empty()) changes.push_back(title + "the row of " + some_of(others) + " says something else");
  }
}

}  // namespace

std::vector<std::string> changes_for_consumers(const Contract& before, const Contract& now) {
  std::vector<std::string> changes;
  compare_places(before.deliveries, now.deliveries, changes);
  compare_finals(before, now, changes);
  compare_tables(before, now, changes);
  return changes;
}

}  // namespace railhead::routing
