#include "gateway/spool/spool.h"

#include "gateway/spool/engine.h"

namespace railhead::spool {

Result<std::unique_ptr<Spool>> Spool::open(system::Disk& disk, const system::Clock& clock, const SpoolOptions& options,
                                           status::Reporter& reporter) {
  auto engine = std::make_unique<Engine>(disk, clock, options, reporter);
  if (const Result<void> opened = engine->open(); !opened) return fail(opened.error());
  return std::unique_ptr<Spool>(new Spool(std::move(engine)));
}

Spool::Spool(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Spool::~Spool() = default;

Epoch Spool::epoch() const { return engine_->epoch(); }
LaneId Spool::lane(std::string_view name) { return engine_->lane(name); }
Result<Sequence> Spool::append(std::span<const Entry> groups) { return engine_->append(groups); }
std::size_t Spool::group_bytes_max() const { return engine_->group_bytes_max(); }
Sequence Spool::durable() const { return engine_->durable(); }
Sequence Spool::next() const { return engine_->next(); }
void Spool::subscribe(const system::EventFd* event) { engine_->subscribe(event); }
void Spool::unsubscribe(const system::EventFd* event) { engine_->unsubscribe(event); }

Result<Sequence> Spool::read(LaneId lane, Sequence from, std::size_t records_max, std::size_t bytes_max,
                             std::vector<Frame>& out) {
  return engine_->read(lane, from, records_max, bytes_max, out);
}

void Spool::settle(LaneId lane, Sequence one, Outcome outcome) {
  engine_->settle(lane, std::span<const Sequence>(&one, 1), outcome);
}
void Spool::settle(LaneId lane, std::span<const Sequence> many, Outcome outcome) {
  engine_->settle(lane, many, outcome);
}
void Spool::hold(LaneId lane, std::span<const Sequence> many) { engine_->set_held(lane, many, true); }
void Spool::release(LaneId lane, std::span<const Sequence> many) { engine_->set_held(lane, many, false); }
void Spool::count_repeat(LaneId lane) { engine_->count_repeat(lane); }
Result<std::uint64_t> Spool::drop_lane(std::string_view name) { return engine_->drop_lane(name); }

status::LaneLedger Spool::ledger(LaneId lane) const { return engine_->ledger(lane); }
std::vector<LaneInfo> Spool::lanes() const { return engine_->lanes(); }
void Spool::set_note(std::string note) { engine_->set_note(std::move(note)); }
std::string Spool::note() const { return engine_->note(); }
Result<void> Spool::for_each(Sequence from, const std::function<void(const Frame&)>& visit,
                             const std::stop_token& enough) const {
  return engine_->for_each(from, visit, enough);
}
Usage Spool::usage() const { return engine_->usage(); }
Result<void> Spool::flush(Duration at_most) { return engine_->flush(at_most); }

}  // namespace railhead::spool
