// The arrows of the floor plan are the architecture: every #include of every room is compared with the room's USES and
// FOREIGN lines in CMakeLists.txt, which the build writes to rooms.txt.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/places.h"

namespace {

namespace fs = std::filesystem;

struct Room {
  std::set<std::string> uses;
  std::set<std::string> foreign;
};

std::set<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::set<std::string> result;
  for (std::string word; stream >> word;) result.insert(word);
  return result;
}

std::map<std::string, Room> declared_rooms() {
  std::map<std::string, Room> rooms;
  std::ifstream file(fs::path(railhead::test::build_directory()) / "rooms.txt");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find('|');
    const std::size_t second = line.find('|', first + 1);
    rooms[line.substr(0, first)] = {words(line.substr(first + 1, second - first - 1)), words(line.substr(second + 1))};
  }
  return rooms;
}

// Which library a foreign header belongs to; empty for the language and the operating system.
std::string library_of(const std::string& header) {
  static constexpr std::array<std::pair<const char*, const char*>, 22> prefixes{{{"yaml-cpp/", "yaml"},
                                                                                 {"simdjson", "simdjson"},
                                                                                 {"spdlog/", "spdlog"},
                                                                                 {"fmt/", "spdlog"},
                                                                                 {"openssl/", "openssl"},
                                                                                 {"mqtt/", "paho"},
                                                                                 {"MQTT", "paho"},
                                                                                 {"librdkafka/", "rdkafka"},
                                                                                 {"modbus", "modbus"},
                                                                                 {"amqp", "rabbitmq"},
                                                                                 {"rabbitmq-c/", "rabbitmq"},
                                                                                 {"proton/", "proton"},
                                                                                 {"systemd/", "systemd"},
                                                                                 {"gpiod", "gpiod"},
                                                                                 {"microhttpd", "microhttpd"},
                                                                                 {"CLI/", "cli11"},
                                                                                 {"re2/", "re2"},
                                                                                 {"date/", "date"},
                                                                                 {"msgpack", "msgpack"},
                                                                                 {"cbor", "cbor"},
                                                                                 {"tl/", "expected"},
                                                                                 {"doctest/", "doctest"}}};
  for (const auto& [prefix, library] : prefixes) {
    if (header.starts_with(prefix)) return library;
  }
  return {};
}

std::vector<std::string> violations(const std::map<std::string, Room>& rooms) {
  static const std::regex include(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"])re");
  const fs::path root = railhead::test::source_directory();
  std::vector<std::string> found;
  for (const auto& [name, room] : rooms) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / name)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".h") continue;
      std::ifstream file(entry.path());
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string header = match[2];
        const std::string where = fs::relative(entry.path(), root).string() + ":" + std::to_string(number) + ": ";
        if (match[1] == "\"") {
          const auto owner = std::find_if(rooms.begin(), rooms.end(),
                                          [&](const auto& other) { return header.starts_with(other.first + "/"); });
          if (owner == rooms.end()) {
            found.push_back(where + header + " is in no room");
          } else if (owner->first != name && !room.uses.contains(owner->first)) {
            found.push_back(where + name + " does not declare that it uses " + owner->first);
          }
          continue;
        }
        const std::string library = library_of(header);
        if (library.empty()) continue;
        if (!room.foreign.contains(library)) {
          found.push_back(where + name + " does not declare the foreign library " + library);
        } else if (extension == ".h" && library != "expected") {
          found.push_back(where + "a foreign header belongs into one .cpp, not into a header");
        }
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("every include follows the floor plan") {
  const std::map<std::string, Room> rooms = declared_rooms();
  REQUIRE(rooms.size() > 10);
  for (const std::string& violation : violations(rooms)) FAIL_CHECK(violation);
}

TEST_CASE("the floor plan has no circles: a room uses only rooms declared before it") {
  std::ifstream file(fs::path(railhead::test::build_directory()) / "rooms.txt");
  std::set<std::string> seen;
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find('|');
    for (const std::string& used : words(line.substr(first + 1, line.find('|', first + 1) - first - 1))) {
      CHECK_MESSAGE(seen.contains(used), line.substr(0, first), " uses ", used, " which stands above it");
    }
    seen.insert(line.substr(0, first));
  }
}

TEST_CASE("a room that includes what it does not declare is found") {
  std::map<std::string, Room> rooms = declared_rooms();
  rooms.at("gateway/message").foreign.clear();
  rooms.at("gateway/ports").uses.erase("gateway/message");
  const std::vector<std::string> found = violations(rooms);
  CHECK(std::any_of(found.begin(), found.end(),
                    [](const std::string& line) { return line.find("simdjson") != std::string::npos; }));
  CHECK(std::any_of(found.begin(), found.end(), [](const std::string& line) {
    return line.find("gateway/ports does not declare") != std::string::npos;
  }));
}
