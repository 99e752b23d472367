// What arrives on a link: which request it answers, or that it answers none.
#include <algorithm>
#include <utility>

#include "adapters/modbus/link.h"
#include "adapters/modbus/rtu.h"

namespace railhead::modbus {
namespace {

bool same_function(std::string_view request, std::string_view answer) {
  return !answer.empty() && (static_cast<unsigned char>(answer[0]) & 0x7fu) == static_cast<unsigned char>(request[0]);
}

}  // namespace

bool Link::take_frames() {
  if (options_.endpoint.rtu()) return take_rtu_frames();
  std::string_view rest(input_);
  for (;;) {
    const Result<std::optional<Frame>> frame = first_frame(rest);
    if (!frame) {
      observer_.on_discarded(name_, frame.error().what);
      broke(frame.error());
      return false;
    }
    if (!*frame) break;
    const Frame& found = **frame;
    rest.remove_prefix(found.size);
    const auto open =
        std::find_if(open_.begin(), open_.end(), [&](const Open& one) { return one.transaction == found.transaction; });
    if (open == open_.end()) {
      if (!discard("it comes too late, or answers nobody")) return false;
    } else if (found.unit != open->turn.request.unit) {
      if (!discard("unit " + std::to_string(found.unit) + " answers unit " + std::to_string(open->turn.request.unit),
                   &*open)) {
        return false;
      }
    } else if (!open->command.empty()) {
      if (!same_function(open->command, found.pdu)) {
        if (!discard("it answers another function than was asked for", &*open)) return false;
        continue;
      }
      const Open done = *open;
      open_.erase(open);
      take_command_answer(done, found.pdu);
    } else if (const Result<ReadAnswer> answer = parse_read(open->turn.request, found.pdu); !answer) {
      if (!discard(answer.error().what, &*open)) return false;
    } else {
      const Open done = std::move(*open);
      open_.erase(open);
      take_answer(done, *answer);
    }
  }
  input_.erase(0, input_.size() - rest.size());
  return true;
}

bool Link::take_rtu_frames() {
  // Whatever arrives, the line is not silent.
  if (options_.endpoint.transport == Transport::rtu) {
    quiet_until_ = std::max(quiet_until_, loop_.now() + options_.endpoint.serial.gap());
  }
  while (const std::optional<RtuFrame> found = first_rtu_answer(input_)) {
    noise_ += found->skipped;
    const std::string pdu(found->pdu);
    input_.erase(0, found->size);
    if (open_.empty()) {
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      if (!discard("it comes too late, or answers nobody")) return false;
      continue;
    }
    const Open open = open_.front();
    if (found->unit != open.turn.request.unit) {
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      if (!discard("unit " + std::to_string(found->unit) + " answers unit " + std::to_string(open.turn.request.unit),
                   &open_.front())) {
        return false;
      }
    } else if (!open.command.empty()) {
      if (!same_function(open.command, pdu)) {
        if (!discard("it answers another function than was asked for", &open_.front())) return false;
        continue;
      }
      const bool doubtful = std::any_of(owed_.begin(), owed_.end(), [&](const Owed& owed) {
        return owed.unit == found->unit && owed.until > loop_.now();
      });
      std::erase_if(owed_, [&](const Owed& owed) { return owed.unit == found->unit; });
      open_.clear();
      if (doubtful) {
        // A command is not sent again to be sure.
        finish(open);
        commands_->failed("after a silence the answer may be that to an earlier request");
      } else {
        take_command_answer(open, pdu);
      }
    } else if (const Result<ReadAnswer> answer = parse_read(open.turn.request, pdu); !answer) {
      if (!discard(answer.error().what, &open_.front())) return false;
    } else if (!believed(open)) {
      if (!discard("after a silence it may be the answer to an earlier request")) return false;
    } else {
      open_.clear();
      take_answer(open, *answer);
    }
  }
  if (input_.size() > kRtuFrameMax) {
    noise_ += input_.size() - kRtuFrameMax;
    input_.erase(0, input_.size() - kRtuFrameMax);
  }
  if (noise_ <= kNoiseMax) return true;
  observer_.on_discarded(name_, "noise: " + std::to_string(noise_) + " bytes without a frame");
  broke({Errc::protocol, "bytes that are no Modbus RTU"});
  return false;
}

// After a silence the first answer may be that to the request before. It is sent again once the other one, if there is
// one, had time to come as well.
bool Link::believed(const Open& open) {
  const auto owed =
      std::find_if(owed_.begin(), owed_.end(), [&](const Owed& one) { return one.unit == open.turn.request.unit; });
  if (owed == owed_.end()) return true;
  const bool doubtful = owed->until > loop_.now();
  owed_.erase(owed);
  if (!doubtful) return true;
  open_.clear();
  finish(open);
  scheduler_.repeat(open.turn.id);
  quiet_until_ = std::max(quiet_until_, loop_.now() + open.turn.timeout);
  return false;
}

void Link::take_command_answer(const Open& open, std::string_view pdu) {
  heard(open);
  commands_->answered(pdu);
}

void Link::heard(const Open& open) {
  finish(open);
  silences_ = 0;
  repeated_ = false;
  answered_ = true;
  discards_ -= std::min(discards_, kDiscardsBorne);
  backoff_.reset();
  if (!announced_) {
    announced_ = true;
    told_lost_ = false;
    observer_.on_connected(name_);
  }
}

void Link::take_answer(const Open& open, const ReadAnswer& answer) {
  heard(open);
  if (answer.exception != 0) {
    scheduler_.refused(answer.exception, open.turn.id);
  } else {
    scheduler_.answered(answer.payload, open.turn.id);
  }
}

bool Link::discard(const std::string& why, Open* asked) {
  observer_.on_discarded(name_, why);
  if (asked != nullptr) asked->stray = why;
  if (++discards_ < kDiscardsMax) return true;
  broke({Errc::protocol, "too many answers that nobody asked for"});
  return false;
}

}  // namespace railhead::modbus
