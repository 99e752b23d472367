// SourceEngine's way in: bytes, packets, batches, and what became durable.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "adapters/mqtt/source_engine.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"

namespace railhead::mqtt {

using status::LinkStatus;

namespace {

constexpr std::size_t kReadBytesMost = 256 * 1024;    // grown to only while reads fill it
constexpr int kRoundsMax = 16;                        // of reads before other events of the loop have their turn
constexpr Duration kRelax = std::chrono::seconds{2};  // after which a burst's memory goes

}  // namespace

void SourceEngine::on_link_ready(bool broken) {
  context_.link.progress(loop_.now());
  take_turn(broken);
  context_.link.sleeps_until(housekeeping_due_);
}

void SourceEngine::take_turn(bool broken) {
  if (leaving_) return leave(broken);
  if (reads()) {
    pull();
  } else if (broken && (blocked_ || !has_batch())) {
    return lost({Errc::unavailable, "the connection broke"});
  }
  // Broken in the midst of a batch: what came behind that is still good, and the end will be read after it.
  flush();
  go_on_if_stalled();
}

void SourceEngine::go_on_if_stalled() {
  if (!stalled_ || !reads()) return;
  stalled_ = false;
  session_.resumed(loop_.now());
  if (take_all(loop_.now())) pull();
  flush();
}

void SourceEngine::pull() {
  const BootTime now = loop_.now();
  for (int round = 0; round < kRoundsMax && reads() && link_.is_up(); ++round) {
    // A secured link holds decrypted bytes the loop knows nothing of: it is read until it would block.
    std::size_t got = 0;
    bool drained = false;
    while (!buffer_.full() && !drained) {
      const std::span<char> space = buffer_.space();
      const Result<std::size_t> count = link_.read(space);
      if (!count) {
        if (!take_all(now)) return;  // what came before the end is still good
        return lost(count.error());
      }
      buffer_.added(*count);
      got += *count;
      drained = *count == 0 || (*count < space.size() && !link_.hides_bytes());
    }
    if (got == 0) return;
    const bool filled = buffer_.full();
    if (!take_all(now)) return;
    if (filled) grow();
    if (drained) return;
  }
  // More may be there than the loop will tell of.
  if (link_.is_up() && link_.hides_bytes() && reads()) {
    loop_.cancel(pull_timer_);
    pull_timer_ = loop_.after(Duration::zero(), [this] {
      pull_timer_ = 0;
      on_link_ready(false);
    });
  }
}

void SourceEngine::grow() {
  const std::size_t most =
      buffer_.full() ? std::max<std::size_t>(kReadBytesMost, settings_.session.packet_bytes_max + 5) : kReadBytesMost;
  if (buffer_.capacity() < most) buffer_.resize(std::min(most, buffer_.capacity() * 2));
  relax_later();
}

bool SourceEngine::take_all(BootTime now) {
  while (session_.is_open() && session_.accepts()) {
    Result<std::size_t> taken = session_.receive(buffer_.bytes(), now);
    if (!taken) {
      // What was received before the fault is delivered; nothing of it can be acknowledged any more.
      flush_last_words();
      const Error why = taken.error();
      if (!session_.inbox().empty()) {
        batch_.begin();
        deliver_batch();
      }
      lost(why);
      return false;
    }
    in_hand_ = *taken;
    if (session_.inbox().empty()) {
      buffer_.take(std::exchange(in_hand_, 0));
      return true;
    }
    batch_.begin();
    if (!deliver_batch()) return false;
    // What became durable meanwhile goes now: the broker sends on while the rest is taken.
    flush_acknowledgements();
  }
  stalled_ = session_.is_open();
  return stalled_;
}

bool SourceEngine::deliver_batch() {
  const Result<bool> done = batch_.go_on();
  if (!done) {
    blocked_ = true;
    blocked_by_ = done.error().what;
    context_.link.held(batch_.held());
    show_state();
    batch_timer_ = loop_.after(retry_backoff_.next(), [this] { go_on_with_batch(); });
    link_.watch(false, !session_.output().empty());
    return false;
  }
  if (std::exchange(blocked_, false)) {
    retry_backoff_.reset();
    show_state();
  }
  if (batch_.is_burst()) relax_later();
  session_.release(intake_.durable());
  context_.link.held(*done ? 0 : batch_.held());
  if (!*done) {
    batch_timer_ = loop_.after(Duration::zero(), [this] { go_on_with_batch(); });
    return false;
  }
  buffer_.take(std::exchange(in_hand_, 0));
  schedule_window();
  return true;
}

void SourceEngine::go_on_with_batch() {
  batch_timer_ = 0;
  context_.link.progress(loop_.now());
  if (deliver_batch() && !stopping_) {
    if (session_.is_open()) {
      session_.resumed(loop_.now());
      if (take_all(loop_.now())) pull();
    } else if (reconnect_timer_ == 0) {
      connect();
    }
  }
  flush();
  context_.link.sleeps_until(housekeeping_due_);
}

void SourceEngine::on_durable() {
  context_.link.progress(loop_.now());
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(intake_.durable_fd(), &count, sizeof count);
  session_.release(intake_.durable());
  flush();
  go_on_if_stalled();
  if (!has_batch()) schedule_window();  // a reload may have given it something to close
  context_.link.sleeps_until(housekeeping_due_);
}

void SourceEngine::on_acknowledged(std::span<const std::uint16_t> packet_ids) {
  intake_.deliveries().acknowledged(session_hash_, packet_ids);
}

void SourceEngine::schedule_window() {
  const std::optional<BootTime> due = intake_.next_due();
  if (due == window_due_) return;
  loop_.cancel(window_timer_);
  window_timer_ = 0;
  window_due_ = due;
  if (!due) return;
  window_timer_ = loop_.at(*due, [this] { close_windows(); });
}

void SourceEngine::close_windows() {
  window_timer_ = 0;
  window_due_.reset();
  if (has_batch()) return;  // it comes first; then windows are scheduled anew
  if (!intake_.offer({})) {
    window_timer_ = loop_.after(std::chrono::seconds{1}, [this] { close_windows(); });
    return;
  }
  schedule_window();
}

void SourceEngine::relax_later() {
  busy_ = true;
  if (relax_timer_ == 0) relax_timer_ = loop_.after(kRelax, [this] { relax(); });
}

void SourceEngine::relax() {
  relax_timer_ = 0;
  if (std::exchange(busy_, false) || has_batch() || buffer_.bytes().size() > ReadBuffer::kLeast) {
    relax_timer_ = loop_.after(kRelax, [this] { relax(); });
    return;
  }
  batch_.relax();
  if (buffer_.capacity() > ReadBuffer::kLeast) buffer_.resize(ReadBuffer::kLeast);
}

}  // namespace railhead::mqtt
