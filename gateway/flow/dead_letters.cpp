#include "gateway/flow/dead_letters.h"

#include "gateway/message/json.h"

namespace railhead::flow {

DeadLetters::DeadLetters(Stores& stores, Options options, status::Reporter& reporter)
    : stores_(stores),
      options_(std::move(options)),
      reporter_(reporter),
      lane_(stores.of(ports::SpoolId::dead).lane(kDeadLane)) {
  if (!options_.sink.empty()) sink_lane_ = stores_.of(ports::SpoolId::telemetry).lane(options_.sink);
}

Record DeadLetters::copy_for_sink(const DeadLetter& letter) const {
  Record record;
  record.sink = options_.sink;
  record.topic = options_.topic;
  record.routing_key = options_.topic;
  record.key = letter.source + "/" + letter.device;
  record.time = letter.time;
  record.source = letter.source;
  record.device = letter.device;
  record.type = "railhead.dead_letter";
  record.body = to_json(describe(letter));
  return record;
}

void DeadLetters::add(const DeadLetter& letter, AppendBatch& batch) const {
  reporter_.report(
      status::Event::dead_letter,
      {{"source", letter.source}, {"rule", letter.rule}, {"sink", letter.sink}, {"reason", letter.reason}});
  batch.add(ports::SpoolId::dead, lane_, 1, false, [&](std::string& out) { encode(letter, out); });
  // A letter about a record of that very sink would go in circles.
  if (sink_lane_ && letter.sink != options_.sink) {
    batch.add(ports::SpoolId::telemetry, *sink_lane_, 1, false,
              [&](std::string& out) { encode(copy_for_sink(letter), out); });
  }
}

Result<ports::Ticket> DeadLetters::append(const DeadLetter& letter) const {
  AppendBatch batch;
  add(letter, batch);
  batch.end_group();
  return batch.append(stores_);
}

}  // namespace railhead::flow
