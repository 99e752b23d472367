// The fields of `rules:`, `tables:` and `tests:` as people write them. One table each is the parser, the bounds, the
// defaults, the reference page and the JSON Schema. What holds an expression or a template is kept as a Node, so that a
// diagnostic can point inside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/config/document.h"
#include "gateway/config/fields.h"
#include "gateway/config/scalars.h"
#include "rules/routing/compiled.h"
#include "rules/routing/table.h"

namespace railhead::routing {

inline constexpr std::size_t kLetsMax = 64;
inline constexpr std::size_t kRulesMax = 100'000;

// `source`, `device` and `topic` are a text or a list of texts each.
struct FromOptions {
  config::Node source;
  config::Node device;
  config::Node topic;
};

struct SendOptions {
  config::Located<std::string> to;
  config::Node when;
  config::Node topic;
  config::Node key;
  config::Node routing_key;
  std::map<std::string, config::Node> headers;
  config::Node body;
  BodyFormat format = BodyFormat::json;
  Priority priority = Priority::normal;
  Duration ttl{};
  std::string type;
  std::string content_type;
  std::optional<std::uint8_t> amqp_priority;
  config::Located<std::filesystem::path> schema;
  bool enforce = false;
  config::Mark mark;
};

struct WindowOptions {
  Duration every{};
  config::Node by;
  Duration late{};
  std::string zone;
  std::uint32_t keys = 10'000;
  config::Mark mark;
};

struct DedupOptions {
  config::Node by;
  Duration period{};
  std::uint32_t limit = 100'000;
};

struct ReorderOptions {
  Duration wait{};
  std::uint32_t limit = 100;
};

struct SequenceOptions {
  config::Node by;
  config::Node number;
  std::optional<ReorderOptions> reorder;
  Repeats repeats = Repeats::send;
};

struct SnapshotOptions {
  Duration every{};
  std::uint32_t devices = 10'000;
  config::Mark mark;
};

struct RuleOptions {
  config::Located<std::string> name;
  config::Node from;  // one FromOptions or a list
  config::Node when;
  config::Node let;
  config::Node on_change;
  Duration throttle{};
  config::Node for_each;
  std::optional<DedupOptions> dedup;
  std::optional<SequenceOptions> expect_sequence;
  std::optional<WindowOptions> window;
  std::optional<SnapshotOptions> snapshot;
  config::Node late;  // as send
  config::Node send;  // one SendOptions or a list
  std::string type;
  OnError on_error = OnError::set_aside;
  bool is_final = false;
  config::Mark mark;
};

struct TableFileOptions {
  config::Located<std::filesystem::path> file;
  std::string key;
  std::map<std::string, CellType> types;
};

struct RuleTestOptions {
  config::Located<std::string> name;
  config::Node given;
  config::Node expect;
  config::Node errors;
};

// One reading of `given`.
struct GivenOptions {
  config::Node gateway;
  config::Node source;
  config::Node device;
  config::Node time;
  config::Node quality;
  config::Node value;
  config::Node bad;
  config::Node attributes;
};

// One failure of `errors`.
struct ExpectedErrorOptions {
  config::Node rule;
  std::string error;
};

[[nodiscard]] const config::Fields<GivenOptions>& given_fields();
[[nodiscard]] const config::Fields<ExpectedErrorOptions>& expected_error_fields();
[[nodiscard]] const config::Fields<RuleOptions>& rule_fields();
[[nodiscard]] const config::Fields<FromOptions>& from_fields();
[[nodiscard]] const config::Fields<SendOptions>& send_fields();
[[nodiscard]] const config::Fields<TableFileOptions>& table_fields();
[[nodiscard]] const config::Fields<RuleTestOptions>& rule_test_fields();

// The items of a list, or the one node that stands for a list of one; nothing for an absent or broken node.
[[nodiscard]] std::vector<config::Node> one_or_many(const config::Node& node);

}  // namespace railhead::routing
