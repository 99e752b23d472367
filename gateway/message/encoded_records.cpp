#include "gateway/message/encoded_records.h"

#include <algorithm>
#include <cstring>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/message/field_token.h"

namespace railhead {

char* EncodedRecords::room(std::size_t bytes) {
  if (bytes_.size() - size_ < bytes) bytes_.resize(std::max(size_ + bytes, 2 * bytes_.size()));
  return bytes_.data() + size_;
}

void EncodedRecords::add(const RecordHead& head, const RecordRest& rest) {
  const std::size_t from = size_;
  size_ = static_cast<std::size_t>(encode(head, rest, room(encoded_room(head, rest))) - bytes_.data());
  const auto sink_from = static_cast<std::size_t>(head.sink().data() - head.bytes().data());
  places_.push_back({head.priority(), from, from + sink_from, head.sink().size()});
}

void EncodedRecords::add(const EncodedRecords& others) {
  const std::size_t from = size_;
  if (others.size_ > 0) std::memcpy(room(others.size_), others.bytes_.data(), others.size_);
  size_ += others.size_;
  for (Place place : others.places_) {
    place.from += from;
    place.sink_from += from;
    places_.push_back(place);
  }
}

void EncodedRecords::clear() {
  size_ = 0;
  places_.clear();
}

std::string_view EncodedRecords::bytes_of(std::size_t i) const {
  const std::size_t end = i + 1 < places_.size() ? places_[i + 1].from : size_;
  return {bytes_.data() + places_[i].from, end - places_[i].from};
}

void EncodedRecords::append_to(std::string& out, std::size_t i, const std::optional<FieldToken>& token) const {
  out += bytes_of(i);
  base::ByteWriter writer(out);
  write_token(token, writer);
}

Record EncodedRecords::at(std::size_t i) const {
  RAILHEAD_ASSERT(i < size());
  std::string whole;
  append_to(whole, i);
  Result<Record> record = decode_record(whole);
  RAILHEAD_ASSERT(record.has_value());
  return std::move(*record);
}

}  // namespace railhead
