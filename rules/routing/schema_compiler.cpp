// RuleCompiler's part that reads `schema` and holds the body against it before anything runs: a required field that
// nobody fills, a field that is not allowed, a type that is known to be wrong, a constant that does not fit.
#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/routing/hints.h"
#include "rules/routing/node_value.h"
#include "rules/routing/rule_compiler.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kSchemaBytesMax = std::size_t{1} << 20;
constexpr int kFollowMax = 16;  // $ref and allOf, one behind the other

unsigned json_types_of(expression::Type type) {
  using expression::Type;
  switch (type) {
    case Type::any: return kJsonAny;
    case Type::null: return kJsonNull;
    case Type::boolean: return kJsonBoolean;
    case Type::integer:
    case Type::uinteger:
    case Type::real: return kJsonInteger | kJsonNumber;
    case Type::list: return kJsonArray;
    case Type::map: return kJsonObject;
    default: return kJsonString;
  }
}

// One send's body against one schema.
class StaticCheck {
 public:
  StaticCheck(const JsonSchema& schema, const std::string& name, Configured& configured,
              config::Diagnostics& diagnostics)
      : schema_(schema), name_(name), configured_(configured), diagnostics_(diagnostics) {}

  void check(std::size_t number, const Body& body, const config::Node& node, int followed = 0) {
    const JsonSchema::Node& wanted = schema_.node(number);
    if (followed > kFollowMax) return;
    if (body.shape == Body::Shape::expression) {
      if (const std::optional<Value> value = configured_.value_of(*body.expression)) {
        return check_constant(number, *value, body, node);
      }
    }
    if (wanted.ref) check(*wanted.ref, body, node, followed + 1);
    for (const std::size_t one : wanted.all_of) check(one, body, node, followed + 1);
    const unsigned types = body.shape == Body::Shape::map    ? kJsonObject
                           : body.shape == Body::Shape::list ? kJsonArray
                                                             : json_types_of(body.expression->result_type());
    if ((types & wanted.types) == 0) {
      const std::string is = types == (kJsonInteger | kJsonNumber) ? "number" : names_of_types(types);
      diagnostics_.error(
          node, body.path + " is " + is + ", the consumer's schema wants " + names_of_types(wanted.types), name_);
      return;
    }
    if (body.shape == Body::Shape::map) check_map(wanted, body, node);
    if (body.shape == Body::Shape::list) check_list(wanted, body, node);
  }

  // The reading's document, which is sent without a body.
  void check_document(const config::Mark& mark, std::size_t length, std::size_t number = 0, int followed = 0) {
    static constexpr std::array<std::string_view, 6> kAlways{"gateway", "source", "device", "time", "quality", "value"};
    static constexpr std::array<std::string_view, 2> kSometimes{"bad", "attributes"};
    const JsonSchema::Node& wanted = schema_.node(number);
    if (followed > kFollowMax) return;
    if (wanted.ref) check_document(mark, length, *wanted.ref, followed + 1);
    for (const std::size_t one : wanted.all_of) check_document(mark, length, one, followed + 1);
    const auto is_in = [](const auto& names, std::string_view name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const std::string& name : wanted.required) {
      if (is_in(kAlways, name) || is_in(kSometimes, name)) continue;
      diagnostics_.error(mark, length,
                         "the consumer requires '" + name + "', which the reading's document does not have",
                         "write a body");
    }
    std::vector<std::string> forbidden;
    for (const std::string_view name : kAlways) {
      if (forbids(wanted, name)) forbidden.emplace_back(name);
    }
    if (forbidden.empty()) return;
    diagnostics_.error(
        mark, length,
        "the consumer's schema does not allow what stands in the reading's document: " + list_of(forbidden),
        "write a body");
  }

