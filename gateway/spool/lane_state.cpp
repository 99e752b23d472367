#include "gateway/spool/lane_state.h"

#include <algorithm>
#include <utility>

#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/format.h"

namespace railhead::spool {
namespace {

constexpr std::string_view kMagic = "RHLANES\n";
constexpr std::size_t kHeadBytes = 24;

std::uint32_t state_crc(std::string_view bytes) {
  return base::crc32c(bytes.substr(kHeadBytes), base::crc32c(bytes.substr(8, 12)));
}

void write_ledger(base::ByteWriter& writer, const status::LaneLedger& ledger) {
  for (const std::uint64_t count :
       {ledger.carried_over, ledger.accepted, ledger.delivered, ledger.spooled, ledger.held, ledger.set_aside,
        ledger.expired, ledger.damaged, ledger.dropped, ledger.repeats, ledger.dropped_full}) {
    writer.varint(count);
  }
}

status::LaneLedger read_ledger(base::ByteReader& reader, std::uint32_t version) {
  status::LaneLedger ledger;
  for (std::uint64_t* count : {&ledger.carried_over, &ledger.accepted, &ledger.delivered, &ledger.spooled, &ledger.held,
                               &ledger.set_aside, &ledger.expired, &ledger.damaged, &ledger.dropped, &ledger.repeats}) {
    *count = reader.varint();
  }
  if (version >= 2) ledger.dropped_full = reader.varint();
  return ledger;
}

}  // namespace

std::string encode_state(const StoredState& state) {
  std::string bytes(kMagic);
  base::ByteWriter writer(bytes);
  writer.u32(kFormatVersion);
  writer.u32(0);
  writer.u32(0);
  writer.u32(0);
  writer.u64(state.epoch.value());
  writer.varint(state.earlier.size());
  for (const Epoch epoch : state.earlier) writer.u64(epoch.value());
  writer.u64(state.machine);
  writer.u64(state.birth);
  writer.varint(state.durable.value());
  writer.varint(state.next_segment);
  writer.varint(state.lanes.size());
  for (const StoredLane& lane : state.lanes) {
    writer.text(lane.name);
    writer.varint(lane.low_water.value());
    write_ledger(writer, lane.ledger);
  }
  writer.varint(state.segments.size());
  for (const StoredSegment& segment : state.segments) {
    writer.varint(segment.number);
    writer.varint(segment.first.value());
    writer.varint(segment.last.value());
    writer.varint(segment.full.size());
    for (const LaneId lane : segment.full) writer.varint(lane.value());
    writer.varint(segment.bits.words().size());
    std::uint64_t before = 0;
    for (const SettledBits::Word& word : segment.bits.words()) {
      writer.varint(word.index - before);
      writer.u64(word.bits);
      before = word.index;
    }
  }
  writer.text(state.note);
  base::store_le(bytes.data() + 16, static_cast<std::uint32_t>(bytes.size() - kHeadBytes));
  base::store_le(bytes.data() + 20, state_crc(bytes));
  return bytes;
}

Result<StoredState> decode_state(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || bytes.substr(0, 8) != kMagic) return fail(Errc::damaged, "no lane states in it");
  const std::uint32_t body = base::load_le<std::uint32_t>(bytes.data() + 16);
  if (body > bytes.size() - kHeadBytes) return fail(Errc::damaged, "lane states are cut short");
  bytes = bytes.substr(0, kHeadBytes + body);
  if (base::load_le<std::uint32_t>(bytes.data() + 20) != state_crc(bytes)) {  // durable: crc check
    return fail(Errc::damaged, "lane states fail their checksum");
  }
  const std::uint32_t version = base::load_le<std::uint32_t>(bytes.data() + 8);
  if (version > kFormatVersion) {
    return fail(Errc::unsupported, "lane states have format version " + std::to_string(version) +
                                       ", this program knows " + std::to_string(kFormatVersion));
  }
  if (base::load_le<std::uint32_t>(bytes.data() + 12) != 0) {
    return fail(Errc::unsupported, "lane states use a feature this program does not know");
  }
  base::ByteReader reader(bytes.substr(kHeadBytes));
  StoredState state;
  state.epoch = Epoch(reader.u64());
  for (std::uint64_t count = reader.varint(); count > 0 && reader.ok(); --count)
    state.earlier.emplace_back(reader.u64());
  state.machine = reader.u64();
  if (version >= 2) state.birth = reader.u64();
  state.durable = Sequence(reader.varint());
  state.next_segment = reader.varint();
  for (std::uint64_t count = reader.varint(); count > 0 && reader.ok(); --count) {
    StoredLane lane;
    lane.name = reader.text();
    lane.low_water = Sequence(reader.varint());
    lane.ledger = read_ledger(reader, version);
    state.lanes.push_back(std::move(lane));
  }
  for (std::uint64_t count = reader.varint(); count > 0 && reader.ok(); --count) {
    StoredSegment segment;
    segment.number = reader.varint();
    segment.first = Sequence(reader.varint());
    if (version >= 2) segment.last = Sequence(reader.varint());
    for (std::uint64_t lanes = reader.varint(); lanes > 0 && reader.ok(); --lanes) {
      segment.full.emplace_back(static_cast<std::uint32_t>(reader.varint()));
    }
    std::uint64_t index = 0;
    for (std::uint64_t words = reader.varint(), place = 0; words > 0 && reader.ok(); --words, ++place) {
      index = version >= 2 ? index + reader.varint() : place;
      segment.bits.add(index, reader.u64());
    }
    state.segments.push_back(std::move(segment));
  }
  state.note = reader.text();
  if (!reader.ok() || state.lanes.size() > kLanesMax) return fail(Errc::damaged, "lane states are malformed");
  return state;
}

