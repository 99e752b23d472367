#include "adapters/mqtt/probe.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "adapters/mqtt/credentials.h"
#include "adapters/tls/context.h"
#include "gateway/base/mutex.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/thread.h"

namespace railhead::mqtt {
namespace {

using status::Event;

constexpr std::chrono::milliseconds kTick{250};

// Takes readings into the survey instead of a spool.
class SurveyIntake final : public ports::Intake, private ports::Deliveries {
 public:
  explicit SurveyIntake(Survey& survey) : survey_(survey) {}

  Result<ports::Ticket> offer(std::span<const Reading> batch) override {
    for (const Reading& reading : batch) {
      const Value* topic = reading.attributes.find("topic");
      const Value* retained = reading.attributes.find("retained");
      survey_.add(topic->as_text(), reading.value.as_text(), retained->as_boolean());
    }
    messages_ += batch.size();
    return ports::Ticket{};
  }
  Result<ports::Ticket> refuse(const ports::RawInput&, const Error&) override { return ports::Ticket{}; }
  void ignored(std::uint64_t) override {}
  void repeated(std::uint64_t) override {}
  ports::Ticket durable() const override { return {}; }
  int durable_fd() const override { return never_.fd(); }
  std::optional<BootTime> next_due() const override { return std::nullopt; }
  ports::Deliveries& deliveries() override { return *this; }

  [[nodiscard]] std::uint64_t messages() const { return messages_; }

 private:
  bool is_open(const FieldToken&) const override { return false; }
  ports::Ticket open_ticket(const FieldToken&) const override { return {}; }
  Result<ports::Ticket> close(std::uint64_t, std::uint16_t) override { return ports::Ticket{}; }
  void acknowledged(std::uint64_t, std::span<const std::uint16_t>) override {}
  void session_lost(std::uint64_t) override {}

  Survey& survey_;
  system::EventFd never_;
  std::atomic<std::uint64_t> messages_{0};
};

// Remembers the refusal of the subscription; the rest is in the link's status.
class Listener final : public status::Reporter {
 public:
  void report(Event event, status::Fields fields) override {
    if (event != Event::subscription_refused) return;
    const base::MutexLock lock(mutex_);
    for (const status::FieldValue& field : fields) {
      if (field.name == "error") refused_ = field.value;
    }
  }
  [[nodiscard]] std::string refused() const {
    const base::MutexLock lock(mutex_);
    return refused_;
  }

 private:
  mutable base::Mutex mutex_;
  std::string refused_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace

Result<void> probe(const ProbeSettings& settings, Probed& out,
                   const std::function<void(std::uint64_t messages)>& progress) {
  Result<TopicPattern> pattern = TopicPattern::parse(settings.filter);
  if (!pattern) return fail(pattern.error().in("topic"));
  if (const auto password = password_of(settings.password); !password)
    return fail(Errc::invalid, password.error().what);
  if (settings.url.tls) {
    if (const auto tls = tls::Context::make(settings.tls); !tls) return fail(Errc::invalid, tls.error().what);
  }
  SourceSettings source;
  source.urls = {settings.url};
  source.tls = settings.tls;
  source.user = settings.user;
  source.password = settings.password;
  source.session.client_id = "railhead-probe-" + std::to_string(::getpid());
  source.session.clean_start = true;
  source.rows.push_back({std::move(*pattern), PayloadFormat::raw, {}});
  source.qos.push_back(0);

  system::SystemClock clock;
  Listener reporter;
  status::LinkStatus link;
  SurveyIntake intake(out.survey);
  const std::unique_ptr<ports::Source> made = make_source(std::move(source), {"probe", "probe", clock, reporter, link});
  std::jthread thread =
      system::start_thread("probe", [&](std::stop_token stop) { made->run(intake, std::move(stop)); });
  std::optional<BootTime> since;
  std::string why;
  const BootTime until = clock.boot_now() + settings.listen;
  for (BootTime now = clock.boot_now(); now < until; now = clock.boot_now()) {
    std::this_thread::sleep_for(std::min<Duration>(kTick, until - now));
    if (!since && link.state() == status::LinkStatus::State::up) since = now;
    if (const std::string said = link.why(); !said.empty()) why = said;
    progress(intake.messages());
  }
  thread.request_stop();
  thread.join();
  if (const std::string refused = reporter.refused(); !refused.empty()) return fail(Errc::denied, refused);
  if (!since) return fail(Errc::unavailable, why.empty() ? "the broker does not answer" : why);
  out.listened = until - *since;
  return {};
}

}  // namespace railhead::mqtt
