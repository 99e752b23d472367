#include "gateway/config/reference.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/config/shape.h"

namespace railhead::config {
namespace {

// Texts inside a table's cell: '|' would end it, and '<name>' outside of code would be taken as HTML.
std::string cell(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '|') out += '\\';
    out += byte;
  }
  return out;
}

std::string code(std::string_view text) { return text.empty() ? std::string() : "`" + cell(text) + "`"; }

std::string type_of(const FieldRow& row) {
  std::string text = row.shape->type();
  if (!row.doc.unit.empty()) text += ", in " + std::string(row.doc.unit);
  if (const std::string bounds = bounds_text(row.doc); !bounds.empty()) text += ", " + bounds;
  return text;
}

std::string row_of(const FieldRow& row) {
  std::string what(row.doc.sentence);
  const auto add = [&](std::string_view more) { what += (what.empty() ? "" : " ") + std::string(more); };
  if (!row.doc.example.empty()) add("Example: " + code(row.doc.example) + ".");
  if (row.doc.restart) add("A change needs a restart.");
  const std::string given = row.doc.required ? "**required**" : code(row.shown_default);
  return "| " + code(row.name) + " | " + cell(type_of(row)) + " | " + given + " | " + what + " |\n";
}

// A section for the table, then one for each table inside it.
void write_section(std::string place, const FieldsCore& fields, int depth, std::string& out) {
  constexpr int kDepthShown = 8;
  const std::size_t one_or_list = place.find("[?]");
  for (std::size_t at = one_or_list; at != std::string::npos; at = place.find("[?]")) place.erase(at + 1, 1);
  out += "\n## " + (place.empty() ? std::string("Top level") : code(place)) + ": " + fields.title + "\n\n";
  if (!fields.sentence.empty()) out += fields.sentence + "\n\n";
  if (one_or_list != std::string::npos) out += "One, or a list of them.\n\n";
  for (const FieldsCore::Exclusive& exclusive : fields.exclusives) {
    out += exclusive.one_is_due ? "Exactly one of" : "At most one of";
    for (const std::string_view name : exclusive.names) out += " " + code(name);
    out += ".\n\n";
  }
  out += "| field | type | default | |\n|---|---|---|---|\n";
  for (const FieldRow& row : fields.rows) out += row_of(row);
  if (fields.others) out += row_of(fields.others->row);
  if (depth >= kDepthShown) return;
  for (const FieldRow& row : fields.rows) {
    if (const auto table = row.shape->table()) {
      write_section((place.empty() ? "" : place + ".") + row.name + row.shape->path(), *table, depth + 1, out);
    }
  }
}

Json reference_to(const std::string& name) {
  Json json;
  json["$ref"] = "#/$defs/" + name;
  return json;
}

// The schema at a place below `root`, made on the way.
Json& schema_at(Json& root, std::string_view place) {
  Json* at = &root;
  std::string name;  // of what stands alone or in a list
  while (!place.empty()) {
    std::string_view step = place.substr(0, place.find('.'));
    place.remove_prefix(std::min(place.size(), step.size() + 1));
    const bool is_list = step.ends_with("[]");
    const bool is_one_or_list = step.ends_with("[?]");
    step.remove_suffix(is_list ? 2 : is_one_or_list ? 3 : 0);
    if (!step.starts_with('<')) name += (name.empty() ? "" : "-") + std::string(step);
    if (step.starts_with('<')) {
      (*at)["type"] = "object";
      at = &(*at)["additionalProperties"];
    } else if (!step.empty()) {
      (*at)["type"] = "object";
      at = &(*at)["properties"][step];
    }
    if (is_list) {
      (*at)["type"] = "array";
      at = &(*at)["items"];
    } else if (is_one_or_list) {
      Json list;
      list["type"] = "array";
      list["items"] = reference_to(name);
      (*at)["anyOf"] = Json::list({reference_to(name), std::move(list)});
      at = &root["$defs"][name];
    }
  }
  return *at;
}

Json json_of(const Node& node) {
  if (node.is_map()) {
    Json json;
    for (const Member& member : node.members()) json[member.name()] = json_of(member.value);
    return json;
  }
  if (node.is_list()) {
    Json json = Json::list();
    for (const Node& item : node.items()) json.append(json_of(item));
    return json;
  }
  if (!node.quoted() && (node.text() == "true" || node.text() == "false")) return node.text() == "true";
  const auto number = node.quoted() ? std::nullopt : base::parse_double(node.text());
  return number ? Json::number(*number) : Json(node.text());
}