Result<std::optional<LoadedState>> load_state(system::Disk& disk, const std::string& directory) {
  const std::string path = directory + "/" + std::string(kStateName);
  if (!disk.exists(path)) return std::optional<LoadedState>();
  const Result<std::unique_ptr<system::File>> file = disk.open(path, system::OpenMode::read);
  if (!file && file.error().code == Errc::unavailable) return fail(Errc::damaged, file.error().what);  // a dead link
  if (!file) return fail(file.error());
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return fail(size.error());
  std::string bytes;
  if (const Result<void> read = (*file)->read_at(0, static_cast<std::size_t>(*size), bytes); !read) {
    return fail(Errc::damaged, read.error().what);
  }
  Result<StoredState> state = decode_state(bytes);
  if (!state) return fail(state.error());
  const std::uint64_t birth = (*file)->birth();
  const bool is_copy = state->birth != 0 && birth != 0 && birth != state->birth;
  return std::optional<LoadedState>(LoadedState{std::move(*state), is_copy});
}

namespace {
constexpr std::uint64_t kRoomMin = std::uint64_t{16} * 1024;
}

Result<void> StateFile::prepare(std::uint64_t bytes) {
  const std::string fresh = directory_ + "/" + std::string(kStateNewName);
  const std::uint64_t room = std::max(kRoomMin, in_disk_blocks(bytes * 2));
  if (next_ == nullptr) {
    Result<std::unique_ptr<system::File>> file =
        disk_.open(fresh, disk_.exists(fresh) ? system::OpenMode::read_write : system::OpenMode::create_new);
    if (!file) return fail(file.error());
    next_ = std::move(*file);
    room_ = 0;
  }
  if (Result<void> given = next_->preallocate(room); !given) return given;
  room_ = room;
  return {};
}

Result<void> StateFile::save(StoredState& state, std::uint64_t& bytes_written, std::uint64_t& syncs) {
  if (next_ == nullptr) {
    if (Result<void> made = prepare(0); !made) return made;
  }
  state.birth = next_->birth();
  const std::string bytes = encode_state(state);
  if (bytes.size() > room_) {
    if (Result<void> made = prepare(bytes.size()); !made) return made;
  }
  const std::string path = directory_ + "/" + std::string(kStateName);
  const std::string fresh = directory_ + "/" + std::string(kStateNewName);
  const std::unique_ptr<system::File> file = std::move(next_);  // after a failed sync it is not used again
  Result<void> written = file->write_at(0, bytes);
  bytes_written += bytes.size();
  ++syncs;
  if (written) written = file->sync();  // durable: before the rename
  if (!written) {
    static_cast<void>(disk_.remove(fresh));
    return written;
  }
  if (Result<void> renamed = disk_.rename(fresh, path); !renamed) return renamed;  // durable: whole or not at all
  allocated_ = std::exchange(room_, 0);
  ++syncs;
  if (Result<void> synced = disk_.sync_directory(directory_); !synced) return synced;  // durable: the new name
  static_cast<void>(prepare(bytes.size()));  // without one ahead the next save makes it
  return {};
}

}  // namespace railhead::spool
