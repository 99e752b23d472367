#include "rules/routing/table_files.h"

#include "gateway/base/result.h"
#include "gateway/message/json.h"
#include "rules/routing/csv.h"
#include "rules/routing/json_keys.h"
#include "rules/routing/node_value.h"
#include "rules/routing/rule_options.h"

namespace railhead::routing {
namespace {

Table read_table(const TableFileOptions& options, const config::Node& named_at, config::Diagnostics& diagnostics) {
  Table table;
  const std::filesystem::path& path = options.file.value;
  if (path.empty()) return table;  // reported as missing
  std::vector<std::string> faults;
  const std::string extension = path.extension().string();
  const TableOptions wanted{options.key, options.types};
  if (extension == ".yaml" || extension == ".yml") {
    const std::size_t errors = diagnostics.error_count();
    const config::Document document = config::Document::load_file(path, named_at, diagnostics);
    if (diagnostics.error_count() == errors) table = table_from_document(value_of(document.root()), wanted, faults);
  } else if (const Result<std::string> text = diagnostics.store().read(path, kCsvBytesMax); !text) {
    faults.push_back(text.error().code == Errc::invalid ? "the file is larger than 16 MiB" : text.error().what);
  } else if (extension == ".csv") {
    if (options.key.empty()) {
      faults.push_back("`key` must name the column that holds the keys");
    } else {
      table = table_from_csv(*text, wanted, faults);
    }
  } else if (extension == ".json") {
    JsonParser parser;
    const Result<Value> document = parser.parse(*text);
    if (document) {
      table = table_from_document(*document, wanted, faults);
      if (const std::optional<RepeatedKey> twice = repeated_key(*text)) {
        faults.push_back("line " + std::to_string(twice->line) + ": key '" + twice->key +
                         "' again, it stands already in line " + std::to_string(twice->first_line));
      }
    } else {
      faults.push_back(document.error().what);
    }
  } else {
    faults.push_back("a table is a .csv, .yaml or .json file");
  }
  for (const std::string& doubt : table.doubts) {
    diagnostics.warning(options.file.mark, options.file.length, path.filename().string() + ": " + doubt,
                        "types: says of a column what it is");
  }
  for (const std::string& fault : faults) {
    diagnostics.error(options.file.mark, options.file.length, path.filename().string() + ": " + fault);
  }
  return table;
}

}  // namespace

std::map<std::string, std::filesystem::path> places_of_tables(const config::Node& tables) {
  std::map<std::string, std::filesystem::path> places;
  config::Diagnostics ignored;
  for (const config::Member& member : tables.members()) {
    const TableFileOptions options = table_fields().read(member.value, ignored);
    if (!options.file.value.empty()) places.emplace(member.name(), options.file.value);
  }
  return places;
}

Table read_one_table(const config::Node& tables, std::string_view name, config::Diagnostics& diagnostics) {
  const config::Node node = tables.find(name);
  return read_table(table_fields().read(node, diagnostics), node.find("file"), diagnostics);
}

std::map<std::string, Table> read_tables(const config::Node& tables, config::Diagnostics& diagnostics) {
  std::map<std::string, Table> out;
  if (!tables.present() || tables.is_null()) return out;
  if (!tables.is_map()) {
    diagnostics.error(tables, "`tables` must be a map of names, not " + std::string(tables.kind_name()));
    return out;
  }
  for (const config::Member& member : tables.members()) {
    if (const std::string fault = config::name_fault(member.name()); !fault.empty()) {
      diagnostics.error(member.key, fault);
      continue;
    }
    if (out.size() >= kTablesMax) {
      diagnostics.error(member.key, "more than " + std::to_string(kTablesMax) + " tables");
      break;
    }
    const TableFileOptions options = table_fields().read(member.value, diagnostics);
    out.emplace(member.name(), read_table(options, member.value.find("file"), diagnostics));
  }
  return out;
}

}  // namespace railhead::routing
