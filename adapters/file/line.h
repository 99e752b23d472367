// One record as one line of JSON:
//   {"sink":"audit","topic":"t","key":"d1"|null,"headers":{"ce_id":"...",...},"body":...}
// with "routing_key" after the topic when there is one. A body whose content type is JSON and that parses is embedded
// as it is (line breaks between its tokens become blanks); other text is a JSON string; what is no UTF-8 is given as
// "body_base64" instead.
// Threads: one owner.
#pragma once

#include <string>
#include <string_view>

#include "gateway/message/envelope.h"
#include "gateway/message/json.h"
#include "gateway/ports/sink.h"

namespace railhead::file {

// What each of them begins with.
inline constexpr std::string_view kLineBegin = R"({"sink":)";

class LineWriter {
 public:
  explicit LineWriter(std::string gateway, Envelope envelope = Envelope::headers)
      : gateway_(std::move(gateway)), envelope_(envelope) {}
  // Appends the line with its end.
  void write(const ports::Outgoing& outgoing, std::string& out);

 private:
  std::string gateway_;
  Envelope envelope_;
  Enveloper enveloper_;
  JsonParser parser_;
};

}  // namespace railhead::file
