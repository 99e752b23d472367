#include "adapters/file/sink.h"

#include <poll.h>

#include <algorithm>
#include <string>

#include "adapters/file/line.h"
#include "adapters/file/line_file.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/backoff.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::file {
namespace {

using status::Event;
using status::LinkStatus;
using std::chrono::milliseconds;

constexpr ports::Limits kBatch{.records = 1'000, .bytes = 1024 * 1024, .wait = std::chrono::minutes{1}};
constexpr milliseconds kTick{500};

}  // namespace

FileSink::FileSink(FileOptions options, ports::Context context)
    : options_(std::move(options)), context_(std::move(context)) {}

void FileSink::run(ports::Outlet& outlet, std::stop_token stop) {
  LineFile file({.path = options_.path.string(), .rotate = options_.rotate.value(), .keep = options_.keep});
  LineWriter writer(context_.gateway, options_.envelope);
  system::Backoff backoff({}, system::random_seed());
  const system::EventFd wake;
  const std::stop_callback wake_up(stop, [&wake] { wake.signal(); });
  std::string lines;
  bool up = false;
  bool lost = false;

  const auto fine = [&] {
    if (up) return;
    up = true;
    lost = false;
    backoff.reset();
    context_.link.set(LinkStatus::State::up);
    context_.reporter.report(Event::sink_connected, {{"sink", context_.name}});
  };
  const auto failed = [&](const Error& error) {
    up = false;
    if (!lost) context_.reporter.report(Event::sink_lost, {{"sink", context_.name}, {"error", error.what}});
    lost = true;
    context_.link.set(LinkStatus::State::down, error.what);
    const BootTime until = context_.clock.boot_now() + backoff.next();
    for (BootTime now = context_.clock.boot_now(); now < until && !stop.stop_requested();
         now = context_.clock.boot_now()) {
      context_.link.progress(now);
      pollfd waits{.fd = wake.fd(), .events = POLLIN, .revents = 0};
      const auto left = std::chrono::ceil<milliseconds>(until - now);
      static_cast<void>(::poll(&waits, 1, static_cast<int>(std::min(left, kTick).count())));
    }
  };

  while (!stop.stop_requested()) {
    context_.link.progress(context_.clock.boot_now());
    if (!up) {
      if (const Result<void> opened = file.open(); !opened) {
        failed(opened.error());
        continue;
      }
      // A file that opens but does not take writes (a full disk) is not up before a batch is in it.
      if (!lost) fine();
    }
    context_.link.sleeps_until(context_.clock.boot_now() + kBatch.wait);
    const std::span<const ports::Outgoing> batch = outlet.next(kBatch, stop);
    context_.link.progress(context_.clock.boot_now());
    if (batch.empty()) continue;
    lines.clear();
    for (const ports::Outgoing& outgoing : batch) writer.write(outgoing, lines);
    if (const Result<void> appended = file.append(lines); !appended) {
      failed(appended.error());
      outlet.rewind();
      continue;
    }
    for (const ports::Outgoing& outgoing : batch) outlet.settle(outgoing.place);
    fine();
  }
}

}  // namespace railhead::file
