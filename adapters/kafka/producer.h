// Producer: one librdkafka producer handle. Nothing of librdkafka leaves producer.cpp.
// Settings: librdkafka's own names and values; open() refuses what librdkafka refuses.
// Bodies:   send() copies body, key and headers; the caller keeps only its token.
// Reports:  every token that send() took comes back exactly once through Listener::on_report, in any order over
//           partitions, in order within one; never after close.
// Fatal:    after on_fatal the handle is dead (the broker's and the library's sequence no longer agree, [librdkafka
// 4438]):
//           destroy it, open another, send again from the first unsettled record.
// Threads:  one owner; the listener is called from poll(), flush() and send() on the owner's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/record.h"

namespace railhead::kafka {

using Settings = std::vector<std::pair<std::string, std::string>>;

// What became of one record.
enum class Outcome : std::uint8_t {
  delivered,
  refused,            // this record, or one that travelled with it, is not acceptable: too large, malformed
  topic_unavailable,  // the topic does not exist or must not be written now; other topics go on
  again,              // not delivered for a passing reason, or withdrawn: send it again
};

class Producer {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_report(std::uintptr_t token, Outcome outcome, std::string_view topic, std::string_view why) = 0;
    virtual void on_fatal(std::string_view why) = 0;
    // No broker is reachable, or none lets us in.
    virtual void on_down(std::string_view why) = 0;
  };

  struct Message {
    std::string_view topic;
    std::optional<std::string_view> key;
    std::string_view body;
    Time time{};
    const std::vector<Header>* headers = nullptr;
    std::uintptr_t token = 0;
  };

  // `wake_fd`: an eventfd that is signalled when poll() has something to do.
  // Errors: invalid (a setting is refused), unavailable (no thread or memory).
  [[nodiscard]] static Result<std::unique_ptr<Producer>> open(const Settings& settings, Listener& listener,
                                                              int wake_fd);
  // Whether librdkafka takes this setting; the reason if not. Touches no network.
  [[nodiscard]] static Result<void> check(const std::string& name, const std::string& value);

  // What is still queued or unconfirmed is forgotten without a report.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Errors: full (poll, then the same record again), refused (this record never: too large), unavailable (again later).
  [[nodiscard]] Result<void> send(const Message& message);
  // Serves reports; waits at most that long for the first.
  void poll(std::chrono::milliseconds at_most);
  // Sends without linger and serves reports until nothing is outstanding or the time is over.
  void flush(std::chrono::milliseconds at_most);
  // Withdraws what is queued and not on its way: each comes back as Outcome::again.
  void withdraw_queued();
  // Asks a broker for its metadata: the proof that the link works. Blocks at most that long.
  [[nodiscard]] Result<void> probe(std::chrono::milliseconds at_most);

 private:
  struct State;
  explicit Producer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace railhead::kafka
