// Fields<Options>: one table of an options struct is its parser, its bounds, its defaults, its page in the reference
// and its JSON Schema. The members' initialisers are the defaults. gateway/config/README.md shows how to add a field.
//
//   const Fields<FileOptions>& file_fields() {
//     static const Fields<FileOptions> fields = Fields<FileOptions>("file sink", "Appends one JSON document a line.")
//         .required("path", &FileOptions::path, {.sentence = "Where to write; - is standard output.", .example =
//         "records.jsonl"}) .optional("rotate", &FileOptions::rotate, {.sentence = "Begin a new file at this size.",
//         .min = "64 KiB"});
//     return fields;
//   }
//
// Members: bool, integers, double, std::string, Duration, ByteSize, Rate, Decimal, Secret, std::filesystem::path (made
// relative to its file), Node (kept for own reading), enums by choice(), nested structs by table(); each also in
// std::optional, std::vector, std::map<std::string, ...> and Located<...>, nested as you like.
// Errors:  read() reports every mistake at once and leaves that member at its default.
// Threads: a finished table is immutable.
#pragma once

#include <concepts>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gateway/config/document.h"
#include "gateway/config/scalars.h"

namespace railhead::config {

class Reference;

// An inclusive bound: a number, or a text in the field's own notation ("100 ms", "64 KiB"). Default: none.
class Bound {
 public:
  Bound() = default;
  template <class T>
  requires std::integral<T> &&(!std::same_as<T, bool>)Bound(T number) : text_(std::to_string(number)) {}
  Bound(double number);
  template <class Rep, class Period>
  Bound(std::chrono::duration<Rep, Period> duration)
      : text_(std::to_string(std::chrono::duration_cast<Duration>(duration).count()) + " ns") {}
  Bound(ByteSize size);
  Bound(const char* text) : text_(text) {}
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Our name for what others call so, or "": for hints.
using Meant = std::string_view (*)(std::string_view foreign);

// What else there is to say of a field. All texts are literals.
struct FieldDoc {
  std::string_view sentence = {};
  std::string_view example = {};
  Bound min = {};  // of numbers and quantities
  Bound max = {};
  std::string_view unit = {};                            // of a plain number: "registers"
  bool required = false;                                 // for table(), choice() and raw(); required() sets it
  bool restart = false;                                  // a change needs a restart (S31)
  bool not_empty = false;                                // of texts, lists and maps
  std::string (*check)(std::string_view) = nullptr;      // of a text: what is wrong, or ""
  std::string (*key_check)(std::string_view) = nullptr;  // of a map's keys
  Meant meant = nullptr;                                 // of a choice: for the hint when it is none
};

template <class E>
struct Choice {
  std::string_view name;
  E value;
};

// The erased core: what a type is and how a node becomes one. fields.cpp holds all the work; the templates below only
// name types.
class Shape;
using ShapePtr = std::shared_ptr<const Shape>;
class FieldsCore;

template <class T>
[[nodiscard]] ShapePtr scalar_shape();
template <>
ShapePtr scalar_shape<bool>();
template <>
ShapePtr scalar_shape<std::int8_t>();
template <>
ShapePtr scalar_shape<std::int16_t>();
template <>
ShapePtr scalar_shape<std::int32_t>();
template <>
ShapePtr scalar_shape<std::int64_t>();
template <>
ShapePtr scalar_shape<std::uint8_t>();
template <>
ShapePtr scalar_shape<std::uint16_t>();
template <>
ShapePtr scalar_shape<std::uint32_t>();
template <>
ShapePtr scalar_shape<std::uint64_t>();
template <>
ShapePtr scalar_shape<double>();
template <>
ShapePtr scalar_shape<std::string>();
template <>
ShapePtr scalar_shape<Duration>();
template <>
ShapePtr scalar_shape<ByteSize>();
template <>
ShapePtr scalar_shape<Rate>();
template <>
ShapePtr scalar_shape<Decimal>();
template <>
ShapePtr scalar_shape<Secret>();
template <>
ShapePtr scalar_shape<std::filesystem::path>();
template <>
ShapePtr scalar_shape<Node>();

struct OptionalSteps {
  void* (*emplace)(void* optional);
  void (*reset)(void* optional);
  const void* (*get)(const void* optional);  // nullptr when empty
};
struct ListSteps {
  void (*clear)(void* list);
  void* (*append)(void* list);
  std::size_t (*size)(const void* list);
  const void* (*at)(const void* list, std::size_t index);
};
struct MapSteps {
  void (*clear)(void* map);
  void* (*insert)(void* map, std::string key);
  std::size_t (*size)(const void* map);
};
struct LocatedSteps {
  void* (*value)(void* located);
  void (*place)(void* located, const Mark& mark, std::size_t length);
};
[[nodiscard]] ShapePtr optional_shape(ShapePtr inner, const OptionalSteps& steps);
[[nodiscard]] ShapePtr list_shape(ShapePtr inner, const ListSteps& steps);
[[nodiscard]] ShapePtr map_shape(ShapePtr inner, const MapSteps& steps);
[[nodiscard]] ShapePtr located_shape(ShapePtr inner, const LocatedSteps& steps);
[[nodiscard]] ShapePtr choice_shape(std::vector<std::pair<std::string_view, std::int64_t>> choices, std::size_t bytes);
[[nodiscard]] ShapePtr table_shape(std::shared_ptr<const FieldsCore> fields);

// Wrap<vector<optional<T>>>: Inner is T; around() builds the shapes of the containers around T's.
template <class T>
struct Wrap {
  using Inner = T;
  static ShapePtr around(ShapePtr inner) { return inner; }
};
template <class T>
struct Wrap<std::optional<T>> {
  using Inner = typename Wrap<T>::Inner;
  static ShapePtr around(ShapePtr inner) {
    static constexpr OptionalSteps kSteps{
        [](void* o) -> void* { return &static_cast<std::optional<T>*>(o)->emplace(); },
        [](void* o) { static_cast<std::optional<T>*>(o)->reset(); },
        [](const void* o) -> const void* {
          const auto& optional = *static_cast<const std::optional<T>*>(o);
          return optional ? &*optional : nullptr;
        }};
    return optional_shape(Wrap<T>::around(std::move(inner)), kSteps);
  }
};
template <class T>
struct Wrap<std::vector<T>> {
  static_assert(!std::same_as<T, bool>, "a vector<bool> has no elements to point at");
  using Inner = typename Wrap<T>::Inner;
  static ShapePtr around(ShapePtr inner) {
    static constexpr ListSteps kSteps{
        [](void* l) { static_cast<std::vector<T>*>(l)->clear(); },
        [](void* l) -> void* { return &static_cast<std::vector<T>*>(l)->emplace_back(); },
        [](const void* l) { return static_cast<const std::vector<T>*>(l)->size(); },
        [](const void* l, std::size_t i) -> const void* { return &(*static_cast<const std::vector<T>*>(l))[i]; }};
    return list_shape(Wrap<T>::around(std::move(inner)), kSteps);
  }
};
template <class T, class... Rest>
struct Wrap<std::map<std::string, T, Rest...>> {
  using Inner = typename Wrap<T>::Inner;
  using Map = std::map<std::string, T, Rest...>;
  static ShapePtr around(ShapePtr inner) {
    static constexpr MapSteps kSteps{
        [](void* m) { static_cast<Map*>(m)->clear(); },
        [](void* m, std::string key) -> void* { return &(*static_cast<Map*>(m))[std::move(key)]; },
        [](const void* m) { return static_cast<const Map*>(m)->size(); }};
    return map_shape(Wrap<T>::around(std::move(inner)), kSteps);
  }
};
template <class T>
struct Wrap<Located<T>> {
  using Inner = typename Wrap<T>::Inner;
  static ShapePtr around(ShapePtr inner) {
    static constexpr LocatedSteps kSteps{[](void* l) -> void* { return &static_cast<Located<T>*>(l)->value; },
                                         [](void* l, const Mark& mark, std::size_t length) {
                                           static_cast<Located<T>*>(l)->mark = mark;
                                           static_cast<Located<T>*>(l)->length = length;
                                         }};
    return located_shape(Wrap<T>::around(std::move(inner)), kSteps);
  }
};

// Made with `new`, filled by Fields, then read through a pointer to the options struct.
[[nodiscard]] std::shared_ptr<FieldsCore> new_fields(std::string_view title, std::string_view sentence);
void add_field(FieldsCore& fields, std::string_view name, ShapePtr shape, std::ptrdiff_t offset, FieldDoc doc,
               const void* defaults);
void add_others(FieldsCore& fields, std::string_view name, ShapePtr inner, const MapSteps& steps, std::ptrdiff_t offset,
                FieldDoc doc);
void add_mark(FieldsCore& fields, std::ptrdiff_t offset);
void add_exclusive(FieldsCore& fields, std::vector<std::string_view> names, bool one_is_due);
void set_meant(FieldsCore& fields, Meant meant);
void read_fields(const FieldsCore& fields, const Node& node, void* options, Diagnostics& diagnostics);
void describe_fields(const std::shared_ptr<const FieldsCore>& fields, Reference& reference);

template <class Options>
class Fields {
 public:
  // "kafka sink", and one sentence on what it does.
  Fields(std::string_view title, std::string_view sentence) : core_(new_fields(title, sentence)) {}

