// Texts, paths, secrets, choices, and nodes kept as they are.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/config/scalar_shape.h"

namespace railhead::config {
namespace {

// False after reporting what the field's own check says.
bool passes(const Written& written, const FieldContext& context) {
  if (context.doc.not_empty && written.text.empty()) {
    context.error(written.node, "the text is empty");
    return false;
  }
  if (context.doc.check == nullptr) return true;
  const std::string fault = context.doc.check(written.text);
  if (!fault.empty()) context.error(written.node, fault);
  return fault.empty();
}
class TextShape : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a text"; }
  [[nodiscard]] std::string plural() const override { return "texts"; }
  [[nodiscard]] std::string show(const void* value) const override { return *static_cast<const std::string*>(value); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (passes(written, context)) *static_cast<std::string*>(target) = written.text;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = Json::list({"string", "number", "boolean"});
    if (doc.not_empty) json["minLength"] = Json::number(1);
    return json;
  }
};

class PathShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a path"; }
  [[nodiscard]] std::string plural() const override { return "paths"; }
  [[nodiscard]] std::string show(const void* value) const override {
    return static_cast<const std::filesystem::path*>(value)->string();
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (written.text.empty()) {
      context.error(written.node, "the path is empty");
    } else if (passes(written, context)) {
      *static_cast<std::filesystem::path*>(target) = written.node.resolve(written.text);
    }
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["type"] = "string";
    json["minLength"] = Json::number(1);
    return json;
  }
};

class SecretShape final : public ScalarShape {
 public:
  void read(const Node& node, void* target, const FieldContext& context) const override {
    if (!is_indirect(node)) {
      ScalarShape::read(node, target, context);
      return;
    }
    const Member& member = node.members()[0];
    const bool in_file = member.name() == "file";
    Secret secret = in_file ? Secret::in_file(member.value.resolve(member.value.text()))
                            : Secret::in_environment(std::string(member.value.text()));
    // Why a warning: a configuration is checked on other machines than the one that has the secret.
    if (const Result<std::string> now = secret.read(); !now)
      context.diagnostics.warning(member.value, now.error().what);
    *static_cast<Secret*>(target) = std::move(secret);
  }
  [[nodiscard]] std::string type() const override { return "a secret"; }
  [[nodiscard]] bool is_secret() const override { return true; }
  [[nodiscard]] std::string show(const void*) const override { return {}; }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    context.diagnostics.warning(written.node, std::string(context.name) + ": a secret in plain text",
                                "write { file: path } or { env: NAME }");
    *static_cast<Secret*>(target) = Secret::plain(std::string(written.text));
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["type"] = "string";
    return json;
  }
};

class ChoiceShape final : public ScalarShape {
 public:
  ChoiceShape(std::vector<std::pair<std::string_view, std::int64_t>> choices, std::size_t bytes)
      : choices_(std::move(choices)), bytes_(bytes) {}
  [[nodiscard]] std::string type() const override { return "one of " + names(); }
  [[nodiscard]] std::string plural() const override { return "choices (" + names() + ")"; }
  [[nodiscard]] std::string show(const void* value) const override {
    for (const auto& [name, number] : choices_) {
      if (same(value, number)) return std::string(name);
    }
    return {};
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    std::vector<std::string> known;
    for (const auto& [name, number] : choices_) {
      known.emplace_back(name);
      if (name != written.text) continue;
      store(target, number);
      return;
    }
    auto near = base::nearest(written.text, known);
    if (context.doc.meant != nullptr && !context.doc.meant(written.text).empty()) {
      near = context.doc.meant(written.text);
    }
    context.error(written.node, "'" + std::string(written.text) + "' is not " + type(),
                  near ? "did you mean '" + *near + "'?" : "");
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["enum"] = Json::list();
    for (const auto& [name, number] : choices_) json["enum"].append(name);
    return json;
  }

 private:
  [[nodiscard]] std::string names() const {
    std::string all;
    for (const auto& [name, number] : choices_) all += (all.empty() ? "" : ", ") + std::string(name);
    return all;
  }
  void store(void* target, std::int64_t number) const {
    const auto put = [&](auto narrow) { std::memcpy(target, &narrow, sizeof narrow); };
    switch (bytes_) {
      case 1: put(static_cast<std::int8_t>(number)); break;
      case 2: put(static_cast<std::int16_t>(number)); break;
      case 4: put(static_cast<std::int32_t>(number)); break;
      default: RAILHEAD_ASSERT(bytes_ == 8); put(number);
    }
  }
  [[nodiscard]] bool same(const void* value, std::int64_t number) const {
    std::array<char, 8> stored{};
    store(stored.data(), number);
    return std::memcmp(stored.data(), value, bytes_) == 0;
  }

  std::vector<std::pair<std::string_view, std::int64_t>> choices_;
  std::size_t bytes_;
};

class NodeShape final : public Shape {
 public:
  void read(const Node& node, void* target, const FieldContext&) const override { *static_cast<Node*>(target) = node; }
  [[nodiscard]] std::string type() const override { return "see below"; }
  [[nodiscard]] std::string plural() const override { return "values"; }
  [[nodiscard]] std::string show(const void*) const override { return {}; }
  [[nodiscard]] Json schema(const FieldDoc&) const override { return {}; }
};
}  // namespace

template <>
ShapePtr scalar_shape<std::string>() {
  return shared<TextShape>();
}
template <>
ShapePtr scalar_shape<Secret>() {
  return shared<SecretShape>();
}
template <>
ShapePtr scalar_shape<std::filesystem::path>() {
  return shared<PathShape>();
}
template <>
ShapePtr scalar_shape<Node>() {
  return shared<NodeShape>();
}

ShapePtr choice_shape(std::vector<std::pair<std::string_view, std::int64_t>> choices, std::size_t bytes) {
  return std::make_shared<const ChoiceShape>(std::move(choices), bytes);
}

}  // namespace railhead::config
