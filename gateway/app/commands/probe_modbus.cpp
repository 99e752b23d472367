#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "adapters/modbus/config.h"
#include "adapters/modbus/probe.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/commands/progress_line.h"
#include "gateway/base/text.h"

namespace railhead::app {
namespace {

using modbus::Table;

constexpr std::size_t kRowsMax = 12;

std::string number_text(double value) {
  std::ostringstream out;
  out << std::setprecision(9) << value;
  return out.str();
}

// "1-10" or "7".
std::optional<std::pair<std::uint8_t, std::uint8_t>> parse_units(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = base::parse_uint(base::trim(text.substr(0, dash)));
  const auto last = dash == std::string_view::npos ? first : base::parse_uint(base::trim(text.substr(dash + 1)));
  if (!first || !last || *first > *last || *last > 255) return std::nullopt;
  return std::pair{static_cast<std::uint8_t>(*first), static_cast<std::uint8_t>(*last)};
}

// "0.5 %" or "0.005".
std::optional<double> parse_share(std::string_view text) {
  text = base::trim(text);
  const bool percent = text.ends_with('%');
  if (percent) text = base::trim(text.substr(0, text.size() - 1));
  const auto value = base::parse_double(text);
  if (!value || !(*value >= 0)) return std::nullopt;
  return percent ? *value / 100 : *value;
}

int bad(const std::string& what) {
  std::cerr << "railhead: " << what << '\n';
  return 1;
}

// What went wrong, where, and what may be the matter.
int unreachable(const modbus::Endpoint& endpoint, std::uint8_t unit, const Error& error) {
  const bool says_where = error.what.find(endpoint.host) != std::string::npos;
  std::cerr << "railhead: " << (says_where ? "" : "unit " + std::to_string(unit) + " at " + endpoint.text() + ": ")
            << error.what << '\n';
  if (error.code == Errc::timeout && endpoint.transport == modbus::Transport::rtu) {
    std::cerr
        << "  is it powered, its number right (--units 1-10 tries some), the line's baud and parity as the device "
           "has them, A and B not swapped?\n";
  } else if (error.code == Errc::timeout && endpoint.secure()) {
    std::cerr << "  does it speak TLS at this port?\n";
  } else if (error.code == Errc::timeout) {
    std::cerr
        << "  is its number right (--units 1-10 tries some; behind a gateway it is that on the bus), does it need "
           "longer (--timeout 5s)?\n";
  } else if (error.code == Errc::unavailable && endpoint.transport != modbus::Transport::rtu) {
    std::cerr
        << "  is it powered, host and port right, and none too many connected? Some devices bear one connection\n";
  }
  return 2;
}

// The device is there and says no.
int refused(const modbus::Endpoint& endpoint, std::uint8_t unit, std::uint32_t address,
            const std::map<std::uint8_t, unsigned>& codes) {
  std::cerr << "railhead: unit " << unsigned{unit} << " at " << endpoint.text() << " refuses all addresses near "
            << address << ":";
  for (const auto& [code, count] : codes) std::cerr << ' ' << count << " x " << modbus::exception_text(code);
  std::cerr << '\n';
  if (address > 10000) {
    std::cerr << "  addresses count from 0, as they travel on the wire: 40031 in a manual is --holding 30, 30031 is "
                 "--input 30\n";
  } else {
    std::cerr << "  a scan shows what it has: the same command without --expect\n";
  }
  return 2;
}

int show_units(const std::vector<modbus::UnitFound>& units) {
  bool any = false;
  for (const modbus::UnitFound& unit : units) {
    std::cout << "unit " << std::setw(3) << unsigned{unit.unit} << "  " << unit.what << '\n';
    any = any || unit.there;
  }
  return any ? 0 : 2;
}

void show_registers(Table table, const modbus::Scan& scan) {
  std::cout << name_of(table) << ": " << scan.registers.size() << " of the addresses answer, "
            << base::counted(scan.requests, "request");
  for (const auto& [code, count] : scan.refused) {
    std::cout << ", " << count << " x " << modbus::exception_text(code);
  }
  std::cout << '\n';
  std::uint32_t next = 65536;
  std::size_t column = 0;
  for (const auto& [address, value] : scan.registers) {
    if (address != next || column == 8) {
      if (next != 65536) std::cout << '\n';
      std::cout << std::setw(7) << address << ":";
      column = 0;
    }
    if (modbus::holds_bits(table)) {
      std::cout << ' ' << value;
    } else {
      std::cout << ' ' << std::setw(5) << value;
    }
    next = std::uint32_t{address} + 1;
    ++column;
  }
  if (!scan.registers.empty()) std::cout << '\n';
  if (scan.cut_short) std::cout << "not complete: " << scan.cut_short->what << '\n';
}

// Half the last digit: 0.05 of "229.0", 0.5 of "229".
double resolution_of(std::string_view text) {
  const std::size_t point = text.find('.');
  const double digits = point == std::string_view::npos ? 0 : static_cast<double>(text.size() - point - 1);
  return 0.501 * std::pow(10, -digits);
}

// The ready device map of a model, if there is one.
std::string_view map_of(std::uint16_t id) {
  switch (id) {
    case 1: return "sunspec-common";
    case 101:
    case 102:
    case 103: return "sunspec-inverter";
    case 111:
    case 112:
    case 113: return "sunspec-inverter-float";
    case 120: return "sunspec-nameplate";
    case 124: return "sunspec-storage";
    case 160: return "sunspec-mppt";
    case 201:
    case 202:
    case 203:
    case 204: return "sunspec-meter";
    default: return {};
  }
}

int show_sunspec(modbus::Conversation& conversation, const modbus::Endpoint& endpoint, std::uint8_t unit,
                 Duration pause) {
  const modbus::ReadRegisters read = [&](std::uint16_t address,
                                         std::uint16_t count) -> Result<std::vector<std::uint16_t>> {
    std::this_thread::sleep_for(pause);
    const auto answer = conversation.ask({.unit = unit, .table = Table::holding, .address = address, .count = count});
    if (!answer) return fail(answer.error());
    if (answer->exception != 0) return fail(Errc::device, modbus::exception_text(answer->exception));
    std::vector<std::uint16_t> registers;
    for (std::size_t i = 0; i + 1 < answer->payload.size(); i += 2) {
      registers.push_back(static_cast<std::uint16_t>(static_cast<unsigned char>(answer->payload[i]) << 8 |
                                                     static_cast<unsigned char>(answer->payload[i + 1])));
    }
    return registers;
  };
  const Result<modbus::SunspecChain> chain = modbus::walk_sunspec(read);
  if (!chain) return unreachable(endpoint, unit, chain.error());
  std::cout << "SunSpec from holding register " << chain->base << " on:\n";
  std::string line;
  std::map<std::string_view, unsigned> seen;
  for (const modbus::SunspecModel& model : chain->models) {
    const std::string_view map = map_of(model.id);
    std::cout << "  model " << std::setw(5) << model.id << " at " << std::setw(5) << model.address << ", "
              << model.length << " registers" << (map.empty() ? "" : "; map: devices/") << map
              << (map.empty() ? "" : ".yaml") << '\n';
    if (map.empty()) continue;
    const unsigned instance = ++seen[map];
    line += (line.empty() ? "" : ", ") + std::string("{ model: ") + std::string(map);
    if (instance > 1)
      line += ", instance: " + std::to_string(instance) + ", prefix: no" + std::to_string(instance) + "_";
    line += " }";
  }
  if (!line.empty()) std::cout << "\nmodels: [ " << line << " ]\n";
  return 0;
}

int show_ranking(const std::vector<modbus::Candidate>& ranked, double expected, std::uint32_t asked) {
  if (ranked.empty()) {
    std::cout << "nothing near this address gives " << number_text(expected)
              << ": is it another address, unit or table? The value may have changed: --within 2%\n";
    return 2;
  }
  std::cout << "      where           type      order     scale  value         off by\n";
  const std::size_t rows = std::min(ranked.size(), kRowsMax);
  for (std::size_t i = 0; i < rows; ++i) {
    const modbus::Candidate& one = ranked[i];
    std::string order;
    for (std::size_t j = 0; j < one.point.order.size; ++j) {
      order.push_back(static_cast<char>('A' + one.point.order.value_byte[j]));
    }
    const double scale = one.point.scale ? modbus::to_real(*one.point.scale) : 1;
    std::cout << std::right << std::setw(4) << i + 1 << "  " << std::left << std::setw(16)
              << std::string(name_of(one.point.table)) + " " + std::to_string(one.point.address) << std::setw(10)
              << name_of(one.point.type) << std::setw(10) << order << std::setw(7) << number_text(scale)
              << std::setw(14) << number_text(one.value) << number_text(std::round(one.off * 1e5) / 1e3) << " %\n";
  }
  if (ranked.size() > rows) std::cout << "      and " << ranked.size() - rows << " less likely ones\n";
  const modbus::Candidate& best = ranked.front();
  if (best.point.address + 1u == asked) {
    std::cout << "\nyour " << asked << " is " << best.point.address
              << " on the wire: the manual counts from 1. Leave its "
              << "numbers as they are, and say `addressing: one` on the device\n";
  }
  if (ranked.size() > 1 && ranked[1].value == best.value) {
    std::cout
        << "\n"
        << number_text(best.value)
        << " does not tell these rows apart: probe again when the value is another, or take the type from the manual\n";
  }
  std::cout << "\npoints:\n  " << modbus::point_line("value", best.point) << '\n';
  return 0;
}

}  // namespace

int run_probe_modbus(const ProbeModbusArguments& arguments) {
  const Result<modbus::Endpoint> endpoint = modbus::parse_url(arguments.url);
  if (!endpoint) return bad(arguments.url + ": " + endpoint.error().what);
  const std::optional<Duration> timeout = base::parse_duration(arguments.timeout);
  const std::optional<Duration> pause = base::parse_duration(arguments.pause);
  if (!timeout || *timeout <= Duration::zero() || !pause) return bad("expected a time like '500 ms'");
  const std::optional<double> within = parse_share(arguments.within);
  if (!within) return bad("--within: expected a share like '0.5%'");
  Table table = Table::holding;
  std::optional<std::uint32_t> address;
  for (const auto& [which, given] :
       {std::pair{Table::holding, arguments.holding}, std::pair{Table::input, arguments.input},
        std::pair{Table::coil, arguments.coil}, std::pair{Table::discrete, arguments.discrete}}) {
    if (given < 0) continue;
    if (address) return bad("give one of --holding, --input, --coil, --discrete");
    if (given > 65535)
      return bad("addresses are 0..65535, as they travel on the wire: 40031 in a manual is --holding 30");
    table = which;
    address = static_cast<std::uint32_t>(given);
  }
  tls::Options tls;
  tls.ca = arguments.ca;
  tls.cert = arguments.cert;
  tls.key = arguments.key;
  modbus::Conversation conversation({.endpoint = *endpoint, .tls = tls, .timeout = *timeout});
  const modbus::ProbeOptions options{
      .unit = static_cast<std::uint8_t>(arguments.unit), .pause = *pause, .requests_max = arguments.most};
  ProgressLine line;
  const modbus::Progress progress = [&](const std::string& what) { line.show(what + " ..."); };

  if (!arguments.units.empty()) {
    const auto units = parse_units(arguments.units);
    if (!units) return bad("--units: expected a range like 1-10");
    const auto found = modbus::scan_units(conversation, options, units->first, units->second, table,
                                          static_cast<std::uint16_t>(address.value_or(0)), progress);
    line.clear();
    return show_units(found);
  }
  if (arguments.sunspec) return show_sunspec(conversation, *endpoint, options.unit, *pause);
  if (!arguments.expect.empty()) {
    const auto expected = base::parse_double(arguments.expect);
    if (!expected || !address || modbus::holds_bits(table)) {
      return bad("--expect is a number, and needs --holding or --input: the address in question");
    }
    const auto first = static_cast<std::uint16_t>(*address == 0 ? 0 : *address - 1);
    const auto last = static_cast<std::uint16_t>(std::min<std::uint32_t>(*address + 4, 65535));
    std::map<Table, modbus::Registers> read;
    std::map<std::uint8_t, unsigned> codes;
    for (const Table from : {table, table == Table::holding ? Table::input : Table::holding}) {
      const modbus::Scan scan = modbus::scan(conversation, options, from, first, last, progress);
      if (scan.cut_short && read.empty() && scan.registers.empty()) {
        line.clear();
        return unreachable(*endpoint, options.unit, *scan.cut_short);
      }
      if (!scan.registers.empty()) read[from] = scan.registers;
      if (from == table) codes = scan.refused;
    }
    line.clear();
    if (read.empty()) return refused(*endpoint, options.unit, *address, codes);
    return show_ranking(modbus::rank(read, table, static_cast<std::uint16_t>(*address), *expected,
                                     resolution_of(arguments.expect), *within),
                        *expected, *address);
  }
  const auto first = static_cast<std::uint16_t>(address.value_or(0));
  const auto last =
      static_cast<std::uint16_t>(std::min<std::uint32_t>(std::uint32_t{first} + arguments.count - 1, 65535));
  bool any = false;
  for (const Table from : {Table::holding, Table::input, Table::coil, Table::discrete}) {
    if (address && from != table) continue;
    const modbus::Scan found = modbus::scan(conversation, options, from, first, last, progress);
    line.clear();
    // Nobody there: the other tables will not be either.
    if (found.cut_short && found.cut_short->code != Errc::full && found.registers.empty()) {
      return unreachable(*endpoint, options.unit, *found.cut_short);
    }
    show_registers(from, found);
    any = any || !found.registers.empty();
  }
  return any ? 0 : 2;
}

}  // namespace railhead::app
