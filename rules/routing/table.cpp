#include "rules/routing/table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/routing/csv.h"

namespace railhead::routing {
namespace {

bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

std::optional<Value> cell_value(std::string_view text, CellType type) {
  switch (type) {
    case CellType::integer:
      if (const auto number = base::parse_int(text)) return Value::integer(*number);
      return {};
    case CellType::real:
      if (const auto number = base::parse_double(text); number && std::isfinite(*number)) return Value::real(*number);
      return {};
    case CellType::boolean:
      if (text == "true" || text == "TRUE" || text == "True") return Value::boolean(true);
      if (text == "false" || text == "FALSE" || text == "False") return Value::boolean(false);
      return {};
    case CellType::text: return Value::text(text);
  }
  return {};
}

std::string_view name_of(CellType type) {
  switch (type) {
    case CellType::integer: return "an int";
    case CellType::real: return "a double";
    case CellType::boolean: return "true or false";
    case CellType::text: return "a text";
  }
  return "a text";
}

CellType guessed_type(const std::vector<CsvRow>& rows, std::size_t column) {
  bool any = false;
  const auto all_are = [&](CellType type) {
    return std::all_of(rows.begin() + 1, rows.end(), [&](const CsvRow& row) {
      const CsvCell& cell = row.cells[column];
      if (cell.quoted || (type != CellType::boolean && has_leading_zero(cell.text))) return false;
      if (cell.text.empty()) return true;
      any = true;
      return cell_value(cell.text, type).has_value();
    });
  };
  for (const CellType type : {CellType::boolean, CellType::integer, CellType::real}) {
    any = false;
    if (all_are(type) && any) return type;
  }
  return CellType::text;
}

// "0,5": a number as half the world's spreadsheets write it.
bool has_decimal_comma(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || comma + 1 == text.size()) return false;
  return base::parse_int(text.substr(0, comma)) && text.find_first_not_of("0123456789", comma + 1) == text.npos;
}

// Of a column that is text by guess: the first cell of numbers only of which one has a decimal comma.
const CsvRow* row_with_decimal_comma(const std::vector<CsvRow>& rows, std::size_t column) {
  const CsvRow* found = nullptr;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const CsvCell& cell = rows[r].cells[column];
    if (has_decimal_comma(cell.text)) {
      found = found == nullptr ? &rows[r] : found;
    } else if (!cell.text.empty() && !base::parse_int(cell.text)) {
      return nullptr;
    }
  }
  return found;
}

class Faults {
 public:
  explicit Faults(std::vector<std::string>& to) : to_(to) {}
  void add(std::string sentence) {
    if (to_.size() < kTableFaultsMax) to_.push_back(std::move(sentence));
  }
  void missing_column(std::string_view wanted, const std::vector<std::string>& columns) {
    std::string sentence = "no column '" + std::string(wanted) + "'";
    if (const auto near = base::nearest(wanted, columns)) {
      sentence += ", did you mean '" + *near + "'?";
    } else {
      sentence += "; the columns are";
      for (std::size_t i = 0; i < columns.size(); ++i) sentence += (i == 0 ? " " : ", ") + columns[i];
    }
    add(std::move(sentence));
  }

 private:
  std::vector<std::string>& to_;
};

std::string shown(const Value& key) { return key.is(Kind::string) ? std::string(key.as_text()) : to_json(key); }

// Keys seen, with the place ("line 3", "row 2") of the first.
class Keys {
 public:
  // False after reporting a repetition.
  bool add(const Value& key, const std::string& place, Faults& faults) {
    const auto [first, fresh] = seen_.emplace(to_json(key), place);
    if (!fresh) faults.add(place + ": key '" + shown(key) + "' again, it stands already in " + first->second);
    return fresh;
  }

 private:
  std::unordered_map<std::string, std::string> seen_;
};

void check_types(const TableOptions& options, const std::vector<std::string>& columns, Faults& faults) {
  for (const auto& [column, type] : options.types) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) faults.missing_column(column, columns);
  }
}

}  // namespace

