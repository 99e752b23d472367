// ./dev bench spool: the spool beside a plain loop that puts the same bytes on the same disk (plain_loop.h).
// Both are built alike, run in this process on the same cores, and alternate within one run; medians are compared.
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <thread>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/spool.h"
#include "tests/bench/spool/plain_loop.h"
#include "tests/bench/support/measure.h"
#include "tests/bench/support/report.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t kSegmentBytes = std::uint64_t{8} << 20;
constexpr std::size_t kBatch = 64;  // records an offer brings: what one read of a socket holds
constexpr int kRounds = 5;

// Records of `bytes` each whose content depends on their number.
class Payloads {
 public:
  explicit Payloads(std::size_t bytes) : bytes_(bytes), pool_(bytes + 4096, '\0') {
    for (std::size_t i = 0; i < pool_.size(); ++i) pool_[i] = static_cast<char>(i * 2654435761U >> 13U);
  }
  [[nodiscard]] std::string_view of(std::uint64_t number) const {
    return std::string_view(pool_).substr(number * 40503U % 4096, bytes_);
  }

 private:
  std::size_t bytes_;
  std::string pool_;
};

class Area {  // a fresh directory on the build's disk
 public:
  Area() : path_(test::build_directory() + "/bench-data/" + std::to_string(next_++)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Area() { fs::remove_all(path_); }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  static inline int next_ = 0;
  std::string path_;
};

struct World {
  std::unique_ptr<system::Disk> disk = system::posix_disk();
  system::SystemClock clock;
  test::CapturingReporter reporter;
  std::unique_ptr<spool::Spool> open(const std::string& path, Duration commit, std::uint64_t limit) {
    spool::SpoolOptions options;
    options.path = path;
    options.name = "bench";
    options.limit = limit;
    options.commit = commit;
    auto opened = spool::Spool::open(*disk, clock, options, reporter);
    RAILHEAD_ASSERT(opened.has_value());
    return std::move(*opened);
  }
};

void wait_for(const spool::Spool& spool, const system::EventFd& event, const std::function<bool()>& done) {
  pollfd waiting{event.fd(), POLLIN, 0};
  while (!done()) {
    poll(&waiting, 1, 1000);
    event.clear();
  }
  (void)spool;
}

// Appends `records` in batches, as fast as the spool takes them, round-robin over `lanes`.
void append_all(spool::Spool& spool, const std::vector<spool::LaneId>& lanes, const Payloads& payloads,
                std::uint64_t records, std::uint64_t from = 0, double per_second = 0) {
  const system::EventFd event;
  spool.subscribe(&event);
  std::vector<spool::Entry> entries(kBatch);
  const double begin = wall_seconds();
  for (std::uint64_t done = 0; done < records;) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(kBatch, records - done));
    for (std::size_t i = 0; i < count; ++i) {
      entries[i].lane = lanes[(done + i) % lanes.size()];
      entries[i].payload = payloads.of(from + done + i);
    }
    const Sequence before = spool.durable();
    const auto taken = spool.append({entries.data(), count});
    if (taken) {
      done += count;
      if (per_second > 0) {
        const double ahead = static_cast<double>(done) / per_second - (wall_seconds() - begin);
        if (ahead > 0.001) std::this_thread::sleep_for(std::chrono::duration<double>(ahead));
      }
      continue;
    }
    RAILHEAD_ASSERT(taken.error().code == Errc::full);
    wait_for(spool, event, [&] { return spool.durable() > before; });
  }
  const Sequence last(spool.next().value() - 1);
  wait_for(spool, event, [&] { return spool.durable() >= last; });
  spool.unsubscribe(&event);
}

struct Run {
  double per_second = 0;
  double cpu_each = 0;
  std::uint64_t bytes = 0;
  std::uint64_t syncs = 0;
  std::uint32_t checksum = 0;
};

