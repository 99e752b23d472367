// Writes one JSON document (RFC 8259) into a string: for the status document and JSON log lines, which must not know
// the message room. Bytes that are not UTF-8 become U+FFFD, so the output is always valid. NaN and infinities become
// null. Use: begin_object(); field("name", 1); end_object(). Nesting is the caller's; commas are the writer's. Threads:
// one writer is one thread's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace railhead::status {

// A JSON string literal with its quotes.
void append_json_text(std::string_view text, std::string& out);

class JsonWriter {
 public:
  void begin_object() { open('{'); }
  void begin_object(std::string_view name) {
    key(name);
    open('{');
  }
  void end_object() { close('}'); }
  void begin_list(std::string_view name) {
    key(name);
    open('[');
  }
  void end_list() { close(']'); }

  template <class T>
  void field(std::string_view name, const T& value) {
    key(name);
    if constexpr (std::is_same_v<T, bool>) {
      out_ += value ? "true" : "false";
    } else if constexpr (std::is_integral_v<T>) {
      out_ += std::to_string(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      real(value);
    } else {
      append_json_text(value, out_);
    }
  }
  void null_field(std::string_view name) {
    key(name);
    out_ += "null";
  }
  // `json` is a whole JSON value.
  void raw_field(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void comma() {
    if (!first_) out_ += ',';
    first_ = false;
    after_key_ = false;
  }
  void key(std::string_view name) {
    comma();
    append_json_text(name, out_);
    out_ += ':';
    after_key_ = true;
  }
  void open(char bracket) {
    if (!after_key_) comma();
    after_key_ = false;
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
    after_key_ = false;
  }
  void real(double value);

  std::string out_;
  bool first_ = true;       // in the innermost object or list
  bool after_key_ = false;  // a value is due, no comma before it
};

}  // namespace railhead::status
