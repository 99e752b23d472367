// RuleCompiler's part that reads `schema` and holds the body against it before anything runs: a required field that
// nobody fills, a field that is not allowed, a type that is known to be wrong.
#include <algorithm>
#include <array>

#include "gateway/message/json.h"
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
  StaticCheck(const JsonSchema& schema, const std::string& name, config::Diagnostics& diagnostics)
      : schema_(schema), name_(name), diagnostics_(diagnostics) {}

  void check(std::size_t number, const Body& body, const config::Node& node, int followed = 0) {
    const JsonSchema::Node& wanted = schema_.node(number);
    if (followed > kFollowMax) return;
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
    if (body.shape == Body::Shape::list && wanted.items && wanted.prefix_items.empty()) {
      for (std::size_t i = 0; i < body.members.size(); ++i) check(*wanted.items, body.members[i], node.items()[i]);
    }
  }

  void check_document(const config::Mark& mark, std::size_t length) {
    for (const std::string& name : schema_.node(0).required) {
      static constexpr std::array<std::string_view, 8> kMembers{"gateway", "source", "device", "time",
                                                                "quality", "value",  "bad",    "attributes"};
      if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
        diagnostics_.error(mark, length,
                           "the consumer requires '" + name + "', which the reading's document does not have",
                           "write a body");
      }
    }
  }

 private:
  void check_map(const JsonSchema::Node& wanted, const Body& body, const config::Node& node) {
    for (const std::string& name : wanted.required) {
      if (!node.find(name).present()) {
        diagnostics_.error(node, "the consumer requires '" + name + "', which " + body.path + " does not fill", name_);
      }
    }
    for (std::size_t i = 0; i < body.members.size(); ++i) {
      const config::Member& member = node.members()[i];
      const auto known = wanted.properties.find(member.name());
      if (known != wanted.properties.end()) {
        check(known->second, body.members[i], member.value);
      } else if (wanted.pattern_properties.empty() && wanted.additional && schema_.node(*wanted.additional).never) {
        diagnostics_.error(member.key, "the consumer's schema does not allow '" + std::string(member.name()) + "'",
                           name_);
      }
    }
  }

  const JsonSchema& schema_;
  const std::string& name_;
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
  StaticCheck check(*send.schema, send.schema_name, diagnostics_);
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