  template <class M, class C>
  Fields& required(std::string_view name, M C::*member, FieldDoc doc = {}) {
    doc.required = true;
    return optional(name, member, std::move(doc));
  }
  template <class M, class C>
  Fields& optional(std::string_view name, M C::*member, FieldDoc doc = {}) {
    return add(name, member, Wrap<M>::around(scalar_shape<typename Wrap<M>::Inner>()), std::move(doc));
  }
  // Fields that several tables have: `add` is called with this one.
  template <class Add>
  Fields& with(const Add& add) {
    add(*this);
    return *this;
  }
  template <class M, class C>
  Fields& choice(std::string_view name, M C::*member,
                 std::initializer_list<Choice<std::type_identity_t<typename Wrap<M>::Inner>>> choices,
                 FieldDoc doc = {}) {
    using E = typename Wrap<M>::Inner;
    static_assert(std::is_enum_v<E>);
    std::vector<std::pair<std::string_view, std::int64_t>> named;
    for (const auto& choice : choices) named.emplace_back(choice.name, static_cast<std::int64_t>(choice.value));
    return add(name, member, Wrap<M>::around(choice_shape(std::move(named), sizeof(E))), std::move(doc));
  }
  template <class M, class C, class Sub>
  Fields& table(std::string_view name, M C::*member, const Fields<Sub>& fields, FieldDoc doc = {}) {
    static_assert(std::same_as<typename Wrap<M>::Inner, Sub>);
    return add(name, member, Wrap<M>::around(table_shape(fields.core())), std::move(doc));
  }
  template <class C>
  Fields& raw(std::string_view name, Node C::*member, FieldDoc doc = {}) {
    return add(name, member, scalar_shape<Node>(), std::move(doc));
  }
  // Every name the table does not know goes here, instead of being an error; `name` stands for them in the reference.
  template <class T, class C>
  Fields& others(std::string_view name, std::map<std::string, T> C::*member, FieldDoc doc = {}) {
    static constexpr MapSteps kSteps{
        [](void* m) { static_cast<std::map<std::string, T>*>(m)->clear(); },
        [](void* m, std::string key) -> void* { return &(*static_cast<std::map<std::string, T>*>(m))[std::move(key)]; },
        [](const void* m) { return static_cast<const std::map<std::string, T>*>(m)->size(); }};
    add_others(*core_, name, Wrap<T>::around(scalar_shape<typename Wrap<T>::Inner>()), kSteps, offset_of(member),
               std::move(doc));
    return *this;
  }
  // Where the table itself was written.
  template <class C>
  Fields& marked(Mark C::*member) {
    add_mark(*core_, offset_of(member));
    return *this;
  }
  // Of these fields exactly one, or at most one, may be written.
  Fields& exactly_one(std::vector<std::string_view> names) {
    add_exclusive(*core_, std::move(names), true);
    return *this;
  }
  Fields& at_most_one(std::vector<std::string_view> names) {
    add_exclusive(*core_, std::move(names), false);
    return *this;
  }

  // What somebody means who writes a name that the table does not know.
  Fields& meant(Meant of) {
    set_meant(*core_, of);
    return *this;
  }

  // An absent node gives the defaults without a word; an empty one (`spool:`) is an empty table.
  [[nodiscard]] Options read(const Node& node, Diagnostics& diagnostics) const {
    Options options{};
    read_fields(*core_, node, &options, diagnostics);
    return options;
  }
  void describe(Reference& reference) const { describe_fields(core_, reference); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> core() const { return core_; }

 private:
  template <class M, class C>
  Fields& add(std::string_view name, M C::*member, ShapePtr shape, FieldDoc doc) {
    add_field(*core_, name, std::move(shape), offset_of(member), std::move(doc), &(defaults_.*member));
    return *this;
  }
  template <class M, class C>
  [[nodiscard]] std::ptrdiff_t offset_of(M C::*member) const {
    static_assert(std::derived_from<Options, C>);
    return reinterpret_cast<const char*>(&(defaults_.*member)) - reinterpret_cast<const char*>(&defaults_);
  }

  Options defaults_{};
  std::shared_ptr<FieldsCore> core_;
};

}  // namespace railhead::config
