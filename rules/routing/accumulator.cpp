#include "rules/routing/accumulator.h"

#include <bit>
#include <cmath>

#include "rules/expression/expression.h"
#include "rules/expression/operators.h"
#include "rules/routing/state_bytes.h"

namespace railhead::routing {
namespace {

constexpr std::string_view name_of(WindowFunction function) {
  constexpr std::string_view kNames[] = {"count", "sum", "mean", "min", "max", "first", "last", "stddev", "percentile"};
  return kNames[static_cast<std::size_t>(function)];
}

constexpr double kHalfWay = 9223372036854775808.0;  // 2^63

bool wants_number(WindowFunction function) {
  return function == WindowFunction::sum || function == WindowFunction::mean || function == WindowFunction::stddev ||
         function == WindowFunction::percentile;
}

}  // namespace

std::string Accumulator::fault(WindowFunction function, const Value& value) {
  if (value.is(Kind::null)) return {};
  const auto says = [&](std::string_view what) {
    return std::string(name_of(function)) + ": " + std::string(expression::name_of(expression::type_of(value))) +
           std::string(what);
  };
  if (wants_number(function) && !value.is_number()) return says(" is not a number");
  if ((function == WindowFunction::min || function == WindowFunction::max) &&
      !expression::compare(value, value).comparable) {
    return says(" has no order");
  }
  return {};
}

void Accumulator::add_number(double number) {
  const double before = sum_;
  sum_ += number;
  carried_ += std::fabs(before) >= std::fabs(number) ? (before - sum_) + number : (number - sum_) + before;
  const double distance = number - mean_;
  mean_ += distance / static_cast<double>(count_);
  squares_ += distance * (number - mean_);
}

void Accumulator::add(const Value& value, Time time) {
  if (value.is(Kind::null)) return;
  switch (function_) {
    case WindowFunction::count:
      if (!value.is(Kind::boolean) || value.as_boolean()) ++count_;
      return;
    case WindowFunction::sum:
    case WindowFunction::mean:
    case WindowFunction::stddev:
      ++count_;
      if (value.is(Kind::real)) {
        whole_ = false;
      } else {
        const std::uint64_t number =
            value.is(Kind::integer) ? static_cast<std::uint64_t>(value.as_integer()) : value.as_uinteger();
        whole_sum_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(whole_sum_) + number);
      }
      add_number(value.to_real());
      return;
    case WindowFunction::min:
    case WindowFunction::max: {
      if (count_++ == 0) {
        value_ = value;
        return;
      }
      const expression::Order order = expression::compare(value, value_);
      if (!order.comparable) return;
      if (function_ == WindowFunction::min ? order.order < 0 : order.order > 0) value_ = value;
      return;
    }
    case WindowFunction::first:
    case WindowFunction::last:
      if (count_ == 0 || (function_ == WindowFunction::first ? time < time_ : time >= time_)) {
        value_ = value;
        time_ = time;
      }
      ++count_;
      return;
    case WindowFunction::percentile:
      ++count_;
      if (!values_) values_ = std::make_unique<Percentile>();
      values_->add(value.to_real());
      return;
  }
}

Value Accumulator::result() const {
  switch (function_) {
    case WindowFunction::count: return Value::integer(static_cast<std::int64_t>(count_));
    case WindowFunction::sum: {
      const double sum = sum_ + carried_;
      if (!whole_) return Value::real(sum);
      // Where the whole sum has gone round, the two are 2^64 or more apart.
      const bool fits = std::fabs(sum - static_cast<double>(whole_sum_)) < kHalfWay;
      return fits ? Value::integer(whole_sum_) : Value::error("sum: integer overflow");
    }
    case WindowFunction::mean:
      return count_ == 0 ? Value{} : Value::real((sum_ + carried_) / static_cast<double>(count_));
    case WindowFunction::stddev:
      return count_ < 2 ? Value{} : Value::real(std::sqrt(squares_ / static_cast<double>(count_ - 1)));
    case WindowFunction::percentile:
      return values_ && values_->count() > 0 ? Value::real(values_->at(percent_)) : Value{};
    case WindowFunction::min:
    case WindowFunction::max:
    case WindowFunction::first:
    case WindowFunction::last: return value_;
  }
  return {};
}

void Accumulator::write(std::string& out) const {
  base::ByteWriter writer(out);
  writer.varint(count_);
  switch (function_) {
    case WindowFunction::count: return;
    case WindowFunction::sum:
    case WindowFunction::mean:
    case WindowFunction::stddev:
      writer.u8(whole_ ? 1 : 0);
      writer.i64(whole_sum_);
      for (const double part : {sum_, carried_, mean_, squares_}) writer.u64(std::bit_cast<std::uint64_t>(part));
      return;
    case WindowFunction::min:
    case WindowFunction::max:
    case WindowFunction::first:
    case WindowFunction::last:
      write_value(value_, out);
      writer.i64(time_.time_since_epoch().count());
      return;
    case WindowFunction::percentile: (values_ ? *values_ : Percentile{}).write(out); return;
  }
}

bool Accumulator::read(base::ByteReader& reader) {
  count_ = reader.varint();
  switch (function_) {
    case WindowFunction::count: break;
    case WindowFunction::sum:
    case WindowFunction::mean:
    case WindowFunction::stddev:
      whole_ = reader.u8() != 0;
      whole_sum_ = reader.i64();
      for (double* part : {&sum_, &carried_, &mean_, &squares_}) *part = std::bit_cast<double>(reader.u64());
      break;
    case WindowFunction::min:
    case WindowFunction::max:
    case WindowFunction::first:
    case WindowFunction::last: {
      std::optional<Value> value = read_value(reader);
      if (!value) return false;
      value_ = std::move(*value);
      time_ = Time{Duration{reader.i64()}};
      break;
    }
    case WindowFunction::percentile:
      values_ = std::make_unique<Percentile>();
      if (!values_->read(reader)) return false;
      break;
  }
  return reader.ok();
}

}  // namespace railhead::routing
