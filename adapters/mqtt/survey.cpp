#include "adapters/mqtt/survey.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstdio>
#include <set>
#include <utility>

#include "adapters/mqtt/unwrap.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead::mqtt {
namespace {

constexpr std::size_t kUnpackedMax = 1024 * 1024;
constexpr std::size_t kTopicWidth = 60;

std::string kind_of(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return "null";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::uinteger: return "uint";
    case Kind::real: return "double";
    case Kind::string: return "string";
    case Kind::list: return "list";
    case Kind::map: return "map";
    default: return "?";
  }
}

// What two messages say of one field.
std::string joined(const std::string& known, const std::string& seen) {
  if (known == seen || seen == "null") return known;
  if (known == "null") return seen;
  const auto number = [](const std::string& kind) { return kind == "int" || kind == "uint" || kind == "double"; };
  return number(known) && number(seen) ? "double" : "mixed";
}

std::string name_of(PayloadFormat format) {
  switch (format) {
    case PayloadFormat::json: return "json";
    case PayloadFormat::number: return "number";
    case PayloadFormat::text: return "text";
    case PayloadFormat::raw: return "raw";
  }
  return {};
}

std::string name_of(Compression compression) { return compression == Compression::gzip ? "gzip" : "zstd"; }

// What can be one subscription: as many levels, the same kind of payload with the same names.
struct Kin {
  std::size_t levels;
  PayloadFormat format;
  Compression compression;
  std::string names;
  auto operator<=>(const Kin&) const = default;
};

}  // namespace

std::string text_of(const Survey::Shape& shape) {
  std::string text = name_of(shape.format);
  if (shape.format == PayloadFormat::json) {
    text += ' ';
    if (!shape.whole.empty()) {
      text += shape.whole;
    } else {
      std::string fields;
      for (const auto& [name, kind] : shape.fields) fields += (fields.empty() ? "" : ", ") + name + ": " + kind;
      text += '{' + fields + '}';
    }
  }
  if (shape.compression != Compression::none) text += " in " + name_of(shape.compression);
  return text;
}

Survey::Shape Survey::shape_of(std::string_view payload) {
  Shape shape;
  std::string unpacked;
  if (payload.substr(0, 2) == "\x1f\x8b" && gunzip(payload, kUnpackedMax, unpacked)) {
    shape.compression = Compression::gzip;
  } else if (payload.substr(0, 4) == "\x28\xb5\x2f\xfd" && unzstd(payload, kUnpackedMax, unpacked)) {
    shape.compression = Compression::zstd;
  }
  if (shape.compression != Compression::none) payload = unpacked;
  const std::string_view text = base::trim(payload);
  if (!text.empty() && (base::parse_int(text) || std::isfinite(base::parse_double(text).value_or(NAN)))) {
    shape.format = PayloadFormat::number;
    return shape;
  }
  const Result<Value> value = parser_.parse(payload);
  if (value && !text.empty()) {
    shape.format = PayloadFormat::json;
    if (!value->is(Kind::map)) {
      shape.whole = kind_of(*value);
      return shape;
    }
    for (const auto& [name, member] : value->as_map()) {
      if (shape.fields.size() == kFieldsMax) break;
      shape.fields.emplace(std::string(name.as_text()), kind_of(member));
    }
    return shape;
  }
  shape.format = base::is_utf8(payload) ? PayloadFormat::text : PayloadFormat::raw;
  return shape;
}

void Survey::add(std::string_view topic, std::string_view payload, bool retained) {
  ++messages_;
  auto found = topics_.find(std::string(topic));
  if (found == topics_.end()) {
    if (topics_.size() == kTopicsMax) {
      ++others_;
      return;
    }
    found = topics_.emplace(std::string(topic), Topic{}).first;
  }
  Topic& known = found->second;
  Shape shape = shape_of(payload);
  if (known.messages == 0) {
    known.shape = std::move(shape);
  } else if (known.shape.format == shape.format && known.shape.compression == shape.compression) {
    for (const auto& [name, kind] : shape.fields) {
      const auto field = known.shape.fields.find(name);
      if (field != known.shape.fields.end()) {
        field->second = joined(field->second, kind);
      } else if (known.shape.fields.size() < kFieldsMax) {
        known.shape.fields.emplace(name, kind);
      }
    }
  } else {
    // What takes both: a number is JSON too, and everything is bytes.
    const auto plain = [](const Shape& one) {
      return one.format == PayloadFormat::number || one.format == PayloadFormat::json;
    };
    known.mixed = true;
    if (known.shape.compression != shape.compression) {
      known.shape = Shape{};
    } else {
      const PayloadFormat both = plain(known.shape) && plain(shape) ? PayloadFormat::json
                                 : known.shape.format == PayloadFormat::raw || shape.format == PayloadFormat::raw
                                     ? PayloadFormat::raw
                                     : PayloadFormat::text;
      known.shape = {both, shape.compression, {}, both == PayloadFormat::json ? "mixed" : ""};
    }
  }
  ++known.messages;
  known.retained += retained ? 1 : 0;
  known.bytes += payload.size();
}

