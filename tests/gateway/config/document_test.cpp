#include "gateway/config/document.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"

namespace railhead::config {
namespace {

namespace fs = std::filesystem;

struct Parsed {
  explicit Parsed(std::string_view text) : document(Document::parse(text, "t.yaml", diagnostics)) {}
  [[nodiscard]] Node at(std::string_view name) const { return document.root().find(name); }
  Diagnostics diagnostics;
  Document document;
};

std::string place(const Mark& mark) { return std::to_string(mark.line) + ":" + std::to_string(mark.column); }

TEST_CASE("nodes know what they are and where they stand") {
  const Parsed yaml(
      "a: 1\n"
      "b:\n"
      "  - x\n"
      "  - 'y'\n"
      "c: { d: ~, e: }\n"
      "f:\n"
      "g: null\n");
  CHECK(yaml.diagnostics.render() == "");
  CHECK(yaml.at("a").is_scalar());
  CHECK(place(yaml.at("a").mark()) == "1:4");
  CHECK(yaml.at("b").is_list());
  CHECK(place(yaml.at("b").items()[1].mark()) == "4:5");
  CHECK(yaml.at("b").items()[1].quoted());
  CHECK_FALSE(yaml.at("b").items()[0].quoted());
  CHECK(yaml.at("c").is_map());
  CHECK(yaml.at("c").writing() == Writing::flow);
  CHECK(place(yaml.at("c").mark()) == "5:4");
  CHECK(yaml.at("c").find("d").is_null());
  CHECK(place(yaml.at("c").find("d").mark()) == "5:9");
  CHECK(place(yaml.at("c").find("e").mark()) == "5:12");
  CHECK(yaml.at("f").is_null());
  CHECK(place(yaml.at("f").mark()) == "6:1");
  CHECK(place(yaml.at("g").mark()) == "7:4");
  CHECK_FALSE(yaml.at("h").present());
  CHECK(yaml.document.root().members()[2].name() == "c");
}

TEST_CASE("an empty item of a list stands at its dash") {
  const Parsed yaml("- a\n-\n- b\n");
  CHECK(place(yaml.document.root().items()[1].mark()) == "2:1");
}

TEST_CASE("a place inside a scalar leads back to the file") {
  const Parsed yaml(
      "plain: abc def\n"
      "single: 'it''s x'\n"
      "double: \"a\\tb\\u00e9c x\"\n"
      "literal: |\n"
      "    one\n"
      "     two\n"
      "folded: >-\n"
      "  one\n"
      "  two\n"
      "\n"
      "  three\n"
      "lines: one\n"
      "  two\n"
      "é: \"é x\"\n");
  REQUIRE(yaml.diagnostics.render() == "");
  const auto find = [&](std::string_view name, std::string_view word) {
    const Node node = yaml.at(name);
    return place(node.mark_at(node.text().find(word)));
  };
  CHECK(find("plain", "def") == "1:12");
  CHECK(find("single", "s x") == "2:14");
  CHECK(find("single", "x") == "2:16");
  CHECK(find("double", "b") == "3:13");
  CHECK(find("double", "c") == "3:20");
  CHECK(find("double", "x") == "3:22");
  CHECK(find("literal", "one") == "5:5");
  CHECK(find("literal", "two") == "6:6");
  CHECK(find("folded", "one") == "8:3");
  CHECK(find("folded", "two") == "9:3");
  CHECK(find("folded", "three") == "11:3");
  CHECK(find("lines", "two") == "13:3");
  CHECK(find("é", "x") == "14:9");  // in bytes; shown as column 7
  CHECK(yaml.diagnostics.where(yaml.at("é").mark_at(3)) == "t.yaml:14:7");
}

TEST_CASE("line ends of Windows and a byte order mark do no harm") {
  const Parsed yaml(
      "\xef\xbb\xbf"
      "a: 1\r\nb: x y\r\n");
  CHECK(yaml.diagnostics.render() == "");
  CHECK(yaml.at("b").text() == "x y");
  CHECK(place(yaml.at("b").mark()) == "2:4");
}

TEST_CASE("reading goes on behind a syntax error") {
  const Parsed yaml("a: \"x\" y\nb: 1\nc: [1\nd: 2\n");
  CHECK(yaml.diagnostics.error_count() == 2);
  CHECK(yaml.at("a").is_broken());
  CHECK(yaml.at("b").text() == "1");
  CHECK(yaml.at("c").is_broken());
  CHECK(yaml.at("d").text() == "2");
}

TEST_CASE("a scalar may look like null and be a text") {
  const Parsed yaml("a: 'null'\nb: \"\"\nc: nullable\n");
  CHECK(yaml.at("a").is_scalar());
  CHECK(yaml.at("b").is_scalar());
  CHECK(yaml.at("c").text() == "nullable");
}

TEST_CASE("a template inside braces needs no quotes") {
  const Parsed yaml(
      "x: { topic: a.${b}.c, key: ${d ? \"e, f\" : m['g']}, list: [${h}, \"${i}\"], last: 1 }\ny: ${z}\n");
  CHECK(yaml.diagnostics.render() == "");
  const Node x = yaml.at("x");
  CHECK(x.find("topic").text() == "a.${b}.c");
  CHECK(x.find("topic").length() == 8);
  CHECK(x.find("key").text() == "${d ? \"e, f\" : m['g']}");
  CHECK(place(x.find("key").mark_at(2)) == "1:30");
  CHECK(x.find("list").items()[0].text() == "${h}");
  CHECK(x.find("list").items()[1].text() == "${i}");
  CHECK(x.find("last").text() == "1");
  CHECK(Parsed("x: { a: ${b, c: 1 }\n").diagnostics.has_errors());
}

// Bounds

TEST_CASE("deep nesting, many nodes, large files and cycles are refused") {
  CHECK(Parsed(std::string(70, '[') + std::string(70, ']')).diagnostics.render().find("nested deeper than 64") !=
        std::string::npos);
  CHECK(Parsed(std::string(200'000, '[')).diagnostics.has_errors());
  std::string many = "[";
  for (std::size_t i = 0; i < kNodesMax; ++i) many += "1,";
  many += "1]";
  CHECK(Parsed(many).diagnostics.render().find("more than 250000 values") != std::string::npos);
  CHECK(Parsed(std::string(kFileBytesMax + 1, ' ')).diagnostics.has_errors());
  CHECK(Parsed("a: &a [*a]\n").diagnostics.has_errors());
}

TEST_CASE("what is no text is refused") {
  CHECK(Parsed(std::string_view("a: \0b", 5)).diagnostics.render().find("control character") != std::string::npos);
  CHECK(Parsed("a: 1\nb: \xff\n").diagnostics.render().find("t.yaml:2:1: error: this line is not UTF-8") == 0);
  CHECK(Parsed("a: \x04\n").diagnostics.has_errors());
}

// Files

class Files {
 public:
  void write(const std::string& name, std::string_view text) {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return std::filesystem::path(directory_.path()) / name; }
  Diagnostics diagnostics;

 private:
  test::TemporaryDirectory directory_;
};

TEST_CASE("a directory is read in the order of its files' names") {
  Files files;
  files.write("c/b.yaml", "rules: [b]\n");
  files.write("c/a.yml", "version: 1\nrules: [a1, a2]\n");
  files.write("c/.hidden.yaml", "x: [\n");
  files.write("c/notes.txt", "x: [\n");
  const Document document = Document::load(files.path("c"), files.diagnostics);
  CHECK(files.diagnostics.render() == "");
  const auto rules = document.root().find("rules").items();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].text() == "a1");
  CHECK(rules[2].text() == "b");
  CHECK(rules[2].resolve("t.csv") == files.path("c/t.csv"));
  CHECK(document.files().size() == 2);
}

TEST_CASE("includes are globs, nest, and name each file once") {
  Files files;
  files.write("main.yaml", "include: 'd/*.yaml'\nrules: [m]\n");
  files.write("d/2.yaml", "rules: [two]\ninclude: [1.yaml, ../main.yaml]\n");
  files.write("d/1.yaml", "rules: [one]\ntables: { t: { file: t.csv } }\n");
  const Document document = Document::load(files.path("main.yaml"), files.diagnostics);
  CHECK(files.diagnostics.render() == "");
  const auto rules = document.root().find("rules").items();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].text() == "m");
  CHECK(rules[1].text() == "one");
  CHECK(rules[2].text() == "two");
  const Node file = document.root().find("tables").find("t").find("file");
  CHECK(file.resolve(file.text()) == files.path("d/t.csv"));
}

TEST_CASE("a file that cannot be read is said where it was named") {
  Files files;
  const Document none = Document::load(files.path("none.yaml"), files.diagnostics);
  CHECK_FALSE(none.root().present());
  CHECK(files.diagnostics.render().find("error: cannot read '") == 0);

  files.diagnostics = Diagnostics();
  files.write("main.yaml", "model: { file: gone.yaml }\n");
  const Document main = Document::load(files.path("main.yaml"), files.diagnostics);
  const Node file = main.root().find("model").find("file");
  const Document model = Document::load_file(file.resolve(file.text()), file, files.diagnostics);
  CHECK_FALSE(model.root().present());
  CHECK(files.diagnostics.render().find("main.yaml:1:16: error: cannot read") != std::string::npos);
}

}  // namespace
}  // namespace railhead::config
