// Pipeline: the spools, the doors and the threads of one gateway, and the order in which they start and stop.
// Stop: sources, then commit, then sinks until a deadline, then lane states. Being killed at any point is the tested
// case; stopping is only politeness.
// Threads: open, add_*, start, stop and the destructor belong to one thread; tick() and the views may be called from
// another one between start and stop.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/flow/ingest.h"
#include "gateway/flow/lane.h"
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
  // Sources end first; sinks get until `drain` to deliver what is there.
  void stop(Duration drain);

  // Once a second: saves the counts, settles what was set aside.
  void tick();
  [[nodiscard]] const Stores& stores() const { return *stores_; }
  [[nodiscard]] std::map<std::string, status::ReadingLedger> readings() const { return counts_.all(); }
  [[nodiscard]] std::size_t unacknowledged() const { return deliveries_.unacknowledged(); }
  struct LaneView {
    std::string name;
    bool orphan = false;
    status::LaneLedger telemetry;
    status::LaneLedger alarms;
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

  const system::Clock& clock_;
  const PipelineOptions options_;
  status::Reporter& reporter_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<DeadLetters> dead_letters_;
  DeliveryTable deliveries_;
  std::unique_ptr<OpenState> open_state_;
  ReadingCounts counts_;
  std::vector<SourceSeat> sources_;
  std::vector<SinkSeat> sinks_;
  bool running_ = false;
};

}  // namespace railhead::flow
