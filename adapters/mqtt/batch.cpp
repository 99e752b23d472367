#include "adapters/mqtt/batch.h"

#include <utility>

namespace railhead::mqtt {

void Batch::begin() {
  const std::vector<Session::Inbound>& inbox = parts_.link.inbox();
  reading_count_ = 0;
  refusals_.clear();
  fates_.clear();
  left_out_ = 0;
  offered_ = false;
  ticket_ = {};
  refused_ = acknowledged_ = acknowledged_refusals_ = 0;
  for (std::size_t item = 0; item < inbox.size(); ++item) judge(item);
}

void Batch::judge(std::size_t item) {
  const Session::Inbound& inbound = parts_.link.inbox()[item];
  const Publish& publish = inbound.publish;
  if (inbound.kind == Session::Inbound::Kind::release) {
    fates_.push_back(Fate::release);
    return;
  }
  if (publish.qos == 2 && parts_.intake.deliveries().is_open(*parts_.interpreter.token_of(publish))) {
    fates_.push_back(Fate::repeat);
    return;
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
      parts_.interpreter.read(publish, inbound.subscription, parts_.clock.now(), parts_.clock.trusted(), reading);
  if (!outcome) {
    fates_.push_back(Fate::refused);
    refusals_.push_back({item, reading.device, outcome.error(), {}});
    return;
  }
  switch (*outcome) {
    case Interpreter::Outcome::reading:
      ++reading_count_;
      fates_.push_back(Fate::offered);
      return;
    case Interpreter::Outcome::unmatched:
      parts_.reporter.report(status::Event::subscription_stale,
                             {{"source", parts_.source}, {"topic", std::string(publish.topic)}});
      break;
    case Interpreter::Outcome::retained_ignored:
    case Interpreter::Outcome::further_copy: break;
  }
  ++left_out_;
  fates_.push_back(Fate::left_out);
}

Result<void> Batch::go_on() {
  if (!offered_) {
    if (reading_count_ > 0) {
      const Result<ports::Ticket> ticket = parts_.intake.offer({readings_.data(), reading_count_});
      if (!ticket) return fail(ticket.error());
      ticket_ = *ticket;
    }
    if (left_out_ > 0) parts_.intake.ignored(left_out_);
    offered_ = true;
  }
  for (; refused_ < refusals_.size(); ++refused_) {
    Refusal& refusal = refusals_[refused_];
    const Publish& publish = parts_.link.inbox()[refusal.item].publish;
    const ports::RawInput raw{parts_.source, refusal.device, publish.topic, publish.payload,
                              parts_.interpreter.token_of(publish)};
    const Result<ports::Ticket> ticket = parts_.intake.refuse(raw, refusal.why);
    if (!ticket) return fail(ticket.error());
    refusal.ticket = *ticket;
    parts_.reporter.report(
        status::Event::payload_refused,
        {{"source", parts_.source}, {"topic", std::string(publish.topic)}, {"error", refusal.why.what}});
  }
  for (; acknowledged_ < fates_.size(); ++acknowledged_) {
    if (Result<void> done = acknowledge(acknowledged_); !done) return done;
  }
  parts_.link.clear_inbox();
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
      const Result<ports::Ticket> closed =
          parts_.intake.deliveries().close(parts_.interpreter.session(), inbound.packet_id);
      if (!closed) return fail(closed.error());
      parts_.link.acknowledge(PacketType::pubcomp, inbound.packet_id, parts_.durable ? *closed : ports::Ticket{});
      return {};
    }
  }
  if (publish.qos == 0) return {};
  parts_.link.acknowledge(publish.qos == 1 ? PacketType::puback : PacketType::pubrec, publish.packet_id,
                          parts_.durable ? ticket : ports::Ticket{});
  return {};
}

void Batch::relax() {
  constexpr std::size_t kKept = 64;
  if (readings_.size() <= kKept) return;
  readings_.resize(kKept);
  readings_.shrink_to_fit();
  fates_ = {};
  refusals_ = {};
}

}  // namespace railhead::mqtt