Run run_spool(const Payloads& payloads, std::uint64_t records) {
  const Area area;
  World world;
  Run run;
  {
    const auto spool = world.open(area.path(), 10ms, std::uint64_t{4} << 30);
    const std::vector<spool::LaneId> lanes{spool->lane("kafka")};
    const double begin = wall_seconds();
    const double cpu = process_cpu_seconds();
    append_all(*spool, lanes, payloads, records);
    run.cpu_each = (process_cpu_seconds() - cpu) / static_cast<double>(records);
    run.per_second = static_cast<double>(records) / (wall_seconds() - begin);
    RAILHEAD_ASSERT(spool->flush(10s).has_value());
    run.syncs = spool->usage().syncs;
    run.bytes = spool->usage().bytes_written;
    const auto read = spool->for_each(
        Sequence(1), [&](const spool::Frame& frame) { run.checksum = base::crc32c(frame.payload, run.checksum); });
    RAILHEAD_ASSERT(read.has_value());
  }
  return run;
}

Run run_plain(const Payloads& payloads, std::size_t payload_bytes, std::uint64_t records, const Run& like) {
  const Area area;
  World world;
  Run run;
  const std::size_t overhead = static_cast<std::size_t>(like.bytes / records) - payload_bytes;
  const std::size_t commit_bytes = std::max<std::size_t>(static_cast<std::size_t>(like.bytes / like.syncs), 1);
  PlainLoop loop(*world.disk, area.path(), std::max<std::uint64_t>(kSegmentBytes, commit_bytes + 65536));
  const double begin = wall_seconds();
  const double cpu = process_cpu_seconds();
  for (std::uint64_t i = 0; i < records; ++i) loop.append(payloads.of(i), overhead, commit_bytes);
  loop.commit();
  run.cpu_each = (process_cpu_seconds() - cpu) / static_cast<double>(records);
  run.per_second = static_cast<double>(records) / (wall_seconds() - begin);
  run.bytes = loop.bytes();
  run.syncs = loop.syncs();
  // What reached the files, read back.
  std::string bytes;
  std::vector<std::pair<std::uint64_t, fs::path>> files;
  for (const auto& entry : fs::directory_iterator(area.path()))
    files.emplace_back(std::stoull(entry.path().filename()), entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& [number, path] : files) {
    bytes = test::read_file(path);
    for (std::size_t at = 0; at + overhead + payload_bytes <= bytes.size(); at += overhead + payload_bytes) {
      if (bytes[at] == '\0') break;  // preallocated, not written
      run.checksum = base::crc32c(std::string_view(bytes).substr(at + overhead, payload_bytes), run.checksum);
    }
  }
  return run;
}

void throughput(Report& report, const Yardstick& y, std::size_t payload_bytes, std::uint64_t records) {
  const Payloads payloads(payload_bytes);
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  std::vector<double> cpu;
  std::vector<double> cpu_plain;
  Run last;
  Run last_plain;
  for (int round = 0; round < kRounds; ++round) {
    last = run_spool(payloads, records);
    last_plain = run_plain(payloads, payload_bytes, records, last);
    if (last.checksum != last_plain.checksum) return report.invalid("the two did not store the same records");
    ours.push_back(last.per_second);
    theirs.push_back(last_plain.per_second);
    cpu.push_back(last.cpu_each);
    cpu_plain.push_back(last_plain.cpu_each);
  }
  const std::string size = std::to_string(payload_bytes) + " B";
  report.add({"append " + size + ", flat out", median(ours), median(theirs), "records/s", "plain loop", 0.8,
              Wanted::at_least});
  if (payload_bytes <= 256) {
    report.add({"CPU per appended record of " + size, median(cpu) / y.seconds, 0, "Y",
                "(plain loop " + shown(median(cpu_plain) / y.seconds) + " Y)", 2.0, Wanted::at_most});
  }
  report.note(size + ": " + shown(static_cast<double>(last.bytes) / static_cast<double>(records)) +
              " bytes on disk a record, " + std::to_string(last.syncs) + " fdatasyncs (plain loop " +
              std::to_string(last_plain.syncs) + ") for " + shown(static_cast<double>(records)) +
              " records; CPU a record " + shown(median(cpu) * 1e9) + " ns, plain loop " +
              shown(median(cpu_plain) * 1e9) + " ns");
}

