// EncodedRecords: what a reading became, already as the spool will hold it: the bytes of record.h one behind the other,
// each without its token, which the intake writes behind it (append_to).
// Threads: a value type; one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/message/record.h"

namespace railhead {

class EncodedRecords {
 public:
  void add(const RecordHead& head, const RecordRest& rest);
  // Its token is left out.
  void add(const Record& record) { add(head_of(record), rest_of(record)); }
  void add(const EncodedRecords& others);
  void clear();

  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool empty() const { return places_.empty(); }
  [[nodiscard]] Priority priority(std::size_t i) const { return places_[i].priority; }
  // Valid until something is added.
  [[nodiscard]] std::string_view sink(std::size_t i) const {
    return {bytes_.data() + places_[i].sink_from, places_[i].sink_size};
  }
  // The whole record.
  void append_to(std::string& out, std::size_t i, const std::optional<FieldToken>& token = std::nullopt) const;
  // Decoded.
  [[nodiscard]] Record at(std::size_t i) const;

 private:
  struct Place {
    Priority priority;
    std::size_t from;
    std::size_t sink_from;
    std::size_t sink_size;
  };
  [[nodiscard]] std::string_view bytes_of(std::size_t i) const;
  // Behind what there is; not yet counted.
  [[nodiscard]] char* room(std::size_t bytes);

  std::string bytes_;  // room: only the first size_ of them count
  std::size_t size_ = 0;
  std::vector<Place> places_;
};

}  // namespace railhead