std::vector<Survey::Group> Survey::groups() const {
  std::map<Kin, std::vector<const std::pair<const std::string, Topic>*>> kin;
  for (const auto& topic : topics_) {
    const Shape& shape = topic.second.shape;
    std::string names = shape.whole;
    for (const auto& field : shape.fields) names += field.first + '\n';
    const auto levels = static_cast<std::size_t>(std::count(topic.first.begin(), topic.first.end(), '/')) + 1;
    kin[{levels, shape.format, shape.compression, names}].push_back(&topic);
  }
  std::vector<Group> found;
  for (const auto& [key, members] : kin) {
    std::vector<std::set<std::string_view>> levels(key.levels);
    for (const auto* member : members) {
      std::size_t level = 0;
      for (const std::string_view text : base::split(member->first, '/')) levels[level++].insert(text);
    }
    std::size_t device = levels.size();
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (levels[i].size() > 1) device = i;
    }
    Group group;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (i > 0) group.pattern += '/';
      group.pattern += levels[i].size() == 1 ? std::string(*levels[i].begin())
                       : i == device         ? "{device}"
                                             : "{level" + std::to_string(i + 1) + "}";
    }
    group.shape = members.front()->second.shape;
    group.topics = members.size();
    found.push_back(std::move(group));
  }
  return found;
}

std::string Survey::table(Duration listened, std::size_t rows) const {
  std::vector<const std::pair<const std::string, Topic>*> order;
  std::size_t width = 5;
  for (const auto& topic : topics_) order.push_back(&topic);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->second.messages > b->second.messages; });
  if (order.size() > rows) order.resize(rows);
  for (const auto* topic : order) width = std::max(width, std::min(topic->first.size(), kTopicWidth));
  const double seconds = std::max(std::chrono::duration<double>(listened).count(), 0.001);
  char line[512];
  std::snprintf(line, sizeof line, "%-*s %9s %9s %9s  %s\n", static_cast<int>(width), "topic", "messages", "a second",
                "bytes", "payload");
  std::string out = line;
  for (const auto* topic : order) {
    const Topic& one = topic->second;
    // What was retained came at once and says nothing of the rate.
    const double rate = static_cast<double>(one.messages - one.retained) / seconds;
    std::snprintf(line, sizeof line, "%-*s %9llu %9.1f %9llu  ", static_cast<int>(width),
                  topic->first.substr(0, 200).c_str(), static_cast<unsigned long long>(one.messages), rate,
                  static_cast<unsigned long long>(one.bytes / std::max<std::uint64_t>(one.messages, 1)));
    out += line + text_of(one.shape);
    if (one.mixed) out += ", not always";
    if (one.retained > 0) out += ", retained";
    out += '\n';
  }
  if (topics_.size() > order.size()) {
    out += "... and " + std::to_string(topics_.size() - order.size()) + " more topics\n";
  }
  if (others_ > 0)
    out += "... and " + std::to_string(others_) + " messages of topics beyond the first " + std::to_string(kTopicsMax) +
           "\n";
  return out;
}

std::string Survey::proposal(std::string_view url) const {
  const std::vector<Group> all = groups();
  if (all.empty()) return {};
  const auto quoted = [](const std::string& text) {
    std::string out;
    write_json_text(text, out);  // a JSON text is a YAML text
    return out;
  };
  std::string out = "sources:\n  sensors:\n    mqtt:\n      url: " + std::string(url) + "\n      subscribe:\n";
  for (const Group& group : all) {
    out += "        - { topic: " + quoted(group.pattern) + ", qos: 1, payload: " + name_of(group.shape.format);
    if (group.shape.compression != Compression::none) out += ", compression: " + name_of(group.shape.compression);
    out += " }\n";
  }
  const auto widest =
      std::max_element(all.begin(), all.end(), [](const Group& a, const Group& b) { return a.topics < b.topics; });
  std::string body = "device: device, time: time";
  for (const auto& [name, kind] : widest->shape.fields) {
    if (base::is_identifier(name) && name != "device" && name != "time") body += ", " + name + ": value." + name;
  }
  if (widest->shape.fields.empty()) body += ", value: value";
  out +=
      "rules:\n  - name: sensors\n    from: { source: sensors }\n    send:\n      - { to: out, topic: telemetry, "
      "key: \"${device}\", body: { " +
      body + " } }\nsinks:\n  out: { file: { path: \"-\" } }\n";
  return out;
}

}  // namespace railhead::mqtt
