#include "rules/routing/body_layout.h"

#include <optional>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/message/binary_formats.h"
#include "gateway/message/json.h"

namespace railhead::routing {
namespace {

class LayoutWriter {
 public:
  LayoutWriter(BodyFormat format, Configured& configured) : format_(format), configured_(configured) {
    RAILHEAD_ASSERT(format != BodyFormat::raw);
    layout_.write = format == BodyFormat::messagepack ? write_messagepack
                    : format == BodyFormat::cbor      ? write_cbor
                                                      : write_json;
  }

  void add(const Body& body) {
    if (body.shape == Body::Shape::expression) return add_leaf(body);
    const bool is_map = body.shape == Body::Shape::map;
    begin(is_map, body.members.size());
    for (std::size_t i = 0; i < body.members.size(); ++i) {
      if (is_json() && i > 0) bytes_.push_back(',');
      if (is_map) layout_.write(body.names[i], bytes_);
      if (is_map && is_json()) bytes_.push_back(':');
      add(body.members[i]);
    }
    if (is_json()) bytes_.push_back(is_map ? '}' : ']');
  }

  BodyLayout finish() {
    layout_.after = std::move(bytes_);
    return std::move(layout_);
  }

 private:
  [[nodiscard]] bool is_json() const { return format_ == BodyFormat::json; }

  void begin(bool is_map, std::size_t members) {
    if (is_json()) {
      bytes_.push_back(is_map ? '{' : '[');
    } else if (format_ == BodyFormat::messagepack) {
      (is_map ? begin_messagepack_map : begin_messagepack_list)(members, bytes_);
    } else {
      (is_map ? begin_cbor_map : begin_cbor_list)(members, bytes_);
    }
  }

  void add_leaf(const Body& body) {
    if (const std::optional<Value> known = configured_.value_of(*body.expression)) {
      layout_.write(*known, bytes_);
    } else {
      layout_.parts.push_back({std::exchange(bytes_, {}), body.expression, body.path});
    }
  }

  const BodyFormat format_;
  Configured& configured_;
  BodyLayout layout_;
  std::string bytes_;  // since the last expression
};

}  // namespace

BodyLayout lay_out(const Body& body, BodyFormat format, Configured& configured) {
  LayoutWriter writer(format, configured);
  writer.add(body);
  return writer.finish();
}

}  // namespace railhead::routing
