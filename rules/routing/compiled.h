// The compiled rules: what build() makes of the YAML and route() walks. Plain structs, immutable once built.
// Slots are those of expression::Scope: the built-in variables first, then the rule's lets in their order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/message/record.h"
#include "gateway/message/value.h"
#include "rules/expression/expression.h"
#include "rules/routing/accumulator.h"
#include "rules/routing/destination.h"
#include "rules/routing/json_schema.h"
#include "rules/routing/rule_index.h"
#include "rules/routing/table.h"

namespace railhead::status {
class Reporter;
}

namespace railhead::routing {

using ExpressionPtr = std::shared_ptr<const expression::Program>;

enum Slot : std::size_t {
  kValueSlot,
  kQualitySlot,
  kBadSlot,
  kTimeSlot,
  kSourceSlot,
  kDeviceSlot,
  kAttributesSlot,
  kGatewaySlot,
  kLabelsSlot,
  kTablesSlot,
  kPreviousSlot,
  kWindowSlot,  // of a closing window
  kItemSlot,    // of for_each
  kIndexSlot,
  kFirstLetSlot,
};

enum class OnError : std::uint8_t { set_aside, drop, pass };

struct Template {
  struct Part {
    std::string text;          // used when there is no expression
    ExpressionPtr expression;  // its value as text
  };
  std::vector<Part> parts;
  // The whole text if nothing in it is computed; null otherwise.
  [[nodiscard]] const std::string* plain() const {
    return parts.size() == 1 && !parts[0].expression ? &parts[0].text : nullptr;
  }
};

enum class BodyFormat : std::uint8_t {
  json,
  raw,  // one expression: a text or bytes as they are, other scalars as their text
  messagepack,
  cbor,
};

// A tree of maps and lists whose leaves are expressions.
struct Body {
  enum class Shape : std::uint8_t { expression, list, map };
  Shape shape = Shape::expression;
  ExpressionPtr expression;
  std::string path;          // "body.celsius", for messages
  std::vector<Value> names;  // of a map: texts, beside `members`
  std::vector<Body> members;
};

// A body as it is written (body_layout.h).
struct BodyLayout {
  struct Part {
    std::string before;  // bytes of the format
    ExpressionPtr expression;
    std::string path;  // as Body's
  };
  std::vector<Part> parts;
  std::string after;
  void (*write)(const Value& value, std::string& out) = nullptr;
};

// A `when`.
struct Condition {
  ExpressionPtr expression;                // none: always true
  std::vector<std::string> needed_points;  // declared points it reads, also through lets: absent means false (S26)
  bool reads_previous = false;             // false as long as there is none
};

struct NamedTemplate {
  std::string name;
  Template text;
};

struct Send {
  [[nodiscard]] RecordHead head_with(std::string_view content) const {
    return RecordHead({.sink = sink,
                       .priority = priority,
                       .ttl = ttl,
                       .type = type.empty() ? kDefaultType : type,
                       .content_type = content.empty() ? kDefaultContentType : content});
  }

  enum class Key : std::uint8_t { standard, none, written };
  std::string sink;
  Upstream upstream = Upstream::other;
  Condition when;
  std::optional<Template> topic;
  std::optional<Template> routing_key;
  Key key_kind = Key::standard;
  Template key;
  std::vector<NamedTemplate> headers;
  std::optional<Body> body;  // none: the canonical document
  BodyLayout layout;         // of the body, if it is not raw
  BodyFormat format = BodyFormat::json;
  Priority priority = Priority::normal;
  Duration ttl{};
  std::string type;
  std::string content_type;
  RecordHead head;
  RecordHead document_head;                  // of the canonical document in the place of a body that failed
  std::shared_ptr<const JsonSchema> schema;  // what the consumer demands of the body; may be null
  std::string schema_name;
  bool enforce = false;  // a body that does not fit it is not sent
};

struct Let {
  std::string name;
  ExpressionPtr expression;
};

// One entry of on_change: a number that must move by `absolute`, or by `fraction` of the last sent value.
struct Deadband {
  Condition value;  // any expression; what it needs decides whether this reading says anything of it
  double absolute = 0;
  double fraction = 0;
};

// A call of a window function, shared by all places where it is written alike.
struct WindowCall {
  WindowFunction function = WindowFunction::count;
  ExpressionPtr argument;  // none: count()
  double percent = 0;
};

struct Window {
  Duration every{};
  Duration late{};
  std::string zone;  // of windows of days; empty: UTC
  ExpressionPtr by;  // none: one window for the source
  std::size_t keys_max = 0;
  std::vector<WindowCall> calls;
  // Where a program's window functions stand in `calls`; their slots begin at `first_slot`.
  struct Uses {
    std::size_t first_slot = 0;
    std::vector<std::size_t> calls;
  };
  std::unordered_map<const expression::Program*, Uses> uses;
};

struct Dedup {
  ExpressionPtr by;
  Duration period{};
  std::size_t limit = 0;
};

enum class Repeats : std::uint8_t { send, filter };

struct ExpectedSequence {
  ExpressionPtr by;  // none: the device
  ExpressionPtr number;
  bool reorders = false;
  Duration wait{};
  std::size_t limit = 0;
  Repeats repeats = Repeats::send;
};

struct Snapshot {
  Duration every{};
  std::size_t devices_max = 0;
};

struct Rule {
  std::string name;
  std::uint64_t fingerprint = 0;  // of its text: a reload keeps the state of rules that did not change (S31)
  std::vector<Selection> from;
  Condition when;
  std::vector<Let> lets;
  std::vector<Send> sends;
  OnError on_error = OnError::set_aside;
  bool is_final = false;
  bool uses_previous = false;
  std::vector<Deadband> on_change;  // empty: every reading
  Duration at_least_every{};        // of on_change; 0: never by time alone
  Duration throttle{};              // at most one in this time, per device; 0: all
  ExpressionPtr for_each;
  std::optional<Dedup> dedup;
  std::optional<ExpectedSequence> sequence;
  std::optional<Window> window;
  std::optional<Snapshot> snapshot;
  std::vector<Send> late_sends;  // of a window
  bool sends_at_once = false;    // nothing stands between a reading and its sends
  std::uint64_t state_id = 0;    // what its state entries are of: the name and all that gives them their meaning

  // Something that survives a restart.
  [[nodiscard]] bool remembers() const { return dedup || sequence || window || snapshot; }
  [[nodiscard]] bool keeps_state() const { return uses_previous || !on_change.empty() || throttle.count() > 0; }
};

struct Compiled {
  std::string gateway;
  Value gateway_value;
  Value labels;
  Value tables;
  std::map<std::string, Table> table_files;  // what `tables` was made of
  std::vector<Rule> rules;
  RuleIndex index;
  std::size_t lets_max = 0;  // of any rule
  status::Reporter* reporter = nullptr;
};

}  // namespace railhead::routing
