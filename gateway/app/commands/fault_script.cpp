#include "gateway/app/commands/fault_script.h"

#include <optional>
#include <string>

#include "gateway/base/text.h"
#include "gateway/config/document.h"
#include "gateway/config/fields.h"

namespace railhead::app {
namespace {

struct Script {
  config::Node faults;
};

struct Written {
  std::string source;
  std::string device;
  std::string table;
  std::string addresses;
  std::optional<std::uint8_t> exception;
  std::optional<Duration> delay;
  bool silent = false;
  bool close = false;
  bool garbage = false;
  double share = 1;
  Duration after{};
  Duration for_time{};
};

// "30" or "30..31".
std::optional<std::pair<std::uint32_t, std::uint32_t>> range_of(std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto first = base::parse_uint(base::trim(text.substr(0, dots)));
  const auto last = dots == std::string_view::npos ? first : base::parse_uint(base::trim(text.substr(dots + 2)));
  if (!first || !last || *first > *last || *last > 65535) return std::nullopt;
  return std::pair{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

std::string range_fault(std::string_view text) {
  return range_of(text) ? "" : "expected an address or a range of 0..65535, like 30..31";
}

std::string table_fault(std::string_view text) {
  return text == "holding" || text == "input" || text == "coil" || text == "discrete"
             ? ""
             : "one of holding, input, coil, discrete";
}

const config::Fields<Written>& fault_fields() {
  static const config::Fields<Written> fields =
      config::Fields<Written>("fault", "What goes wrong on purpose.")
          .optional("source", &Written::source, {.sentence = "All if left out.", .example = "boiler-house"})
          .optional("device", &Written::device, {.sentence = "A device; * is any text.", .example = "\"meter-*\""})
          .optional("table", &Written::table,
                    {.sentence = "Requests of this table only.", .example = "holding", .check = table_fault})
          .optional(
              "addresses", &Written::addresses,
              {.sentence = "Requests that touch these, counted from 0.", .example = "30..31", .check = range_fault})
          .optional("exception", &Written::exception,
                    {.sentence = "Refused with this code.", .example = "2", .min = 1, .max = 255})
          .optional("delay", &Written::delay, {.sentence = "Answered so much later.", .example = "2 s"})
          .optional("silent", &Written::silent, {.sentence = "Not answered."})
          .optional("close", &Written::close, {.sentence = "The connection is closed."})
          .optional("garbage", &Written::garbage, {.sentence = "Answered with bytes that are no Modbus."})
          .optional("share", &Written::share,
                    {.sentence = "Of the requests.", .example = "0.1", .min = 0.0, .max = 1.0})
          .optional("after", &Written::after, {.sentence = "From so long after the start on.", .example = "10 s"})
          .optional("for", &Written::for_time, {.sentence = "For so long; 0 is for ever.", .example = "5 s"});
  return fields;
}

}  // namespace

std::vector<ports::Fault> read_faults(const std::filesystem::path& path, config::Diagnostics& diagnostics) {
  static const config::Fields<Script> script_fields =
      config::Fields<Script>("fault script", "").raw("faults", &Script::faults, {.sentence = "The list of faults."});
  std::vector<ports::Fault> faults;
  const config::Document document = config::Document::load_file(path, config::Node(), diagnostics);
  if (!document.root().present()) return faults;
  const Script script = script_fields.read(document.root(), diagnostics);
  if (!script.faults.is_list()) {
    diagnostics.error(document.root(), "a fault script is a list under `faults`",
                      "like faults: [ { device: meter-1, silent: true } ]");
    return faults;
  }
  for (const config::Node& node : script.faults.items()) {
    const Written written = fault_fields().read(node, diagnostics);
    ports::Fault fault;
    fault.source = written.source;
    fault.device = written.device;
    fault.table = written.table;
    fault.share = written.share;
    fault.after = written.after;
    fault.for_time = written.for_time;
    if (!written.addresses.empty()) {
      if (const auto range = range_of(written.addresses)) std::tie(fault.first, fault.last) = *range;
      if (fault.table.empty()) fault.table = "holding";
    }
    using Kind = ports::Fault::Kind;
    const int kinds = int{written.exception.has_value()} + int{written.delay.has_value()} + int{written.silent} +
                      int{written.close} + int{written.garbage};
    if (kinds != 1) {
      diagnostics.error(node, "a fault is exactly one of exception, delay, silent, close, garbage");
      continue;
    }
    fault.kind = written.exception ? Kind::exception
                 : written.delay   ? Kind::delay
                 : written.silent  ? Kind::silent
                 : written.close   ? Kind::close
                                   : Kind::garbage;
    fault.exception = written.exception.value_or(0);
    fault.delay = written.delay.value_or(Duration{});
    faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace railhead::app