 private:
  // Known now, so that all of the schema can be asked.
  void check_constant(std::size_t number, const Value& value, const Body& body, const config::Node& node) {
    JsonParser parser;
    const Result<Value> as_read = parser.parse(to_json(value));  // an instant becomes a text
    if (!as_read) return;
    for (const std::string& fault : schema_.validate(*as_read, number, body.path)) {
      diagnostics_.error(node, fault + ", which the consumer's schema refuses", name_);
    }
  }
  [[nodiscard]] bool forbids(const JsonSchema::Node& wanted, std::string_view name) const {
    return wanted.additional && schema_.node(*wanted.additional).never && !wanted.properties.contains(name) &&
           std::none_of(wanted.pattern_properties.begin(), wanted.pattern_properties.end(),
                        [&](const auto& pattern) { return pattern.first->search(name); });
  }
  void check_count(std::size_t count, const std::optional<double>& least, const std::optional<double>& most,
                   const std::string& what, const Body& body, const config::Node& node) {
    const auto has = static_cast<double>(count);
    if ((!least || has >= *least) && (!most || has <= *most)) return;
    diagnostics_.error(
        node,
        body.path + " has " + base::counted(count, what) + ", the consumer's schema wants " +
            (least && has < *least ? "at least " + base::shortest(*least) : "at most " + base::shortest(*most)),
        name_);
  }
  void check_map(const JsonSchema::Node& wanted, const Body& body, const config::Node& node) {
    for (const std::string& name : wanted.required) {
      if (!node.find(name).present()) {
        diagnostics_.error(node, "the consumer requires '" + name + "', which " + body.path + " does not fill", name_);
      }
    }
    check_count(body.members.size(), wanted.min_properties, wanted.max_properties, "member", body, node);
    for (std::size_t i = 0; i < body.members.size(); ++i) {
      const config::Member& member = node.members()[i];
      const std::string_view name = member.name();
      if (forbids(wanted, name)) {
        diagnostics_.error(member.key, "the consumer's schema does not allow '" + std::string(name) + "'", name_);
        continue;
      }
      bool known = false;
      if (const auto found = wanted.properties.find(name); found != wanted.properties.end()) {
        known = true;
        check(found->second, body.members[i], member.value);
      }
      for (const auto& [pattern, number] : wanted.pattern_properties) {
        if (!pattern->search(name)) continue;
        known = true;
        check(number, body.members[i], member.value);
      }
      if (!known && wanted.additional) check(*wanted.additional, body.members[i], member.value);
    }
  }
  void check_list(const JsonSchema::Node& wanted, const Body& body, const config::Node& node) {
    check_count(body.members.size(), wanted.min_items, wanted.max_items, "item", body, node);
    for (std::size_t i = 0; i < body.members.size(); ++i) {
      if (i < wanted.prefix_items.size()) {
        check(wanted.prefix_items[i], body.members[i], node.items()[i]);
      } else if (wanted.items) {
        check(*wanted.items, body.members[i], node.items()[i]);
      }
    }
  }

  const JsonSchema& schema_;
  const std::string& name_;
  Configured& configured_;
  config::Diagnostics& diagnostics_;
};

}  // namespace

void RuleCompiler::read_schema(const SendOptions& options, const KnownSink& sink, Send& send) {
  const bool own = !options.schema.value.empty();
  const config::Located<std::filesystem::path>& named = own ? options.schema : sink.schema;
  if (named.value.empty()) {
    if (options.enforce) {
      diagnostics_.error(options.to.mark, options.to.length, "`enforce` without a `schema`");
    }
    return;
  }
  struct {
    config::Mark mark;
    std::size_t length;
  } const at{own ? named.mark : options.to.mark, own ? named.length : options.to.length};
  send.schema_name = named.value.filename().string();
  send.enforce = options.enforce || (sink.enforce && !own) || input_.enforce_schemas;
  const auto known = schemas_.find(named.value);
  send.schema = known != schemas_.end() ? known->second : load_schema(named);
  if (known == schemas_.end()) schemas_.emplace(named.value, send.schema);
  if (!send.schema) return;
  if (send.format == BodyFormat::raw) {
    diagnostics_.error(at.mark, at.length, send.schema_name + ": a raw body is not held against a schema");
    return;
  }
  StaticCheck check(*send.schema, send.schema_name, configured_, diagnostics_);
  if (send.body) {
    check.check(0, *send.body, options.body);
  } else if (!options.body.present()) {
    check.check_document(at.mark, at.length);
  }
}

std::shared_ptr<const JsonSchema> RuleCompiler::load_schema(const config::Located<std::filesystem::path>& named) {
  const std::filesystem::path& path = named.value;
  const auto fault = [&](const std::string& what) {
    diagnostics_.error(named.mark, named.length, path.filename().string() + ": " + what);
    return nullptr;
  };
  Result<Value> document = fail(Errc::invalid, "");
  if (path.extension() == ".yaml" || path.extension() == ".yml") {
    const std::size_t errors = diagnostics_.error_count();
    const config::Document yaml = config::Document::load_file(path, config::Node(), diagnostics_);
    if (diagnostics_.error_count() != errors) return nullptr;
    document = value_of(yaml.root());
  } else {
    const Result<std::string> text = diagnostics_.store().read(path, kSchemaBytesMax);
    if (!text) return fault(text.error().what);
    JsonParser parser;
    document = parser.parse(*text);
    if (!document) return fault(document.error().what);
  }
  std::vector<std::string> faults;
  std::shared_ptr<const JsonSchema> schema = JsonSchema::compile(*document, faults);
  for (const std::string& one : faults) fault(one);
  return schema;
}

}  // namespace railhead::routing
