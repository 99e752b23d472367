// PointReader: the tables of points of one device, its models' and its own, become Points: addresses resolved, shifted
// and repeated, types fitted, factors found. Everything that is wrong goes to Diagnostics.
// Threads: one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "adapters/modbus/config.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::modbus {

// Where a table of points stands and how it is to be read.
struct TableOfPoints {
  Addressing addressing = Addressing::zero;
  bool addressing_said = false;
  Sentinels sentinels = Sentinels::none;
  Duration every{};
  std::int32_t shift = 0;                 // of all its addresses
  std::string prefix;                     // of all its names
  std::optional<std::uint32_t> anchor{};  // its addresses count from a SunSpec model that is to be found
};

class PointReader {
 public:
  explicit PointReader(config::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // `node`: the table itself. A point replaces one of the same name that came before.
  void add(const std::map<std::string, PointConfig>& points, const config::Node& node, const TableOfPoints& table);
  void add(const std::map<std::string, RepeatConfig>& blocks, const config::Node& node, const TableOfPoints& table);
  // Everything was added: factors are found by their names.
  [[nodiscard]] std::vector<Point> finish();
  // All names that were written but those of hidden points, also of points that were wrong.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  struct Placed {
    Point point;
    std::string scale_from;
    config::Node scale_from_node;
    std::string prefix;  // within which scale_from is looked for first
    std::string outer;   // and then, before it is taken as it stands
  };

  void read(const PointConfig& written, const config::Member& member, const TableOfPoints& table,
            const std::string& outer);
  void read_write(const WriteConfig& written, const config::Node& node, Point& point);
  bool read_address(const PointConfig& written, const config::Node& node, const TableOfPoints& table, Point& point);
  bool read_shape(const PointConfig& written, const config::Node& node, Point& point, const config::Node& key);
  bool read_bits(const PointConfig& written, Point& point);
  bool read_names(const PointConfig& written, const config::Node& node, Point& point);
  bool read_absent(const PointConfig& written, const TableOfPoints& table, Point& point);
  void find_factor(std::vector<Point>& points, std::size_t index, const Placed& placed);

  config::Diagnostics& diagnostics_;
  std::vector<Placed> placed_;
  std::map<std::string, std::size_t> place_of_;
  std::vector<std::string> names_;
};

}  // namespace railhead::modbus
