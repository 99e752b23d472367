#include "gateway/flow/own_source.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "gateway/config/gateway_options.h"
#include "gateway/status/log.h"

namespace railhead::flow {
namespace {

constexpr Duration kIdle = std::chrono::seconds{1};               // between two signs of progress
constexpr Duration kOfferAgain = std::chrono::milliseconds{200};  // while the intake is full
constexpr Duration kTellEvery = std::chrono::minutes{1};
constexpr std::size_t kBatch = 100;

// Set while this thread is inside the intake: what happens there is our own doing.
thread_local bool within_offer = false;

bool is_about_us(status::Fields fields) {
  return std::any_of(fields.begin(), fields.end(), [](const status::FieldValue& field) {
    return field.name == "source" && field.value == config::kOwnSource;
  });
}

std::uint32_t most_of(status::Event event) {
  const bool outcome = event == status::Event::modbus_command_done || event == status::Event::modbus_command_refused;
  return outcome ? OwnSource::kOutcomesPerMinute : OwnSource::kEventsPerMinute;
}

void add(Value::Entries& entries, std::string_view name, std::string_view text) {
  entries.emplace_back(Value::text(name), Value::text(text));
}

}  // namespace

OwnSource::OwnSource(Options options, const system::Clock& clock, status::Reporter& reporter, status::LinkStatus& link)
    : options_(std::move(options)), clock_(clock), reporter_(reporter), link_(link) {}

void OwnSource::on_event(status::Event event, status::Fields fields) noexcept {
  if (within_offer || is_about_us(fields)) return;
  const status::EventRow& row = status::row_of(event);
  if (row.level < options_.least) return;
  try {
    const BootTime now = clock_.boot_now();
    const base::MutexLock lock(mutex_);
    Share& share = shares_[static_cast<std::size_t>(event)];
    if (share.given == 0 || now - share.since >= std::chrono::minutes{1}) {
      share.since = now;
      share.given = 0;
    }
    if (share.given >= most_of(event)) {
      ++share.left_out;
      ++left_out_;
      return;
    }
    ++share.given;
    Value::Entries entries;
    add(entries, "event", row.name);
    add(entries, "level", status::name_of(row.level));
    add(entries, "text", row.sentence);
    if (!row.action.empty()) add(entries, "action", row.action);
    if (share.left_out > 0) {
      entries.emplace_back(Value::text("left_out"), Value::uinteger(std::exchange(share.left_out, 0)));
    }
    // Of two equal names the first stays: an event's fields never hide what kind it is.
    for (const status::FieldValue& field : fields) add(entries, field.name, field.value);
    push(Value::map(std::move(entries)));
  } catch (const std::exception&) {
    // No memory for one more reading: the log has the line.
  }
}

void OwnSource::push(Value value) {
  if (queue_.size() >= kQueueMax) {
    queue_.pop_front();
    ++left_out_;
  }
  Reading reading;
  reading.source = config::kOwnSource;
  reading.device = options_.gateway;
  reading.time = clock_.now();
  reading.clock_trusted = clock_.trusted();
  reading.value = std::move(value);
  queue_.push_back(std::move(reading));
  changed_.notify_all();
}

void OwnSource::run(ports::Intake& intake, std::stop_token stop) {
  const std::stop_callback waker(stop, [this] {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  });
  link_.set(status::LinkStatus::State::up);
  counters_due_ = clock_.boot_now() + options_.counters;
  told_ = clock_.boot_now();
  bool taken = true;
  while (!stop.stop_requested()) {
    {
      const base::MutexLock lock(mutex_);
      if (!stopping_ && (queue_.empty() || !taken)) changed_.wait_for(mutex_, taken ? kIdle : kOfferAgain);
    }
    const BootTime now = clock_.boot_now();
    if (options_.counters > Duration::zero() && now >= counters_due_) {
      counters_due_ += options_.counters;
      if (counters_due_ <= now) counters_due_ = now + options_.counters;  // after a stall
      take_counters();
    }
    tell_left_out(now);
    taken = hand_over(intake);
    link_.progress(now);
  }
  // What was reported until now: the last chance.
  hand_over(intake);
}

void OwnSource::take_counters() {
  if (!options_.status_document) return;
  Result<Value> document = parser_.parse(options_.status_document());
  if (!document || !document->is(Kind::map)) return;
  Value::Entries entries;
  add(entries, "event", "counters");
  add(entries, "level", "info");
  for (const auto& [name, value] : document->as_map()) {
    if (name == Value::text("events")) continue;
    entries.emplace_back(name, value);
  }
  const base::MutexLock lock(mutex_);
  push(Value::map(std::move(entries)));
}

void OwnSource::tell_left_out(BootTime now) {
  if (now - told_ < kTellEvery) return;
  told_ = now;
  std::uint64_t count = 0;
  {
    const base::MutexLock lock(mutex_);
    count = std::exchange(left_out_, 0);
  }
  if (count == 0) return;
  reporter_.report(status::Event::own_readings_left_out,
                   {{"source", std::string(config::kOwnSource)}, {"readings", std::to_string(count)}});
}

// True when nothing is left that the intake did not take.
bool OwnSource::hand_over(ports::Intake& intake) {
  for (;;) {
    if (offered_.empty()) {
      const base::MutexLock lock(mutex_);
      const std::size_t count = std::min(queue_.size(), kBatch);
      std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count), std::back_inserter(offered_));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    const std::optional<BootTime> due = intake.next_due();
    if (offered_.empty() && !(due && *due <= clock_.boot_now())) return true;
    within_offer = true;
    const Result<ports::Ticket> ticket = intake.offer(offered_);
    within_offer = false;
    if (!ticket) return false;
    if (offered_.empty()) return true;
    offered_.clear();
  }
}

}  // namespace railhead::flow
