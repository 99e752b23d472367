// Reference: the page of every field, and the JSON Schema for editors, from the same tables that read the
// configuration.
//   Reference reference;
//   reference.place("sources.<name>.modbus");   // where the tables described next belong
//   modbus_fields().describe(reference);
// Places: names joined by '.', `<name>` for a name of the user's choice, `[]` for the items of a list,
//         `[?]` for what may stand alone or in a list.
// Threads: one owner.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace railhead::config {

class FieldsCore;

class Reference {
 public:
  // "" is the top level.
  void place(std::string path) { place_ = std::move(path); }
  void add(std::shared_ptr<const FieldsCore> fields);

  [[nodiscard]] std::string markdown() const;
  // JSON Schema, draft 2020-12.
  [[nodiscard]] std::string schema() const;
  // The names of the fields whose values are never shown.
  [[nodiscard]] std::set<std::string> secret_fields() const;

 private:
  struct Section {
    std::string place;
    std::shared_ptr<const FieldsCore> fields;
  };
  std::string place_;
  std::vector<Section> sections_;
};

}  // namespace railhead::config
