#include "adapters/modbus/write.h"

#include <algorithm>
#include <cmath>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/encode.h"
#include "adapters/modbus/wire.h"
#include "gateway/message/json.h"

namespace railhead::modbus {
namespace {

constexpr std::size_t kRegistersInOneWrite = 121;  // what functions 16 (123) and 23 (121) both take
constexpr std::size_t kCoilsInOneWrite = 1968;

std::string head(unsigned function, unsigned address) {
  std::string pdu(1, static_cast<char>(function));
  put_word(pdu, address);
  return pdu;
}

// Side by side, and wholly.
struct Run {
  const Point* first = nullptr;
  std::string bytes;  // two a register, one a coil
  [[nodiscard]] std::uint16_t count() const {
    return static_cast<std::uint16_t>(holds_bits(first->table) ? bytes.size() : bytes.size() / 2);
  }
};

std::optional<std::string> limit_fault(const WriteLimits& limits, const Value& value) {
  if (!limits.values.empty() &&
      std::none_of(limits.values.begin(), limits.values.end(), [&](const Value& one) { return one == value; })) {
    std::string listed;
    for (const Value& one : limits.values) listed += (listed.empty() ? "" : ", ") + to_json(one);
    return to_json(value) + " is none of " + listed;
  }
  if (!limits.min && !limits.max && !limits.step) return std::nullopt;
  if (!value.is_number()) return "expected a number, not " + to_json(value);
  const double number = value.to_real();
  // A NaN is within nothing.
  if (!(number >= limits.min.value_or(-HUGE_VAL)))
    return to_json(value) + " is below the limit of " + to_json(Value::real(*limits.min));
  if (!(number <= limits.max.value_or(HUGE_VAL)))
    return to_json(value) + " is above the limit of " + to_json(Value::real(*limits.max));
  if (limits.step) {
    const double steps = (number - limits.min.value_or(0)) / *limits.step;
    if (std::fabs(steps - std::nearbyint(steps)) > 1e-6) {
      return to_json(value) + " is not on a step of " + to_json(Value::real(*limits.step));
    }
  }
  return std::nullopt;
}

WriteStep coil_step(const Run& run) {
  WriteStep step;
  step.table = Table::coil;
  step.address = run.first->address;
  step.count = run.count();
  if (step.count == 1 && run.first->write->function != WriteFunction::multiple) {
    step.pdu = head(5, step.address);
    put_word(step.pdu, run.bytes[0] != 0 ? 0xff00 : 0);
    step.echo = step.pdu;
    return step;
  }
  step.pdu = head(15, step.address);
  put_word(step.pdu, step.count);
  step.echo = step.pdu;
  std::string packed((step.count + 7u) / 8u, '\0');
  for (std::size_t i = 0; i < run.bytes.size(); ++i) {
    if (run.bytes[i] != 0) packed[i / 8] = static_cast<char>(byte_at(packed, i / 8) | 1u << (i % 8));
  }
  step.pdu.push_back(static_cast<char>(packed.size()));
  step.pdu += packed;
  return step;
}

WriteStep register_step(const Run& run, bool verify) {
  WriteStep step;
  step.address = run.first->address;
  step.count = run.count();
  if (run.first->write->function == WriteFunction::read_write && verify) {
    step.pdu = head(23, step.address);
    put_word(step.pdu, step.count);
    put_word(step.pdu, step.address);
    put_word(step.pdu, step.count);
    step.pdu.push_back(static_cast<char>(run.bytes.size()));
    step.pdu += run.bytes;
    step.expected = run.bytes;
    return step;
  }
  if (step.count == 1 && run.first->write->function == WriteFunction::automatic) {
    step.pdu = head(6, step.address) + run.bytes;
    step.echo = step.pdu;
    return step;
  }
  step.pdu = head(16, step.address);
  put_word(step.pdu, step.count);
  step.echo = step.pdu;
  step.pdu.push_back(static_cast<char>(run.bytes.size()));
  step.pdu += run.bytes;
  return step;
}

WriteStep reading_back(const WriteStep& written, const std::string& bytes, std::string mask) {
  WriteStep step;
  step.table = written.table;
  step.address = written.address;
  step.count = written.count;
  step.pdu = head(function_of(step.table), step.address);
  put_word(step.pdu, step.count);
  step.mask = std::move(mask);
  if (!holds_bits(step.table)) {
    step.expected = bytes;
    return step;
  }
  step.expected.assign((step.count + 7u) / 8u, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != 0) step.expected[i / 8] = static_cast<char>(byte_at(step.expected, i / 8) | 1u << (i % 8));
  }
  return step;
}

}  // namespace

