// Every fuzz target once more, as a test: its committed seeds, then mutations of them. What libFuzzer found once is a
// seed and stays found; what a change breaks grossly is seen without clang. RAILHEAD_FUZZ_SEED=N repeats a run.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/effort.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);

constexpr int kMutationsPerSeed = railhead::test::effort(200, 20);

void run(Target target, const std::string& bytes) {
  REQUIRE(target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) == 0);
}

std::string mutated(std::string bytes, const std::string& other, std::mt19937_64& random) {
  const auto place = [&] { return static_cast<std::size_t>(random() % (bytes.size() + 1)); };
  for (std::uint64_t times = 1 + random() % 4; times > 0; --times) {
    const std::size_t at = place();
    switch (random() % 5) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 1: bytes.resize(at); break;
      case 2: bytes.insert(at, other.substr(0, static_cast<std::size_t>(random() % (other.size() + 1)))); break;
      case 3:
        bytes.insert(at, std::string(static_cast<std::size_t>(random() % 64), static_cast<char>(random())));
        break;
      case 4:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
    }
  }
  return bytes;
}

void replay(Target target, const std::string& name) {
  namespace fs = std::filesystem;
  std::vector<std::string> seeds;
  const fs::path corpus = fs::path(railhead::test::source_directory()) / "tests/fuzz/corpus" / name;
  if (fs::exists(corpus)) {
    for (const fs::directory_entry& file : fs::directory_iterator(corpus)) {
      seeds.push_back(railhead::test::read_file(file.path().string()));
    }
  }
  REQUIRE_MESSAGE(!seeds.empty(), "no seeds in ", corpus.string());
  run(target, "");
  for (const std::string& seed : seeds) run(target, seed);
  std::random_device device;
  const char* const given = std::getenv("RAILHEAD_FUZZ_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : device();
  std::cout << name << ": " << seeds.size() << " seeds, mutations from " << seed << "\n";
  std::mt19937_64 random(seed);
  for (const std::string& one : seeds) {
    for (int i = 0; i < kMutationsPerSeed; ++i) {
      run(target, mutated(one, seeds[static_cast<std::size_t>(random() % seeds.size())], random));
    }
  }
}

TEST_CASE("every fuzz target takes its seeds and mutations of them") {
  // A run that never ends would be found by the time limit of the program.
  static const std::vector<std::pair<std::string, Target>> targets{
#define FUZZ_TARGET(name) {#name, fuzz_##name},
#include "fuzz_targets.inc"
#undef FUZZ_TARGET
  };
  for (const auto& [name, target] : targets) {
    SUBCASE(name.c_str()) { replay(target, name); }
  }
}

}  // namespace
