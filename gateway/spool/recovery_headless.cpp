// Recovery's step for segments neither copy of whose header verifies. The frames behind it verify by themselves once
// the epoch is known, and what else a header says is known from elsewhere: the number is the file's name, lanes are
// registered in one order, in which the lane states and every other header name them. Where anything of this cannot be
// told with certainty the whole file goes to damaged/.
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/spool/recovery_work.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {
namespace {

constexpr std::uint64_t kFramesBeginMin = std::uint64_t{2} * kHeaderAlignment;

// The records that verify in a file without a header.
struct Readable {
  std::uint64_t begin = 0;  // of the first one
  FrameHeader first;
  Sequence proven;  // durable, as they say
  std::size_t lanes = 0;
  std::size_t boots = 0;
};

// Sequences behind `before`; as many as the file may hold.
std::optional<Readable> readable(std::string_view bytes, Epoch epoch, std::uint64_t number, Sequence before) {
  SegmentHeader guess;
  guess.epoch = epoch;
  guess.number = number;
  guess.reused = true;
  std::optional<Readable> found;
  SegmentReader reader(bytes, guess, kFramesBeginMin, before);
  for (auto item = reader.next(); item != SegmentReader::Item::end; item = reader.next()) {
    if (item != SegmentReader::Item::frame) continue;
    const FrameHeader& frame = reader.header();
    if (!found) found = Readable{reader.offset(), frame, Sequence(0), 0, 0};
    found->proven = std::max(found->proven, frame.durable_through);
    found->lanes = std::max<std::size_t>(found->lanes, frame.lane + 1U);
    found->boots = std::max<std::size_t>(found->boots, frame.boot + 1U);
  }
  return found;
}

}  // namespace

// In the order in which they were registered; nullopt where two tell different orders.
std::optional<std::vector<std::string>> Recovery::lanes_in_order() const {
  std::vector<std::string> order = out_.lanes;
  for (const File& file : files_) {
    if (file.header.compacted) continue;  // names those that it has records of
    const std::vector<std::string>& lanes = file.header.lanes;
    const std::size_t both = std::min(order.size(), lanes.size());
    if (!std::equal(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(both), lanes.begin())) return {};
    for (std::size_t i = both; i < lanes.size(); ++i) order.push_back(lanes[i]);
  }
  return order;
}

Sequence Recovery::last_of(const File& file) const {
  if (file.header.compacted) return file.header.last;
  Sequence last(file.header.first.value() - 1);
  const auto opened = disk_.open(path(file.name), system::OpenMode::read);
  if (!opened) return last;
  FileBytes bytes(**opened, file.bytes);
  SegmentReader reader(bytes, file.header);
  for (auto item = reader.next(); item != SegmentReader::Item::end; item = reader.next()) {
    if (item == SegmentReader::Item::frame) last = reader.header().sequence;
  }
  return last;
}

std::optional<Recovery::File> Recovery::without_header(const std::string& name, std::string_view bytes,
                                                       const File* front, const File* behind) const {
  const std::optional<std::vector<std::string>> lanes = lanes_in_order();
  const std::uint64_t number = *segment_number(name);
  if (!lanes || segment_generation(name) != 0 || bytes.size() <= kFramesBeginMin) return {};
  std::vector<Epoch> epochs;
  const auto try_epoch = [&](Epoch epoch) {
    if (std::find(epochs.begin(), epochs.end(), epoch) == epochs.end()) epochs.push_back(epoch);
  };
  if (behind != nullptr) try_epoch(behind->header.epoch);
  if (front != nullptr) try_epoch(front->header.epoch);
  if (have_state_) try_epoch(state_.epoch);
  if (!state_.earlier.empty()) try_epoch(state_.earlier.back());
  // Only sequences that may be in it are looked for: so many at most, behind one of these.
  const std::uint64_t most = (bytes.size() - kFramesBeginMin) / kFrameHeaderBytes + 1;
  const auto less = [&](Sequence from) { return Sequence(from.value() > most ? from.value() - most : 0); };
  std::vector<Sequence> places;
  if (behind != nullptr) places.push_back(less(Sequence(behind->header.first.value() - 1)));
  if (front != nullptr) places.push_back(last_of(*front));
  if (have_state_) places.insert(places.end(), {less(state_.durable), state_.durable});
  for (const Epoch epoch : epochs) {
    for (const Sequence before : places) {
      const std::optional<Readable> found = readable(bytes, epoch, number, before);
      if (!found || found->lanes > lanes->size()) continue;
      // With nothing behind it, it may have been torn while it was made.
      const Sequence first = found->first.sequence;
      if (behind == nullptr && std::max(found->proven, state_.durable) < first) return {};
      SegmentHeader header;
      header.epoch = epoch;
      header.number = number;
      header.first = first;
      header.made = found->first.appended;
      header.machine = have_state_ ? state_.machine : input_.machine;
      header.boots.assign(found->boots, kNoBoot);
      header.lanes = *lanes;
      header.reused = true;  // it may have been, and only the end of its frames depends on it
      static_cast<void>(encode_header(header));
      if (header.frames_begin() > found->begin) {  // it had fewer lanes
        header.lanes.resize(found->lanes);
        static_cast<void>(encode_header(header));
      }
      if (header.frames_begin() > found->begin) return {};
      return File{name, std::move(header), bytes.size(), true};
    }
  }
  return {};
}

void Recovery::read_headless() {
  for (auto one = headless_.rbegin(); one != headless_.rend(); ++one) {  // a younger one found helps an older
    const std::string& name = one->first;
    const auto at = std::find_if(files_.begin(), files_.end(), [&](const File& file) { return name < file.name; });
    const File* const behind = at == files_.end() ? nullptr : &*at;
    const File* const front = at == files_.begin() ? nullptr : &*std::prev(at);
    const auto opened = disk_.open(path(name), system::OpenMode::read);
    const Result<ReadBack> read = opened ? read_whole(**opened) : fail(opened.error());
    std::optional<File> file;
    if (read) file = without_header(name, read->bytes, front, behind);
    if (file) {
      files_.insert(at, std::move(*file));
      continue;
    }
    const std::uint64_t bytes = read ? read->bytes.size() : 0;
    const std::string why = name + ": " + one->second;
    if (behind != nullptr || segment_generation(name) != 0) {  // all of it was durable when the younger one was made
      set_aside(name, why, bytes, false);
      if (behind == nullptr) tail_lost_ = why;
    } else {
      complain(why);
      out_.repairs.push_back({Repair::Kind::set_aside, name, 0, 0, false});
      lost_tail_ = name;
      lost_tail_bytes_ += bytes;
    }
  }
}

// A youngest segment of which nothing is left: torn while it was made, unless the lane states know records of it.
void Recovery::judge_lost_tail() {
  if (lost_tail_.empty()) return;
  Sequence last;
  for (const Scanned& scanned : scanned_) last = std::max(last, scanned.segment.last);
  if (have_state_ && last < state_.durable) {
    out_.damaged_bytes += lost_tail_bytes_;
    tail_lost_ = lost_tail_ + " has no header";  // what was younger may have been seen outside
  } else {
    out_.cut_bytes += lost_tail_bytes_;
  }
}

}  // namespace railhead::spool
