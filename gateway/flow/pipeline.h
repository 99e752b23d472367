// Pipeline: the spools, the doors and the threads of one gateway, and the order in which they start and stop.
// Stop: sources, then commit, then sinks until a deadline, then lane states. Being killed at any point is the tested
// case; stopping is only politeness.
// Reload (S31): sources and sinks come, go and are replaced while the others run on; the spools stay open.
// Threads: open, add_*, replace_*, remove_*, set_router, start, stop and the destructor belong to one thread; tick()
// and the views may be called from another one between start and stop.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/flow/ingest.h"
#include "gateway/flow/lane.h"
#include "gateway/flow/source_notes.h"
#include "gateway/ports/router.h"
#include "gateway/ports/sink.h"
#include "gateway/ports/source.h"
#include "gateway/status/link.h"
#include "gateway/system/disk.h"

namespace railhead::flow {

struct PipelineOptions {
  std::string gateway;
  std::string directory;          // holds telemetry/, alarms/ and dead/
  spool::SpoolOptions telemetry;  // path and name are set from directory
  std::uint64_t alarms_limit = std::uint64_t{64} << 20;
  std::uint64_t dead_limit = std::uint64_t{64} << 20;
  std::string dead_sink;  // dead_letters.to
  std::string dead_topic;
};

class Pipeline {
 public:
  // Opens the spools and recovers what they hold. Errors: as Spool::open.
  [[nodiscard]] static Result<std::unique_ptr<Pipeline>> open(system::Disk& disk, const system::Clock& clock,
                                                              PipelineOptions options, status::Reporter& reporter);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void add_source(std::string name, std::unique_ptr<ports::Source> source, std::unique_ptr<ports::RuleState> rules);
  void add_sink(std::string name, std::unique_ptr<ports::Sink> sink);
  void start();

  // While it runs, what is added starts at once. A replacement begins when the old one ended: a source's intake goes on
  // with what it knows of deliveries and rules, a sink's lane at the first record that was not confirmed.
  void replace_source(std::string_view name, std::unique_ptr<ports::Source> source);
  void replace_sink(std::string_view name, std::unique_ptr<ports::Sink> sink);
  // What rules still owe of its readings (open windows, what waits for its number) leaves first.
  void remove_source(std::string_view name);
  // What the sink is still owed stays as an orphan lane.
  void remove_sink(std::string_view name);
  // Ends the sources named, all at once, until they are replaced or removed.
  void stop_sources(std::span<const std::string> names);
  // Ends and destroys the adapter; the seat waits for its replacement.
  void end_source(std::string_view name);
  void end_sink(std::string_view name);
  // Each source's readings go by these rules from its next offer on.
  void set_router(const std::shared_ptr<const ports::Router>& router);
  // Sources end first; sinks get until `drain` to deliver what is there.
  void stop(Duration drain);

  // Once a second: saves the counts, settles what was set aside.
  void tick();
  [[nodiscard]] const Stores& stores() const { return *stores_; }
  [[nodiscard]] std::map<std::string, status::ReadingLedger> readings() const { return counts_.all(); }
  // Of a source's latest reading since the start.
  [[nodiscard]] std::optional<BootTime> latest_reading(const std::string& source) const {
    return counts_.latest(source);
  }
  [[nodiscard]] std::size_t unacknowledged() const { return deliveries_.unacknowledged(); }
  struct LaneView {
    std::string name;
    bool orphan = false;
    // What it has in one spool. Of what it is owed: bytes on disk, and when the oldest was appended.
    struct Part {
      status::LaneLedger ledger;
      std::uint64_t backlog_bytes = 0;
      std::optional<Time> oldest{};
    };
    Part telemetry;
    Part alarms;
    [[nodiscard]] std::uint64_t owed() const { return telemetry.ledger.owed() + alarms.ledger.owed(); }
  };
  [[nodiscard]] std::vector<LaneView> lanes() const;

 private:
  struct SourceSeat {
    std::string name;
    std::unique_ptr<Ingest> ingest;
    std::unique_ptr<ports::Source> source;
    std::jthread thread;
  };
  struct SinkSeat {
    std::string name;
    std::unique_ptr<Lane> lane;
    std::unique_ptr<ports::Sink> sink;
    std::jthread thread;
  };
  Pipeline(const system::Clock& clock, PipelineOptions options, status::Reporter& reporter);
  void report_orphans();
  static void start(SourceSeat& seat);
  static void start(SinkSeat& seat);
  template <class Seat>
  static Seat& seat_of(std::vector<std::unique_ptr<Seat>>& seats, std::string_view name);

  const system::Clock& clock_;
  const PipelineOptions options_;
  status::Reporter& reporter_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<DeadLetters> dead_letters_;
  DeliveryTable deliveries_;
  std::unique_ptr<OpenState> open_state_;
  std::unique_ptr<StartedRecords> started_;
  std::unique_ptr<SourceNotes> notes_;
  ReadingCounts counts_;
  // Only the owner's thread changes these, under the mutex; it reads them without.
  mutable base::Mutex mutex_;
  std::vector<std::unique_ptr<SourceSeat>> sources_;
  std::vector<std::unique_ptr<SinkSeat>> sinks_;
  bool running_ = false;
};

}  // namespace railhead::flow
