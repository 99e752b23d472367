// ip(), cidr() and what is asked of them [the network extension of CEL, as cel-spec's network_ext tests have it].
// Why texts are parsed anew: the value is its canonical text, which compares, prints and is kept as any text is.
#include <array>

#include "rules/expression/functions/address.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

Value not_an(std::string_view what, const Value& from) {
  const std::string text(shortened(from.as_text(), 60));
  const auto has = [&text](std::string_view part) { return text.find(part) != std::string::npos; };
  std::string sentence = "not an " + std::string(what) + ": '" + text + "'";
  if (has("%")) sentence += ", a zone is not allowed";
  if (has("::ffff:") || has("::FFFF:")) sentence += ", an IPv4 address is written without ::ffff:";
  return Value::error(sentence);
}
Value not_an_address(const Value& from) { return not_an("IP address", from); }
Value not_a_network(const Value& from) { return not_an("IP network", from); }

Value value_of(const IpAddress& address) { return Value::address(address_text(address)); }
Value value_of(const IpNetwork& network) { return Value::network(network_text(network)); }

Value to_address(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::string)) return no_overload("ip", arguments);
  const auto address = parse_address(arguments[0].as_text());
  return address ? value_of(*address) : not_an_address(arguments[0]);
}

Value to_network(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::string)) return no_overload("cidr", arguments);
  const auto network = parse_network(arguments[0].as_text());
  return network ? value_of(*network) : not_a_network(arguments[0]);
}

Value is_address(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::string)) return no_overload("isIP", arguments);
  return Value::boolean(parse_address(arguments[0].as_text()).has_value());
}

Value is_network(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::string)) return no_overload("isCIDR", arguments);
  return Value::boolean(parse_network(arguments[0].as_text()).has_value());
}

Value is_canonical(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::string)) return no_overload("ip.isCanonical", arguments);
  const auto address = parse_address(arguments[0].as_text());
  return address ? Value::boolean(address_text(*address) == arguments[0].as_text()) : not_an_address(arguments[0]);
}

// What is asked of an address.
template <class Question>
Value of_address(std::string_view name, Arguments arguments, Question question) {
  if (!arguments[0].is(Kind::address)) return no_overload(name, arguments);
  const auto address = parse_address(arguments[0].as_text());
  return address ? question(*address) : not_an_address(arguments[0]);
}
Value family(Arguments arguments, Work&) {
  return of_address("family", arguments, [](const IpAddress& of) { return Value::integer(of.size == 4 ? 4 : 6); });
}
Value unspecified(Arguments arguments, Work&) {
  return of_address("isUnspecified", arguments, [](const IpAddress& of) { return Value::boolean(is_unspecified(of)); });
}
Value loopback(Arguments arguments, Work&) {
  return of_address("isLoopback", arguments, [](const IpAddress& of) { return Value::boolean(is_loopback(of)); });
}
Value global_unicast(Arguments arguments, Work&) {
  return of_address("isGlobalUnicast", arguments,
                    [](const IpAddress& of) { return Value::boolean(is_global_unicast(of)); });
}
Value link_local_unicast(Arguments arguments, Work&) {
  return of_address("isLinkLocalUnicast", arguments,
                    [](const IpAddress& of) { return Value::boolean(is_link_local_unicast(of)); });
}
Value link_local_multicast(Arguments arguments, Work&) {
  return of_address("isLinkLocalMulticast", arguments,
                    [](const IpAddress& of) { return Value::boolean(is_link_local_multicast(of)); });
}

// What is asked of a network.
template <class Question>
Value of_network(std::string_view name, Arguments arguments, Question question) {
  if (!arguments[0].is(Kind::network)) return no_overload(name, arguments);
  const auto network = parse_network(arguments[0].as_text());
  return network ? question(*network) : not_a_network(arguments[0]);
}
Value address_of_network(Arguments arguments, Work&) {
  return of_network("ip", arguments, [](const IpNetwork& of) { return value_of(of.address); });
}
Value masked_network(Arguments arguments, Work&) {
  return of_network("masked", arguments, [](const IpNetwork& of) { return value_of(masked(of)); });
}
Value prefix_length(Arguments arguments, Work&) {
  return of_network("prefixLength", arguments,
                    [](const IpNetwork& of) { return Value::integer(static_cast<std::int64_t>(of.prefix_bits)); });
}
Value contains_address(Arguments arguments, Work&) {
  const Value& given = arguments[1];
  return of_network("containsIP", arguments, [&](const IpNetwork& of) {
    if (!given.is(Kind::address) && !given.is(Kind::string)) return no_overload("containsIP", arguments);
    const auto address = parse_address(given.as_text());
    return address ? Value::boolean(holds(of, *address)) : not_an_address(given);
  });
}
Value contains_network(Arguments arguments, Work&) {
  const Value& given = arguments[1];
  return of_network("containsCIDR", arguments, [&](const IpNetwork& of) {
    if (!given.is(Kind::network) && !given.is(Kind::string)) return no_overload("containsCIDR", arguments);
    const auto part = parse_network(given.as_text());
    return part ? Value::boolean(holds(of, *part)) : not_a_network(given);
  });
}

constexpr std::array<FunctionEntry, 16> kNetwork{{
    {"ip", false, to_address, "s:a"},
    {"cidr", false, to_network, "s:c"},
    {"isIP", false, is_address, "s:b"},
    {"isCIDR", false, is_network, "s:b"},
    {"ip.isCanonical", false, is_canonical, "s:b"},
    {"family", true, family, "a:i"},
    {"isUnspecified", true, unspecified, "a:b"},
    {"isLoopback", true, loopback, "a:b"},
    {"isGlobalUnicast", true, global_unicast, "a:b"},
    {"isLinkLocalUnicast", true, link_local_unicast, "a:b"},
    {"isLinkLocalMulticast", true, link_local_multicast, "a:b"},
    {"ip", true, address_of_network, "c:a"},
    {"masked", true, masked_network, "c:c"},
    {"prefixLength", true, prefix_length, "c:i"},
    {"containsIP", true, contains_address, "ca:b cs:b"},
    {"containsCIDR", true, contains_network, "cc:b cs:b"},
}};

}  // namespace

std::span<const FunctionEntry> network_functions() { return kNetwork; }

}  // namespace railhead::expression