Table table_from_csv(std::string_view text, const TableOptions& options, std::vector<std::string>& out) {
  Faults faults(out);
  Table table;
  Result<std::vector<CsvRow>> rows = parse_csv(text);
  if (!rows) {
    faults.add(rows.error().what);
    return table;
  }
  for (CsvRow& row : *rows) {
    for (CsvCell& cell : row.cells) {
      if (!cell.quoted) cell.text = std::string(base::trim(cell.text));
    }
  }
  for (const CsvCell& cell : rows->front().cells) {
    std::string name(base::trim(cell.text));
    if (name.empty()) faults.add("line 1: a column without a name");
    if (std::find(table.columns.begin(), table.columns.end(), name) != table.columns.end()) {
      faults.add("line 1: column '" + name + "' again");
    }
    table.columns.push_back(std::move(name));
  }
  check_types(options, table.columns, faults);
  const auto key = std::find(table.columns.begin(), table.columns.end(), options.key);
  if (key == table.columns.end()) {
    faults.missing_column(options.key, table.columns);
    return table;
  }
  const auto key_at = static_cast<std::size_t>(key - table.columns.begin());
  std::vector<CellType> types;
  std::vector<Value> names;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto said = options.types.find(table.columns[i]);
    if (said != options.types.end()) {
      types.push_back(said->second);
    } else {
      types.push_back(i == key_at ? CellType::text : guessed_type(*rows, i));
      const CsvRow* const comma = types.back() == CellType::text ? row_with_decimal_comma(*rows, i) : nullptr;
      if (comma != nullptr) {
        table.doubts.push_back("line " + std::to_string(comma->line) + ": '" + comma->cells[i].text + "' in column '" +
                               table.columns[i] + "' is a text: a number has a decimal point");
      }
    }
    names.push_back(Value::text(table.columns[i]));
  }
  Keys keys;
  Value::Entries entries;
  entries.reserve(rows->size() - 1);
  for (std::size_t r = 1; r < rows->size(); ++r) {
    const CsvRow& row = (*rows)[r];
    const std::string place = "line " + std::to_string(row.line);
    Value::Entries cells;
    Value row_key;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const std::string& cell = row.cells[i].text;
      std::optional<Value> value =
          cell.empty() && types[i] != CellType::text ? std::optional<Value>(Value{}) : cell_value(cell, types[i]);
      if (!value) {
        faults.add(place + ": '" + cell + "' in column '" + table.columns[i] + "' is not " +
                   std::string(name_of(types[i])));
        value = Value{};
      }
      if (i == key_at) row_key = *value;
      cells.emplace_back(names[i], std::move(*value));
    }
    if (row.cells[key_at].text.empty()) {
      faults.add(place + ": the key column '" + options.key + "' is empty");
      continue;
    }
    if (!keys.add(row_key, place, faults)) continue;
    entries.emplace_back(std::move(row_key), Value::map(std::move(cells)));
    table.lines.push_back(row.line);
  }
  table.rows = Value::map(std::move(entries));
  return table;
}

std::vector<std::string> cells_of_another_type(const Table& before, const Table& now) {
  std::vector<std::string> sentences;
  const auto kind_of_column = [](const Table& table, const std::string& column) {
    for (const auto& [key, row] : table.rows.as_map()) {
      const Value* const cell = row.find(column);
      if (cell != nullptr && !cell->is(Kind::null)) return cell->kind();
    }
    return Kind::null;
  };
  for (const std::string& column : now.columns) {
    const Kind was = kind_of_column(before, column);
    const CellType type = was == Kind::integer   ? CellType::integer
                          : was == Kind::real    ? CellType::real
                          : was == Kind::boolean ? CellType::boolean
                                                 : CellType::text;
    if (type == CellType::text) continue;
    const auto rows = now.rows.as_map();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Value* const cell = rows[i].second.find(column);
      if (cell == nullptr || !cell->is(Kind::string) || cell_value(cell->as_text(), type)) continue;
      const std::string place =
          i < now.lines.size() ? "line " + std::to_string(now.lines[i]) : "row '" + shown(rows[i].first) + "'";
      sentences.push_back(place + ": '" + std::string(cell->as_text()) + "' in column '" + column + "' is not " +
                          std::string(name_of(type)) + ", as all were before");
      break;
    }
  }
  return sentences;
}

Table table_from_document(const Value& document, const TableOptions& options, std::vector<std::string>& out) {
  Faults faults(out);
  Table table;
  const auto note_columns = [&](const Value& row) {
    if (!row.is(Kind::map)) return;
    for (const auto& [name, cell] : row.as_map()) {
      if (!name.is(Kind::string)) continue;
      const std::string column(name.as_text());
      if (std::find(table.columns.begin(), table.columns.end(), column) == table.columns.end())
        table.columns.push_back(column);
    }
  };
  Keys keys;
  Value::Entries entries;
  if (document.is(Kind::map)) {
    for (const auto& [key, row] : document.as_map()) {
      note_columns(row);
      entries.emplace_back(key, row);
    }
  } else if (document.is(Kind::list)) {
    if (options.key.empty()) faults.add("a list of rows needs `key:`, the column that holds the keys");
    std::size_t number = 0;
    for (const Value& row : document.as_list()) {
      const std::string place = "row " + std::to_string(++number);
      note_columns(row);
      const Value* key = row.find(options.key);
      if (options.key.empty()) continue;
      if (key == nullptr || (!key->is(Kind::string) && !key->is(Kind::integer) && !key->is(Kind::uinteger))) {
        faults.add(place + ": no key in '" + options.key + "'");
        continue;
      }
      if (keys.add(*key, place, faults)) entries.emplace_back(*key, row);
    }
  } else {
    faults.add("a table is a map of rows or a list of rows");
  }
  if (!options.types.empty()) faults.add("`types` are for CSV; YAML and JSON cells have their own");
  table.rows = Value::map(std::move(entries));
  return table;
}

}  // namespace railhead::routing