// A default or an example is written as in the file; an editor wants it as a value.
Json value_of(std::string_view written) {
  Diagnostics ignored;
  const Document document = Document::parse(written, "", ignored);
  return ignored.has_errors() ? Json(written) : json_of(document.root());
}

void collect_secrets(const FieldsCore& fields, int depth, std::set<std::string>& names) {
  constexpr int kDepthMost = 16;
  for (const FieldRow& row : fields.rows) {
    if (row.shape->is_secret()) names.insert(row.name);
    const auto table = row.shape->table();
    if (table && depth < kDepthMost) collect_secrets(*table, depth + 1, names);
  }
}

Json indirect_schema() {
  const auto form = [](std::string_view name) {
    Json text;
    text["type"] = "string";
    Json json;
    json["type"] = "object";
    json["properties"][name] = std::move(text);
    json["required"] = Json::list({name});
    json["additionalProperties"] = false;
    return json;
  };
  Json json;
  json["description"] = "Any value may come from the environment or from a file.";
  json["oneOf"] = Json::list({form("env"), form("file")});
  return json;
}

}  // namespace

Json FieldsCore::schema() const {
  Json json;
  json["type"] = "object";
  if (!sentence.empty()) json["description"] = sentence;
  Json& properties = json["properties"];
  std::vector<Json> needed;
  for (const FieldRow& row : rows) {
    Json property = row.shape->schema(row.doc);
    if (!row.doc.sentence.empty()) property["description"] = row.doc.sentence;
    if (!row.shown_default.empty()) property["default"] = value_of(row.shown_default);
    if (!row.doc.example.empty()) property["examples"] = Json::list({value_of(row.doc.example)});
    properties[row.name] = std::move(property);
    if (row.doc.required) needed.emplace_back(row.name);
  }
  if (!needed.empty()) json["required"] = Json::list(std::move(needed));
  json["additionalProperties"] = others ? others->row.shape->schema(others->row.doc) : Json(false);
  std::vector<Json> rules;
  for (const Exclusive& exclusive : exclusives) {
    std::vector<Json> each;
    for (const std::string_view name : exclusive.names) {
      Json one;
      one["required"] = Json::list({name});
      each.push_back(std::move(one));
    }
    if (!exclusive.one_is_due) {
      Json none;
      Json any;
      any["anyOf"] = Json::list(each);
      none["not"] = std::move(any);
      each.push_back(std::move(none));
    }
    Json rule;
    rule["oneOf"] = Json::list(std::move(each));
    rules.push_back(std::move(rule));
  }
  if (!rules.empty()) json["allOf"] = Json::list(std::move(rules));
  return json;
}

void Reference::add(std::shared_ptr<const FieldsCore> fields) { sections_.push_back({place_, std::move(fields)}); }

std::string Reference::markdown() const {
  std::string out =
      "# Configuration reference\n\n"
      "Durations are like `100 ms` (ns, us, ms, s, min, h, d), sizes like `2 GiB` (B, KiB, MiB, GiB, TiB, kB, MB, GB, "
      "TB),\n"
      "rates like `500/s` (/s, /min, /h). Any scalar may be `{ env: NAME }` or `{ file: path }`. A relative path is "
      "relative\n"
      "to the file it stands in.\n";
  for (const Section& section : sections_) write_section(section.place, *section.fields, 0, out);
  return out;
}

std::set<std::string> Reference::secret_fields() const {
  std::set<std::string> names;
  for (const Section& section : sections_) collect_secrets(*section.fields, 0, names);
  return names;
}

std::string Reference::schema() const {
  Json root;
  root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  root["title"] = "railhead configuration";
  // Why two rounds: a table replaces what its place was, so outer places go first.
  std::vector<const Section*> ordered;
  for (const Section& section : sections_) ordered.push_back(&section);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Section* a, const Section* b) { return a->place.size() < b->place.size(); });
  for (const Section* section : ordered) {
    Json& at = schema_at(root, section->place);
    at.merge(section->fields->schema());
  }
  root["$defs"]["indirect"] = indirect_schema();
  return root.text() + "\n";
}

}  // namespace railhead::config
