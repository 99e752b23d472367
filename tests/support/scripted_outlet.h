// An Outlet with a script instead of a spool: the test appends outgoing records and afterwards reads what the sink did.
// It behaves as a lane does: next() gives records in order from a reading position, rewind() goes back to the first
// unsettled one, retry() gives the record again after kRetryAfter, marked late; hold(), probe() and release() as Outlet
// says.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/ports/sink.h"
#include "gateway/system/descriptor.h"

namespace railhead::test {

class ScriptedOutlet final : public ports::Outlet {
 public:
  static constexpr std::chrono::milliseconds kRetryAfter{100};

  // Gives it the next sequence (1, 2, ...) and the identity "test/00000000000000e0/<sequence>".
  ports::Place append(Record record);

  std::span<const ports::Outgoing> next(const ports::Limits& limits, std::stop_token stop) override;
  int ready_fd() const override { return ready_.fd(); }
  std::optional<BootTime> next_due() const override;
  void settle(ports::Place place) override;
  void set_aside(const ports::Outgoing& outgoing, const Error& why) override;
  void retry(const ports::Outgoing& outgoing, const Error& why) override;
  void hold(std::string_view destination) override;
  void probe(std::string_view destination) override;
  void release(std::string_view destination) override;
  Result<void> started(ports::Place place) override;
  void rewind() override;

  std::size_t appended() const;
  std::size_t settled() const;  // distinct places
  std::size_t retries() const;
  std::size_t rewinds() const;
  std::size_t holds() const;   // calls of hold()
  std::size_t probes() const;  // records given as probes
  std::set<std::string> held() const;
  std::set<std::uint64_t> started() const;  // sequences
  // Makes an appended record one that was started in an earlier life.
  void start_before(ports::Place place);
  std::size_t handed_out() const;  // by next(), repeats counted
  std::size_t asked() const;       // calls of next()
  bool is_settled(std::uint64_t sequence) const;
  // Sequence -> reason.
  std::map<std::uint64_t, std::string> aside() const;
  // Every appended record is settled or set aside.
  bool done() const;

 private:
  struct Waiting {
    std::chrono::steady_clock::time_point due;
    std::uint64_t sequence;
  };
  struct Held {
    bool probing = false;
    bool following = false;
    std::size_t from = 0;  // following: index of the record to go on at
  };
  bool finished(std::uint64_t sequence) const RAILHEAD_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  system::EventFd ready_;
  std::vector<ports::Outgoing> records_ RAILHEAD_GUARDED_BY(mutex_);  // [sequence - 1]
  std::size_t position_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> settled_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::string> aside_ RAILHEAD_GUARDED_BY(mutex_);
  std::vector<Waiting> waiting_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<std::string, Held, std::less<>> held_ RAILHEAD_GUARDED_BY(mutex_);
  std::set<std::uint64_t> late_ RAILHEAD_GUARDED_BY(mutex_);
  std::set<std::uint64_t> started_ RAILHEAD_GUARDED_BY(mutex_);
  std::size_t holds_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::size_t probes_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::vector<ports::Outgoing> given_ RAILHEAD_GUARDED_BY(mutex_);
  std::size_t retries_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::size_t rewinds_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::size_t handed_out_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::size_t asked_ RAILHEAD_GUARDED_BY(mutex_) = 0;
};

}  // namespace railhead::test
