// Ingest: the Intake of one source: recognises deliveries, asks the rules, appends what they made, counts.
// A batch that a spool refuses is kept as it was routed: rules have memory (on_change, windows), so a reading must not
// pass them twice. The next offer appends it first.
//   ingest.cpp            batches: routed, appended, recognised
//   ingest_rules.cpp      what the rules owe without a reading
//   ingest_set_aside.cpp  dead letters
// Threads: one caller at a time (the source's thread); set_router() any.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/flow/append_batch.h"
#include "gateway/flow/dead_letters.h"
#include "gateway/flow/delivery_table.h"
#include "gateway/flow/open_state.h"
#include "gateway/flow/reading_counts.h"
#include "gateway/flow/rule_journal.h"
#include "gateway/flow/source_notes.h"
#include "gateway/flow/stores.h"
#include "gateway/ports/router.h"
#include "gateway/ports/source.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::flow {

class Ingest final : public ports::Intake, private ports::Deliveries {
 public:
  struct Shared {  // what all intakes of a gateway have in common
    const std::string& gateway;
    Stores& stores;
    DeadLetters& dead_letters;
    DeliveryTable& deliveries;
    OpenState& open_state;
    SourceNotes& notes;
    ReadingCounts& counts;
    const system::Clock& clock;
    status::Reporter& reporter;
  };
  Ingest(std::string source, Shared shared, std::unique_ptr<ports::RuleState> rules);
  ~Ingest() override;

  // Other rules from the next offer on; those that did not change keep what they remember.
  void set_router(std::shared_ptr<const ports::Router> router) RAILHEAD_EXCLUDES(mutex_);
  // The source is gone for good: appends what its rules still owe and leaves no state behind. Nothing is offered then.
  // Errors: as offer(); what it owed is lost.
  Result<void> end();

  Result<ports::Ticket> offer(std::span<const Reading> batch) override;
  Result<ports::Ticket> refuse(const ports::RawInput& raw, const Error& why) override;
  void ignored(std::uint64_t count) override;
  void repeated(std::uint64_t count) override;
  ports::Ticket durable() const override;
  int durable_fd() const override { return durable_rose_.fd(); }
  std::optional<BootTime> next_due() const override;
  ports::Deliveries& deliveries() override { return *this; }

 private:
  static constexpr std::size_t kOversizedKept = 4096;  // bytes of a reading too large for the spool
  // Tags of entries whose place is told.
  static constexpr std::uint8_t kOpenTag = 1;   // of a QoS 2 delivery
  static constexpr std::uint8_t kStateTag = 2;  // settled when restated
  static constexpr std::uint8_t kTokenStateTag = 3;
  static constexpr std::uint8_t kDoneTag = 4;
  struct Taken {
    FieldToken token;
    std::uint8_t wanted = 0;
    std::uint8_t held = 0;  // what a spool had of it before
    bool opens = false;     // an open entry is appended with it
    ports::Ticket also{};   // what was appended for it before
  };
  // Routed and perhaps not yet appended.
  struct Work {
    AppendBatch batch;
    status::ReadingLedger tally;
    ports::Ticket repeats;  // of recognised deliveries
    std::vector<Taken> taken;
    std::vector<std::uint64_t> done_again;  // identities of groups whose alarms were there before a kill
    bool restates = false;
    std::uint64_t fingerprint = 0;
    bool waiting = false;
    void clear();
  };

  [[nodiscard]] bool has_new_rules() const RAILHEAD_EXCLUDES(mutex_);
  void adopt_new_rules(Work& work) RAILHEAD_EXCLUDES(mutex_);
  // The delivery that this one repeats with certainty (S19, S7).
  [[nodiscard]] std::optional<DeliveryTable::Entry> taken_before(const FieldToken& token) const;
  void route(const Reading& reading, const ports::Now& moment, Work& work);
  void add_records(const Reading& reading, std::uint8_t held, Work& work);
  void add_entry(ports::SpoolId spool, const StateEntry& entry, std::uint8_t tag, Work& work);
  void add_open(const FieldToken& token, Work& work);
  void add_set_aside(const Reading& reading, Work& work);
  // What time or other readings made of earlier ones: a window that closed, ...
  void add_groups(std::vector<ports::Group>& groups, Work& work) {
    if (!groups.empty()) add_some_groups(groups, work);
  }
  void add_some_groups(std::vector<ports::Group>& groups, Work& work);
  void add_group(ports::Group& group, Work& work);
  void add_failures(const ports::Group& group, std::string_view rule, std::string_view why, Work& work);
  void add_due(Work& work);
  void restate(Work& work, bool ends = false);
  void recall();
  [[nodiscard]] ports::Now now() const;
  // What a spool could never take would stop its source for ever: it is set aside instead.
  void replace_oversized_group(const Reading& reading, Work& work);
  [[nodiscard]] Result<ports::Ticket> append(Work& work);
  // Errors: as offer(); then the rest is still due.
  [[nodiscard]] Result<void> close_lost_sessions();
  [[nodiscard]] spool::LaneId lane_of(std::string_view sink, ports::SpoolId spool);

  bool is_open(const FieldToken& token) const override;
  ports::Ticket open_ticket(const FieldToken& token) const override;
  Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) override;
  void acknowledged(std::uint64_t session, std::span<const std::uint16_t> packet_ids) override;
  void session_lost(std::uint64_t session) override;
  void doubt(std::uint64_t session) override { shared_.deliveries.doubt(session); }
  std::vector<std::uint64_t> open_sessions() const override { return shared_.open_state.sessions(); }
  std::string note() const override { return shared_.notes.of(source_); }
  Result<void> keep_note(std::string note) override { return shared_.notes.keep(source_, std::move(note)); }

  const std::string source_;
  Shared shared_;
  std::unique_ptr<ports::RuleState> rules_;
  RuleJournal journal_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const ports::Router> next_router_ RAILHEAD_GUARDED_BY(mutex_);
  system::EventFd durable_rose_;
  Work work_;
  std::vector<DeliveryTable::Taken> taken_;  // scratch
  ports::Routed routed_;
  std::vector<ports::Group> groups_;
  std::vector<std::uint64_t> lost_sessions_;  // whose end is not appended yet
  std::optional<BootTime> retry_at_;          // what a spool refused
  struct KnownLanes {
    std::map<std::string, spool::LaneId, std::less<>> all;
    const std::pair<const std::string, spool::LaneId>* last = nullptr;  // asked for: mostly the next one too
  };
  std::array<KnownLanes, ports::kSpools> lanes_;
  std::size_t group_bytes_least_ = 0;  // what every spool takes in one group
};

}  // namespace railhead::flow
