// LineFile: appends whole lines to a file and makes them durable.
// Rotation: before an append that would pass `rotate`, path.1 becomes path.2 and so on, path becomes path.1; what is
// older
//           than `keep` is removed. A single append larger than `rotate` is written all the same. Kept sizes count
//           bytes.
// Torn:     a failed append is cut off again. If the file does not end with a line end when it is opened (the process
//           was killed within a write, a power cut), what stands behind the last one is cut off when it begins as our
//           lines do: no append() of it has returned. What does not is not ours, and is ended with a line end.
// Moved:    when somebody else renames or removes the file (logrotate), the next append makes a new one.
// Path "-": standard output; never rotated, never synced.
// Errors:   full, denied, io; after one, open again.
// Threads:  one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/system/descriptor.h"

namespace railhead::file {

class LineFile {
 public:
  struct Options {
    std::string path;
    std::uint64_t rotate = 0;  // 0: never
    std::uint32_t keep = 0;
  };
  explicit LineFile(Options options) : options_(std::move(options)) {}
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  [[nodiscard]] Result<void> open();
  // All of `lines`, each with its line end; durable on return.
  [[nodiscard]] Result<void> append(std::string_view lines);

 private:
  [[nodiscard]] bool to_standard_output() const { return options_.path == "-"; }
  [[nodiscard]] Result<void> write(std::string_view bytes);
  [[nodiscard]] Result<void> rotate();
  [[nodiscard]] Result<void> mend();
  [[nodiscard]] bool moved() const;
  [[nodiscard]] Result<void> sync_directory() const;
  [[nodiscard]] std::string numbered(std::uint32_t number) const;

  Options options_;
  system::Descriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace railhead::file
