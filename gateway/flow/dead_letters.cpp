#include "gateway/flow/dead_letters.h"

#include <algorithm>
#include <array>

#include "gateway/message/json.h"

namespace railhead::flow {
namespace {

using ports::SpoolId;

constexpr std::size_t kBesideTexts = 1024;  // of a letter or its copy, and what else their group may hold
constexpr std::size_t kGrowsAtMost = 8;     // from a letter's texts to its copy: a control character is \u0001 in JSON

// At a character's end.
void cut_text(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
}

// The letter, or `cut` made of it: its texts together take at most `most` bytes.
const DeadLetter& fitting(const DeadLetter& letter, std::size_t most, DeadLetter& cut) {
  const std::array texts{&DeadLetter::source, &DeadLetter::device, &DeadLetter::topic,   &DeadLetter::rule,
                         &DeadLetter::sink,   &DeadLetter::reason, &DeadLetter::identity};
  std::size_t bytes = letter.payload.size();
  for (const auto text : texts) bytes += (letter.*text).size();
  if (bytes <= most) return letter;
  const std::size_t whole = letter.payload.size();
  const std::size_t kept = std::min({whole, kOversizedPayloadKept, most / 2});
  cut = {};
  cut.kind = letter.kind;
  cut.time = letter.time;
  cut.token = letter.token;
  for (const auto text : texts) {
    cut.*text = (letter.*text).substr(0, most / 16 + 1);
    cut_text(cut.*text, most / 16);
  }
  cut.payload = letter.payload.substr(0, kept);
  cut.cut = letter.cut || kept < whole;
  if (kept < whole) {
    cut.reason += "; the payload here is the beginning of " + std::to_string(whole) +
                  " bytes: raise dead_letters.limit to keep more";
  }
  return cut;
}

}  // namespace

DeadLetters::DeadLetters(Stores& stores, Options options, status::Reporter& reporter)
    : stores_(stores),
      options_(std::move(options)),
      reporter_(reporter),
      lane_(stores.of(SpoolId::dead).lane(kDeadLane)) {
  if (!options_.sink.empty()) sink_lane_ = stores_.of(SpoolId::telemetry).lane(options_.sink);
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
  DeadLetter cut;
  const std::size_t most = stores_.of(SpoolId::dead).group_bytes_max() - kBesideTexts;
  const DeadLetter& kept = fitting(letter, most, cut);
  batch.note({kept.source, kept.rule, kept.sink, kept.reason});
  batch.add(SpoolId::dead, lane_, 1, false, [&](std::string& out) { encode(kept, out); });
  // A letter about a record of that very sink would go in circles.
  if (!sink_lane_ || letter.sink == options_.sink) return;
  const std::size_t copy_most = stores_.of(SpoolId::telemetry).group_bytes_max() - kBesideTexts;
  std::string copy;
  encode(copy_for_sink(kept), copy);
  if (copy.size() > copy_most) {
    copy.clear();
    encode(copy_for_sink(fitting(letter, copy_most / kGrowsAtMost, cut)), copy);
  }
  batch.add(SpoolId::telemetry, *sink_lane_, 1, false, [&](std::string& out) { out += copy; });
}

void DeadLetters::report(const AppendBatch& batch) const {
  for (const AppendBatch::LetterNote& letter : batch.letters()) {
    reporter_.report(
        status::Event::dead_letter,
        {{"source", letter.source}, {"rule", letter.rule}, {"sink", letter.sink}, {"reason", letter.reason}});
  }
}

}  // namespace railhead::flow
