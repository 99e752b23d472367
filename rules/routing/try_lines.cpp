#include "rules/routing/try_lines.h"

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>
#include <string_view>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "gateway/message/record_json.h"
#include "rules/routing/expectation.h"
#include "rules/routing/given.h"
#include "rules/routing/hints.h"
#include "rules/routing/rehearsal.h"

namespace railhead::routing {
namespace {

constexpr std::array<std::string_view, 8> kDocumentFields{"gateway", "source", "device", "time",
                                                          "quality", "value",  "bad",    "attributes"};

// An object whose every member is one of a reading's, and that names at least where it comes from or a value.
bool is_reading(const Value& document) {
  if (!document.is(Kind::map)) return false;
  const bool names_something = document.find("source") != nullptr || document.find("value") != nullptr;
  return names_something && std::all_of(document.as_map().begin(), document.as_map().end(), [](const auto& entry) {
           return entry.first.is(Kind::string) && std::find(kDocumentFields.begin(), kDocumentFields.end(),
                                                            entry.first.as_text()) != kDocumentFields.end();
         });
}

// The member that keeps what looks like a reading from being one; empty: it does not look like one.
std::string foreign_member(const Value& document) {
  if (!document.is(Kind::map) || document.find("source") == nullptr || document.find("value") == nullptr) return {};
  for (const auto& [name, member] : document.as_map()) {
    if (!name.is(Kind::string)) continue;
    if (std::find(kDocumentFields.begin(), kDocumentFields.end(), name.as_text()) == kDocumentFields.end()) {
      return std::string(name.as_text());
    }
  }
  return {};
}

bool read_line(JsonParser& parser, const std::string& line, const TryOptions& options, Reading& reading,
               std::string& why) {
  Result<Value> document = parser.parse(line);
  if (!document) {
    why = document.error().what;
    return false;
  }
  reading.source = options.source;
  reading.device = options.device;
  reading.time = options.time;
  if (const std::string foreign = foreign_member(*document); !foreign.empty()) {
    const std::string hint = hint_of(foreign, {kDocumentFields.begin(), kDocumentFields.end()});
    why = "a reading has no member '" + foreign + "'" + (hint.empty() ? "" : ", " + hint);
    return false;
  }
  if (!is_reading(*document)) {
    reading.value = std::move(*document);
  } else {
    if (document->find("source") == nullptr && !options.source.empty()) {
      Value::Entries entries(document->as_map().begin(), document->as_map().end());
      entries.emplace_back(Value::text("source"), Value::text(options.source));
      *document = Value::map(std::move(entries));
    }
    if (!reading_from_value(*document, reading, why)) return false;
  }
  if (reading.source.empty()) {
    why = "the reading names no source: say which with --source";
    return false;
  }
  const std::vector<Impossible> faults = make_as_delivered(reading, options.sources);
  for (const Impossible& fault : faults) {
    why += (why.empty() ? "" : "; ") + fault.what + (fault.hint.empty() ? "" : ", " + fault.hint);
  }
  return faults.empty();
}

}  // namespace

std::string record_line(const Record& record) {
  std::string line = R"({"sink":)";
  const auto add = [&](std::string_view name, std::string_view text) {
    line += name;
    write_json_text(text, line);
  };
  write_json_text(record.sink, line);
  if (!record.topic.empty()) add(R"(,"topic":)", record.topic);
  if (!record.routing_key.empty()) add(R"(,"routing_key":)", record.routing_key);
  if (record.key) {
    add(R"(,"key":)", *record.key);
  } else {
    line += R"(,"key":null)";
  }
  line += R"(,"headers":{)";
  for (std::size_t i = 0; i < record.headers.size(); ++i) {
    if (i > 0) line.push_back(',');
    write_json_text(record.headers[i].name, line);
    line.push_back(':');
    write_json_text(record.headers[i].value, line);
  }
  line += '}';
  JsonParser parser;
  append_body_member(parser, record.body, record.content_type, line);
  return line + "}";
}

int try_lines(const ports::Router& router, const TryOptions& options, std::istream& in, std::ostream& out) {
  Rehearsal rehearsal(router.open());
  JsonParser parser;
  Rehearsal::Came came;
  const auto print = [&] {
    for (const Record& record : came.records) out << record_line(record) << "\n";
    for (const ports::SetAside& failure : came.set_aside) {
      std::string answer = R"({"error":)";
      write_json_text(failure.reason, answer);
      answer += R"(,"rule":)";
      write_json_text(failure.rule, answer);
      out << answer << "}\n";
    }
    return static_cast<bool>(out << std::flush);
  };
  std::string line;
  int exit_code = 0;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (base::trim(line).empty()) continue;
    Reading reading;
    std::string why;
    if (!read_line(parser, line, options, reading, why)) {
      std::string answer = R"({"error":)";
      write_json_text(why, answer);
      out << answer << R"(,"line":)" << number << "}\n" << std::flush;
      exit_code = 1;
      continue;
    }
    rehearsal.feed(reading, came);
    if (!print()) return 2;
  }
  rehearsal.finish(came);
  return print() ? exit_code : 2;
}

}  // namespace railhead::routing