// One record at a time, `commit: 0`, from the append to what a source would see.
void latency(Report& report) {
  constexpr int kBlocks = 6;
  constexpr int kRecords = 500;
  const Payloads payloads(200);
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ours50;
  std::vector<double> theirs50;
  const Area area;
  const Area plain_area;
  World world;
  const auto spool = world.open(area.path(), 0ms, std::uint64_t{4} << 30);
  const spool::LaneId lane = spool->lane("kafka");
  PlainLoop loop(*world.disk, plain_area.path(), kSegmentBytes);
  const system::EventFd event;
  spool->subscribe(&event);
  for (int block = 0; block < kBlocks; ++block) {
    std::vector<double> times;
    for (int i = 0; i < kRecords; ++i) {
      std::this_thread::sleep_for(1ms);
      const double begin = wall_seconds();
      const spool::Entry entry{.lane = lane, .payload = payloads.of(static_cast<std::uint64_t>(i))};
      const auto taken = spool->append({&entry, 1});
      RAILHEAD_ASSERT(taken.has_value());
      wait_for(*spool, event, [&] { return spool->durable() >= *taken; });
      times.push_back(wall_seconds() - begin);
    }
    ours.push_back(percentile(times, 0.99));
    ours50.push_back(median(times));
    times.clear();
    for (int i = 0; i < kRecords; ++i) {
      std::this_thread::sleep_for(1ms);
      const double begin = wall_seconds();
      loop.append(payloads.of(static_cast<std::uint64_t>(i)), 44, 1);
      times.push_back(wall_seconds() - begin);
    }
    theirs.push_back(percentile(times, 0.99));
    theirs50.push_back(median(times));
  }
  spool->unsubscribe(&event);
  report.add({"commit latency p99, one record at a time", median(ours) * 1e6, median(theirs) * 1e6, "us", "plain loop",
              1.5, Wanted::at_most});
  report.note("commit latency p50 " + shown(median(ours50) * 1e6) + " us, plain loop " + shown(median(theirs50) * 1e6) +
              " us");
}

// The writer's CPU (appending thread and committer) at half the flat-out rate, without and with four lanes that follow.
double writer_cpu(double per_second, bool follow, std::uint64_t records) {
  const Payloads payloads(200);
  const Area area;
  World world;
  const auto spool = world.open(area.path(), 10ms, std::uint64_t{4} << 30);
  std::vector<spool::LaneId> lanes;
  for (const char* name : {"a", "b", "c", "d"}) lanes.push_back(spool->lane(name));
  std::vector<std::jthread> readers;
  std::atomic<std::uint64_t> read{0};
  if (follow) {
    for (const spool::LaneId lane : lanes) {
      readers.emplace_back([&, lane](const std::stop_token& stop) {
        const system::EventFd event;
        spool->subscribe(&event);
        std::vector<spool::Frame> frames;
        std::vector<Sequence> places;
        Sequence from(1);
        while (!stop.stop_requested()) {
          frames.clear();
          places.clear();
          const auto next = spool->read(lane, from, 1000, 1 << 20, frames);
          RAILHEAD_ASSERT(next.has_value());
          from = *next;
          for (const spool::Frame& frame : frames) places.push_back(frame.sequence);
          spool->settle(lane, places, spool::Outcome::delivered);
          read += frames.size();
          if (frames.empty()) {
            pollfd waiting{event.fd(), POLLIN, 0};
            poll(&waiting, 1, 20);
            event.clear();
          }
        }
        spool->unsubscribe(&event);
      });
    }
  }
  const double cpu = thread_cpu_seconds() + named_threads_cpu_seconds("spool-");
  append_all(*spool, lanes, payloads, records, 0, per_second);
  const double each = (thread_cpu_seconds() + named_threads_cpu_seconds("spool-") - cpu) / static_cast<double>(records);
  if (follow) test::eventually(10s, [&] { return read == records; });
  RAILHEAD_ASSERT(!follow || read == records);
  return each;
}

void following(Report& report) {
  constexpr std::uint64_t kRecords = 600'000;
  const double flat_out = run_spool(Payloads(200), kRecords).per_second;
  std::vector<double> alone;
  std::vector<double> followed;
  for (int round = 0; round < kRounds; ++round) {
    alone.push_back(writer_cpu(flat_out / 2, false, kRecords));
    followed.push_back(writer_cpu(flat_out / 2, true, kRecords));
  }
  report.add({"writer's CPU a record, 4 lanes following", median(followed) * 1e9, median(alone) * 1e9, "ns",
              "no reader", 1.10, Wanted::at_most});
}

