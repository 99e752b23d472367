#include "gateway/config/fields.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace railhead::config {
namespace {

enum class Quality : std::uint8_t { good, bad };
enum class Wide : std::int64_t { low = -1, high = std::int64_t{1} << 40 };

struct Inner {
  int count = 3;
  std::string name = "inner";
  Mark mark;
};

struct Options {
  bool on = false;
  std::int8_t small = 0;
  std::int64_t large = 0;
  std::uint16_t port = 502;
  std::uint64_t huge = 0;
  double ratio = 0.5;
  std::string text = "plain";
  Duration timeout = std::chrono::milliseconds{500};
  ByteSize limit{1024};
  Rate rate;
  Decimal scale{1, 0};
  Secret password;
  std::filesystem::path file;
  Quality quality = Quality::good;
  Wide wide = Wide::low;
  std::vector<Quality> qualities;
  Inner inner;
  std::optional<Inner> maybe;
  std::vector<Inner> list;
  std::map<std::string, Inner> map;
  std::optional<int> number;
  std::vector<std::string> texts;
  std::map<std::string, std::vector<int>> numbers;
  Located<std::string> to;
  Node node;
};

std::string no_blank(std::string_view text) { return text.find(' ') == std::string_view::npos ? "" : "a blank in it"; }

const Fields<Inner>& inner_fields() {
  static const Fields<Inner> fields = Fields<Inner>("inner", "An inner table.")
                                          .optional("count", &Inner::count, {.min = 1, .max = 5})
                                          .optional("name", &Inner::name)
                                          .marked(&Inner::mark);
  return fields;
}

const Fields<Options>& all_fields() {
  static const Fields<Options> fields =
      Fields<Options>("test", "All types.")
          .optional("on", &Options::on)
          .optional("small", &Options::small)
          .optional("large", &Options::large)
          .optional("port", &Options::port, {.min = 1})
          .optional("huge", &Options::huge)
          .optional("ratio", &Options::ratio, {.min = 0.0, .max = 1.0})
          .optional("text", &Options::text, {.not_empty = true, .check = no_blank})
          .optional("timeout", &Options::timeout, {.min = std::chrono::milliseconds{10}, .max = "1 h"})
          .optional("limit", &Options::limit, {.min = ByteSize{64}})
          .optional("rate", &Options::rate)
          .optional("scale", &Options::scale)
          .optional("password", &Options::password)
          .optional("file", &Options::file)
          .choice(
              "quality", &Options::quality, {{"good", Quality::good}, {"bad", Quality::bad}},
              {.meant = [](std::string_view foreign) -> std::string_view { return foreign == "fine" ? "good" : ""; }})
          .choice("wide", &Options::wide, {{"low", Wide::low}, {"high", Wide::high}})
          .choice("qualities", &Options::qualities, {{"good", Quality::good}, {"bad", Quality::bad}})
          .table("inner", &Options::inner, inner_fields())
          .table("maybe", &Options::maybe, inner_fields())
          .table("list", &Options::list, inner_fields())
          .table("map", &Options::map, inner_fields(), {.key_check = name_fault})
          .optional("number", &Options::number)
          .optional("texts", &Options::texts)
          .optional("numbers", &Options::numbers)
          .optional("to", &Options::to)
          .raw("node", &Options::node)
          .meant([](std::string_view foreign) -> std::string_view { return foreign == "socket" ? "port" : ""; });
  return fields;
}

template <class T>
struct Reading {
  T options;
  std::string said;  // "" or "line:column: message; hint", one a line
  Document document;
};

template <class T>
Reading<T> read(const Fields<T>& fields, std::string_view text) {
  Diagnostics diagnostics;
  Document document = Document::parse(text, "conf/test.yaml", diagnostics);
  Reading<T> reading{fields.read(document.root(), diagnostics), {}, std::move(document)};
  for (const Diagnostic& diagnostic : diagnostics.sorted()) {
    if (!reading.said.empty()) reading.said += '\n';
    reading.said += std::to_string(diagnostic.mark.line) + ":" + std::to_string(diagnostic.mark.column) + ": ";
    reading.said += diagnostic.message;
    if (!diagnostic.hint.empty()) reading.said += "; " + diagnostic.hint;
  }
  return reading;
}

Reading<Options> read(std::string_view text) { return read(all_fields(), text); }

TEST_CASE("each type is read from its notation") {
  CHECK(read("on: true").options.on);
  CHECK(read("small: -128").options.small == -128);
  CHECK(read("large: -9223372036854775808").options.large == std::numeric_limits<std::int64_t>::min());
  CHECK(read("huge: 18446744073709551615").options.huge == std::numeric_limits<std::uint64_t>::max());
  CHECK(read("port: 65535").options.port == 65535);
  CHECK(read("port: 0x1F").options.port == 31);
  CHECK(read("ratio: 0.25").options.ratio == 0.25);
  CHECK(read("ratio: 1").options.ratio == 1.0);
  CHECK(read("text: 'a''b'").options.text == "a'b");
  CHECK(read("text: 5").options.text == "5");
  CHECK(read("timeout: 1.5 s").options.timeout == std::chrono::milliseconds{1500});
  CHECK(read("timeout: '20 ms'").options.timeout == std::chrono::milliseconds{20});
  CHECK(read("limit: 2 GiB").options.limit == ByteSize{std::uint64_t{2} << 30});
  CHECK(read("rate: 120/min").options.rate == Rate{2});
  CHECK(read("scale: 0.10").options.scale == Decimal{1, -1});
  CHECK(read("quality: bad").options.quality == Quality::bad);
  CHECK(read("wide: high").options.wide == Wide::high);
  CHECK(read("qualities: [bad, good]").options.qualities == std::vector{Quality::bad, Quality::good});
  CHECK(read("number: 7").options.number == 7);
  CHECK(read("texts: [a, b]").options.texts == std::vector<std::string>{"a", "b"});
  CHECK(read("numbers: { a: [1, 2], b: [] }").options.numbers ==
        std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
}

TEST_CASE("what is not written keeps the members' initialisers") {
  const Options options = read("on: true").options;
  CHECK(options.port == 502);
  CHECK(options.timeout == std::chrono::milliseconds{500});
  CHECK_FALSE(options.maybe);
  CHECK_FALSE(options.number);
  CHECK_FALSE(options.password.present());
  CHECK_FALSE(options.node.present());
}

TEST_CASE("tables nest in optional, list and map") {
  const auto reading = read(
      "inner: { count: 4 }\n"
      "maybe: { name: x }\n"
      "list:\n  - count: 1\n  - {}\n"
      "map:\n  a: { count: 2 }\n");
  CHECK(reading.said == "");
  CHECK(reading.options.inner.count == 4);
  CHECK(reading.options.inner.name == "inner");
  REQUIRE(reading.options.maybe);
  CHECK(reading.options.maybe->name == "x");
  REQUIRE(reading.options.list.size() == 2);
  CHECK(reading.options.list[0].count == 1);
  CHECK(reading.options.list[1].count == 3);
  CHECK(reading.options.list[0].mark.line == 4);
  CHECK(reading.options.list[0].mark.column == 5);
  CHECK(reading.options.map.at("a").count == 2);
}

TEST_CASE("an empty table is a table, an absent one is its defaults") {
  CHECK(read("inner:").said == "");
  CHECK(read("maybe:").options.maybe);
  Diagnostics diagnostics;
  CHECK(all_fields().read(Node(), diagnostics).port == 502);
  CHECK_FALSE(diagnostics.has_errors());
}

TEST_CASE("a path is relative to the file it stands in") {
  CHECK(read("file: a/b.csv").options.file == "conf/a/b.csv");
  CHECK(read("file: ../b.csv").options.file == "b.csv");
  CHECK(read("file: /a").options.file == "/a");
  CHECK(read("file: '-'").options.file == "-");
}

TEST_CASE("Located keeps the place") {
  const auto reading = read("to: plant");
  CHECK(reading.options.to.value == "plant");
  CHECK(reading.options.to.mark.line == 1);
  CHECK(reading.options.to.mark.column == 5);
  CHECK(reading.options.to.length == 5);
}

TEST_CASE("a raw node is kept") {
  const auto reading = read("node: { a: [1, 2] }");
  CHECK(reading.options.node.find("a").items()[1].text() == "2");
}

// Error paths

TEST_CASE("a mistake is said with its place, and leaves the default") {
  struct Row {
    std::string_view text;
    std::string_view said;
  };
  constexpr Row kRows[] = {
      {"on: yes", "1:5: on: expected true or false, not 'yes'; write true"},
      {"on: Off", "1:5: on: expected true or false, not 'Off'; write false"},
      {"on: 'true'", "1:5: on: expected true or false, not a text in quotes; without the quotes: true"},
      {"small: 128", "1:8: small: 128 is out of range: between -128 and 127"},
      {"port: -1", "1:7: port: -1 is too small: at least 1"},
      {"port: 65536", "1:7: port: 65536 is out of range: between 0 and 65535"},
      {"port: 0", "1:7: port: 0 is too small: at least 1"},
      {"port: 010", "1:7: port: a number with a leading 0 may be read as octal; write it without the 0, in decimal"},
      {"port: 0xFFFFF", "1:7: port: 1048575 is out of range: between 0 and 65535"},
      {"port: 0x", "1:7: port: expected a whole number, not '0x'; without a unit"},
      {"port: 0x1G", "1:7: port: expected a whole number, not '0x1G'; without a unit"},
      {"port: 1_000", "1:7: port: expected a whole number, not '1_000'; without '_'"},
      {"port: 5 s", "1:7: port: expected a whole number, not '5 s'; without a unit"},
      {"port: 1.5", "1:7: port: expected a whole number, not '1.5'"},
      {"port: '80'", "1:7: port: expected a whole number, not a text in quotes; without the quotes: 80"},
      {"huge: 18446744073709551616",
       "1:7: huge: 18446744073709551616 is out of range: between 0 and 18446744073709551615"},
      {"ratio: nan", "1:8: ratio: expected a number, not 'nan'"},
      {"ratio: .inf", "1:8: ratio: expected a number, not '.inf'"},
      {"ratio: '1'", "1:8: ratio: expected a number, not a text in quotes; without the quotes: 1"},
      {"ratio: 1,5", "1:8: ratio: expected a number, not '1,5'; the decimal sign is '.'"},
      {"ratio: 1.5", "1:8: ratio: 1.5 is too large: between 0 and 1"},
      {"text: ''", "1:7: text: the text is empty"},
      {"text: a b", "1:7: text: a blank in it"},
      {"text:", "1:1: text: no value, a text is due"},
      {"timeout: 500", "1:10: timeout: a duration needs a unit, like 500 ms; units are ns us ms s min h d"},
      {"timeout: 5 sec", "1:10: timeout: no unit 'sec' for a duration; did you mean 's'? units are ns us ms s min h d"},
      {"timeout: 2 ms", "1:10: timeout: 2 ms is too small: between 10 ms and 1 h"},
      {"timeout: 2 h", "1:10: timeout: 2 h is too large: between 10 ms and 1 h"},
      {"timeout: -2 s", "1:10: timeout: a duration cannot be negative"},
      {"timeout: often", "1:10: timeout: expected a duration like 500 ms, not 'often'"},
      {"timeout: [1 s]", "1:10: timeout: expected a duration, not a list"},
      {"limit: 5", "1:8: limit: a size needs a unit, like 5 MiB; units are B KiB MiB GiB TiB kB MB GB TB"},
      {"limit: 5 B", "1:8: limit: 5 B is too small: at least 64 B"},
      {"rate: 5", "1:7: rate: a rate needs a unit, like 5/s; units are /s /min /h"},
      {"rate: 5/day", "1:7: rate: no unit '/day' for a rate; units are /s /min /h"},
      {"scale: 1e99", "1:8: scale: expected a decimal number like 0.1, of at most 18 digits, not '1e99'"},
      {"quality: fine", "1:10: quality: 'fine' is not one of good, bad; did you mean 'good'?"},
      {"socket: 5", "1:1: unknown field 'socket' in test; did you mean 'port'?"},
      {"quality: god", "1:10: quality: 'god' is not one of good, bad; did you mean 'good'?"},
      {"qualities: good", "1:12: qualities: expected a list of choices (good, bad), not a text; write [good]"},
      {"texts: { a: b }", "1:8: texts: expected a list of texts, not a map"},
      {"texts: [a, [b]]", "1:12: texts: expected a text, not a list"},
      {"inner: 5", "1:8: inner is a map of fields, not a text; like { count: 5 }"},
      {"list: [5]", "1:8: inner is a map of fields, not a text; like { count: 5 }"},
      {"map: { 'a b': {} }", "1:8: map: a name is made of letters, digits, '_', '.' and '-'"},
      {"inner: { count: 9 }", "1:17: count: 9 is too large: between 1 and 5"},
      {"prot: 5", "1:1: unknown field 'prot' in test; did you mean 'port'?"},
      {"port: 1\nport: 2", "2:1: 'port' stands here a second time; the first is at conf/test.yaml:1:1"},
      {"password: secret", "1:11: password: a secret in plain text; write { file: path } or { env: NAME }"},
  };
  for (const Row& row : kRows) {
    INFO(row.text);
    CHECK(read(row.text).said == row.said);
  }
  CHECK(read("list: [5]").options.list.size() == 1);
  CHECK(read("port: 70000").options.port == 502);
  CHECK_FALSE(read("number: x").options.number);
}

TEST_CASE("every mistake is said at once") {
  const std::string said = read("on: yes\nport: 0\nprot: 5\ninner: { count: 9, nam: a }\n").said;
  CHECK(std::count(said.begin(), said.end(), '\n') == 4);
}

struct Few {
  std::string url;
  int a = 0;
  int b = 0;
  std::map<std::string, Node> rest;
};

TEST_CASE("required fields, and a misspelt one is not missing too") {
  static const Fields<Few> fields = Fields<Few>("few", "").required("url", &Few::url, {.example = "tcp://host:502"});
  CHECK(read(fields, "{}").said == "1:1: few needs the field 'url'; like url: tcp://host:502");
  CHECK(read(fields, "ulr: a").said == "1:1: unknown field 'ulr' in few; did you mean 'url'?");
  CHECK(read(fields, "url: a").said == "");
}

TEST_CASE("fields that exclude each other") {
  static const Fields<Few> one =
      Fields<Few>("few", "").optional("a", &Few::a).optional("b", &Few::b).exactly_one({"a", "b"});
  CHECK(read(one, "{}").said == "1:1: few needs one of a, b");
  CHECK(read(one, "{ a: 1, b: 2 }").said == "1:9: 'a' and 'b' exclude each other; one of a, b");
  CHECK(read(one, "a: 1").said == "");
  static const Fields<Few> most =
      Fields<Few>("few", "").optional("a", &Few::a).optional("b", &Few::b).at_most_one({"a", "b"});
  CHECK(read(most, "{}").said == "");
  CHECK(read(most, "{ a: 1, b: 2 }").said == "1:9: 'a' and 'b' exclude each other; one of a, b");
}

TEST_CASE("unknown names may go into a map") {
  static const Fields<Few> fields = Fields<Few>("few", "").optional("a", &Few::a).others("<point>", &Few::rest);
  const auto reading = read(fields, "{ value.x: 1 %, a: 2 }");
  CHECK(reading.said == "");
  CHECK(reading.options.a == 2);
  REQUIRE(reading.options.rest.size() == 1);
  CHECK(reading.options.rest.at("value.x").text() == "1 %");
}

}  // namespace
}  // namespace railhead::config