std::optional<std::string> write_obstacle(const Point& point) {
  if (point.table != Table::holding && point.table != Table::coil) {
    return std::string(point.table == Table::input ? "an input register" : "a discrete input") +
           " cannot be written: only holding registers and coils can";
  }
  if (point.count != 0) return "a list cannot be written";
  if (!point.flags.empty()) return "bits with names cannot be written together: make a point of each that is written";
  if (point.factor) return "a value that another register scales cannot be written";
  if (std::optional<std::string> obstacle = Encoder::obstacle(point)) return obstacle;
  if (point.bits && point.span() > 1) return "bits can be written within one register only";
  return std::nullopt;
}

Result<std::vector<WriteStep>> plan_writes(std::span<const Assignment> assignments, bool verify) {
  std::vector<Assignment> sorted(assignments.begin(), assignments.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Assignment& left, const Assignment& right) {
    return std::pair(left.point->table, left.point->address) < std::pair(right.point->table, right.point->address);
  });
  std::vector<Run> runs;
  std::vector<WriteStep> masked;
  for (const Assignment& assignment : sorted) {
    const Point& point = *assignment.point;
    if (const auto fault = limit_fault(*point.write, assignment.value)) {
      return fail(Errc::invalid, "point '" + point.name + "': " + *fault);
    }
    const Result<Encoded> encoded = Encoder(point).encode(assignment.value);
    if (!encoded) return fail(encoded.error().in("point '" + point.name + "'"));
    if (!encoded->mask.empty()) {
      // [MB 6.16]: result = (now AND and-mask) OR (or-mask AND NOT and-mask)
      WriteStep step;
      step.address = point.address;
      step.count = 1;
      step.pdu = head(22, point.address);
      put_word(step.pdu, ~word_at(encoded->mask, 0) & 0xffff);
      step.pdu += encoded->bytes;
      step.echo = step.pdu;
      masked.push_back(step);
      if (verify) masked.push_back(reading_back(step, encoded->bytes, encoded->mask));
      continue;
    }
    const bool bits = holds_bits(point.table);
    Run* last = runs.empty() ? nullptr : &runs.back();
    const bool joins = last != nullptr && last->first->table == point.table &&
                       last->first->address + last->count() == point.address &&
                       last->first->write->function == point.write->function &&
                       std::size_t{last->count()} + point.span() <= (bits ? kCoilsInOneWrite : kRegistersInOneWrite);
    if (!joins) runs.push_back({.first = &point, .bytes = {}});
    runs.back().bytes += encoded->bytes;
  }
  std::vector<WriteStep> steps;
  for (const Run& run : runs) {
    const WriteStep step = holds_bits(run.first->table) ? coil_step(run) : register_step(run, verify);
    steps.push_back(step);
    if (verify && !step.reads()) steps.push_back(reading_back(step, run.bytes, {}));
  }
  steps.insert(steps.end(), masked.begin(), masked.end());
  return steps;
}

std::optional<std::string> check_answer(const WriteStep& step, std::string_view pdu, std::string* payload) {
  const unsigned function = byte_at(step.pdu, 0);
  if (pdu.size() == 2 && byte_at(pdu, 0) == (function | 0x80u)) {
    return exception_text(static_cast<std::uint8_t>(pdu[1]));
  }
  if (!step.reads()) {
    if (pdu == step.echo) return std::nullopt;
    return "the device confirms something else than was written";
  }
  if (pdu.size() != 2 + step.expected.size() || byte_at(pdu, 0) != function ||
      byte_at(pdu, 1) != step.expected.size()) {
    return "reading back: an answer of another shape";
  }
  const std::string_view read = pdu.substr(2);
  if (payload != nullptr) payload->assign(read);
  for (std::size_t i = 0; i < read.size(); ++i) {
    const unsigned mask = step.mask.empty() ? 0xff : byte_at(step.mask, i);
    if ((byte_at(read, i) & mask) != (byte_at(step.expected, i) & mask)) return "reads back differently";
  }
  return std::nullopt;
}

}  // namespace railhead::modbus