// Reads every file of the directory and checksums it.
double read_all(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".seg") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const auto disk = system::posix_disk();
  const double begin = wall_seconds();
  std::string bytes;
  std::uint32_t crc = 0;
  for (const fs::path& path : files) {
    const auto file = disk->open(path, system::OpenMode::read);
    RAILHEAD_ASSERT(file.has_value());
    for (std::uint64_t at = 0;; at += bytes.size()) {
      RAILHEAD_ASSERT((*file)->read_at(at, std::size_t{1} << 20, bytes).has_value());
      if (bytes.empty()) break;
      crc = base::crc32c(bytes, crc);
    }
  }
  RAILHEAD_ASSERT(crc != 0);
  return wall_seconds() - begin;
}

void recovery_and_memory(Report& report, const std::string& self) {
  const Area area;
  const Area empty;
  const Payloads payloads(200);
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  const std::uint64_t records = kGiB / 244;
  World world;
  {
    const auto spool = world.open(area.path(), 10ms, 4 * kGiB);
    append_all(*spool, {spool->lane("kafka")}, payloads, records);
  }
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int round = 0; round < kRounds; ++round) {
    theirs.push_back(read_all(area.path()));
    const double begin = wall_seconds();
    const auto spool = world.open(area.path(), 10ms, 4 * kGiB);
    ours.push_back(wall_seconds() - begin);
    RAILHEAD_ASSERT(spool->durable().value() == records);
  }
  report.add(
      {"recovery of 1 GiB", 1.0 / median(ours), 1.0 / median(theirs), "GiB/s", "read + crc32c", 0.7, Wanted::at_least});
  {
    const auto spool = world.open(area.path(), 10ms, 4 * kGiB);
    append_all(*spool, {spool->lane("kafka")}, payloads, records);
  }
  const auto memory = [&](const std::string& path) {
    const test::Ran ran = test::run({self, "--memory", path}, 60s);
    return ran.status == 0 ? std::stod(ran.output) : -1.0;
  };
  const double full = memory(area.path());
  const double none = memory(empty.path());
  if (full < 0 || none < 0) return report.invalid("the program that measures memory failed");
  report.add({"anonymous memory beyond an empty spool, 2 GiB", (full - none) / (1 << 20), 0, "MiB",
              "empty " + shown(none / (1 << 20)) + " MiB", 16.0, Wanted::at_most});
}

// --memory PATH: opens the spool, reads a while, prints its anonymous bytes.
int print_memory(const std::string& path) {
  World world;
  const auto spool = world.open(path, 10ms, std::uint64_t{4} << 30);
  const spool::LaneId lane = spool->lane("kafka");
  std::vector<spool::Frame> frames;
  Sequence from(1);
  for (int i = 0; i < 50; ++i) {
    frames.clear();
    const auto next = spool->read(lane, from, 1000, 1 << 20, frames);
    if (!next) return 1;
    from = *next;
  }
  std::cout << anonymous_bytes() << '\n';
  return 0;
}

}  // namespace

int main_of(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--memory") return print_memory(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "--append") {
    run_spool(Payloads(200), std::stoull(argv[2]));
    return 0;
  }
  Report report("spool", argc, argv);
  pin_to({0, 1});
  const Yardstick y = yardstick();
  report.note("1 Y = " + shown(y.seconds * 1e9) + " ns (simdjson " + y.kernel + ")");
  if (y.fallback) report.invalid("simdjson runs without vector instructions: the yardstick is wrong");
  throughput(report, y, 200, 1'000'000);
  throughput(report, y, 2048, 150'000);
  latency(report);
  following(report);
  recovery_and_memory(report, argv[0]);
  constexpr double kCounted = 200'000;
  if (const auto calls = system_calls_of({"--append", "200000"})) {
    report.note("system calls a record: " + shown(*calls / kCounted));
  }
  return report.finish();
}

}  // namespace railhead::bench

int main(int argc, char** argv) { return railhead::bench::main_of(argc, argv); }
