#include "adapters/file/config.h"

#include "gateway/ports/envelope_field.h"

namespace railhead::file {

const config::Fields<FileOptions>& file_fields() {
  static const config::Fields<FileOptions> fields =
      config::Fields<FileOptions>("file sink", "Appends each record to a file, one JSON document a line.")
          .required("path", &FileOptions::path,
                    {.sentence = "Where to write; - is standard output.",
                     .example = "/var/log/railhead/records.jsonl",
                     .not_empty = true})
          .optional("rotate", &FileOptions::rotate,
                    {.sentence = "Begins a new file at this size; 0 never does.", .min = "0"})
          .optional("keep", &FileOptions::keep,
                    {.sentence = "So many older files stay, as path.1 (the youngest) to path.N.",
                     .min = 0,
                     .max = 1000,
                     .unit = "files"})
          .with(ports::envelope_field(&FileOptions::envelope));
  return fields;
}

}  // namespace railhead::file
