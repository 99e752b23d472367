#include "adapters/mqtt/batch.h"

#include <utility>

namespace railhead::mqtt {

void Batch::begin() {
  refusals_.clear();
  fates_.clear();
  refused_ = acknowledged_ = acknowledged_refusals_ = 0;
  arrived_ = parts_.clock.now();
  clock_trusted_ = parts_.clock.trusted();
  begin_part();
}

void Batch::begin_part() {
  const std::vector<Session::Inbound>& inbox = parts_.link.inbox();
  reading_count_ = 0;
  part_bytes_ = 0;
  left_out_ = 0;
  repeated_ = 0;
  offered_ = false;
  ticket_ = {};
  while (fates_.size() < inbox.size() && part_bytes_ < kPartBytes) judge(fates_.size());
}

void Batch::judge(std::size_t item) {
  const Session::Inbound& inbound = parts_.link.inbox()[item];
  const Publish& publish = inbound.publish;
  if (inbound.kind == Session::Inbound::Kind::release) {
    fates_.push_back(Fate::release);
    return;
  }
  if (publish.qos == 2 && is_repeat(publish)) {
    ++repeated_;
    return fates_.push_back(Fate::repeat);
  }
  if (inbound.kind == Session::Inbound::Kind::oversized) {
    fates_.push_back(Fate::refused);
    refusals_.push_back({item,
                         {},
                         {Errc::invalid, "a packet of " + std::to_string(inbound.whole_bytes) +
                                             " bytes is above max_packet; its beginning is kept"},
                         {}});
    return;
  }
  if (reading_count_ == readings_.size()) readings_.emplace_back();
  Reading& reading = readings_[reading_count_];
  const Result<Interpreter::Outcome> outcome =
      parts_.interpreter.read(publish, inbound.subscription, arrived_, clock_trusted_, reading);
  part_bytes_ += parts_.interpreter.payload_bytes();
  if (!outcome) {
    fates_.push_back(Fate::refused);
    refusals_.push_back({item, reading.device, outcome.error(), {}});
    return;
  }
  switch (*outcome) {
    case Interpreter::Outcome::reading:
      if (parts_.interpreter.splits()) return judge_split(item);
      ++reading_count_;
      fates_.push_back(Fate::offered);
      return;
    case Interpreter::Outcome::unmatched:
      parts_.reporter.report(status::Event::subscription_stale,
                             {{"source", parts_.source}, {"topic", std::string(publish.topic)}});
      break;
    case Interpreter::Outcome::retained_ignored: break;
    case Interpreter::Outcome::further_copy: ++repeated_; return fates_.push_back(Fate::left_out);
  }
  ++left_out_;
  fates_.push_back(Fate::left_out);
}

bool Batch::is_repeat(const Publish& publish) const {
  return parts_.intake.deliveries().is_open(*parts_.interpreter.token_of(publish));
}

// The reading behind the last one is to be split.
void Batch::judge_split(std::size_t item) {
  const Publish& publish = parts_.link.inbox()[item].publish;
  // Only its last part has a token: the whole is recognised here, not by the intake.
  if (publish.qos == 1 && publish.dup && is_repeat(publish)) {
    ++repeated_;
    return fates_.push_back(Fate::repeat);
  }
  const Reading whole = std::move(readings_[reading_count_]);
  readings_.resize(reading_count_);
  if (const Result<void> done = parts_.interpreter.split(whole, readings_); !done) {
    fates_.push_back(Fate::refused);
    refusals_.push_back({item, whole.device, done.error(), {}});
    return;
  }
  // An empty list is nothing to read.
  if (readings_.size() == reading_count_) ++left_out_;
  fates_.push_back(readings_.size() == reading_count_ ? Fate::left_out : Fate::offered);
  part_bytes_ += (readings_.size() - reading_count_) * sizeof(Reading);
  reading_count_ = readings_.size();
}

Result<bool> Batch::go_on() {
  if (acknowledged_ == fates_.size()) begin_part();  // the one before is through
  if (Result<void> done = offer_part(); !done) return fail(std::move(done.error()));
  if (fates_.size() < parts_.link.inbox().size()) return false;
  parts_.link.clear_inbox();
  return true;
}

Result<void> Batch::offer_part() {
  if (!offered_) {
    if (reading_count_ > 0) {
      const Result<ports::Ticket> ticket = parts_.intake.offer({readings_.data(), reading_count_});
      if (!ticket) return fail(ticket.error());
      ticket_ = *ticket;
    }
    if (left_out_ > 0) parts_.intake.ignored(left_out_);
    if (repeated_ > 0) parts_.intake.repeated(repeated_);
    if (const std::uint64_t missing = parts_.interpreter.take_missing_times(); missing > 0) {
      parts_.reporter.report(status::Event::payload_time_missing,
                             {{"source", parts_.source}, {"messages", std::to_string(missing)}});
    }
    offered_ = true;
  }
  for (; refused_ < refusals_.size(); ++refused_) {
    Refusal& refusal = refusals_[refused_];
    const Publish& publish = parts_.link.inbox()[refusal.item].publish;
    const bool cut = parts_.link.inbox()[refusal.item].kind == Session::Inbound::Kind::oversized;
    const ports::RawInput raw{
        parts_.source, refusal.device, publish.topic, publish.payload, parts_.interpreter.token_of(publish), cut};
    const Result<ports::Ticket> ticket = parts_.intake.refuse(raw, refusal.why);
    if (!ticket) return fail(ticket.error());
    refusal.ticket = *ticket;
    parts_.reporter.report(
        status::Event::payload_refused,
        {{"source", parts_.source}, {"topic", std::string(publish.topic)}, {"error", refusal.why.what}});
    if (parts_.answers) {
      std::string answer = R"({"error":)";
      write_json_text(refusal.why.what, answer);
      parts_.link.answer(publish, answer + "}");
    }
  }
  for (; acknowledged_ < fates_.size(); ++acknowledged_) {
    if (Result<void> done = acknowledge(acknowledged_); !done) return done;
  }
  // The values of large payloads are not kept for the next ones.
  if (part_bytes_ >= kPartBytes) readings_ = {};
  return {};
}

Result<void> Batch::acknowledge(std::size_t item) {
  const Session::Inbound& inbound = parts_.link.inbox()[item];
  const Publish& publish = inbound.publish;
  ports::Ticket ticket;
  switch (fates_[item]) {
    case Fate::offered: ticket = ticket_; break;
    case Fate::refused: ticket = refusals_[acknowledged_refusals_++].ticket; break;
    case Fate::left_out: break;
    case Fate::repeat: ticket = parts_.intake.deliveries().open_ticket(*parts_.interpreter.token_of(publish)); break;
    case Fate::release: {
      // Two URLs may lead to one session: an identifier that stayed open under the other would swallow a new message.
      for (const std::uint64_t session : sessions_) {
        const Result<ports::Ticket> closed = parts_.intake.deliveries().close(session, inbound.packet_id);
        if (!closed) return fail(closed.error());
        ticket.raise(*closed);
      }
      parts_.link.acknowledge(PacketType::pubcomp, inbound.packet_id, parts_.durable ? ticket : ports::Ticket{});
      return {};
    }
  }
  if (publish.qos == 0) return {};
  parts_.link.acknowledge(publish.qos == 1 ? PacketType::puback : PacketType::pubrec, publish.packet_id,
                          parts_.durable ? ticket : ports::Ticket{});
  return {};
}

std::uint32_t Batch::held() const {
  const std::vector<Session::Inbound>& inbox = parts_.link.inbox();
  std::uint32_t count = 0;
  std::size_t refusal = acknowledged_refusals_;
  for (std::size_t item = acknowledged_; item < inbox.size(); ++item) {
    const Publish& publish = inbox[item].publish;
    const bool judged = item < fates_.size();
    if (judged && fates_[item] == Fate::refused && refusal++ < refused_) continue;
    if (judged && fates_[item] == Fate::offered && offered_) continue;
    if (inbox[item].kind != Session::Inbound::Kind::release && publish.qos > 0 && !is_repeat(publish)) ++count;
  }
  return count;
}

void Batch::relax() {
  parts_.interpreter.relax();
  for (Reading& reading : readings_) reading.value = Value();
  if (readings_.size() <= kKept) return;
  readings_.resize(kKept);
  readings_.shrink_to_fit();
  fates_ = {};
  refusals_ = {};
}

}  // namespace railhead::mqtt
