// Feed: one run of a Kafka sink; what sink.h promises is done here.
// Threads: one owner.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/kafka/config.h"
#include "adapters/kafka/producer.h"
#include "gateway/ports/adapter.h"
#include "gateway/system/backoff.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::kafka {

class Feed final : private Producer::Listener {
 public:
  Feed(const KafkaOptions& options, const ports::Context& context, ports::Outlet& outlet);
  ~Feed() override;
  void run(const std::stop_token& stop);

 private:
  // A record on its way; the token of Producer is its index.
  using Topics = std::map<std::string, std::size_t, std::less<>>;
  struct Flight {
    ports::Place place;
    std::size_t bytes = 0;
    Topics::iterator topic;               // of topics_
    bool probe = false;                   // of a held topic
    std::optional<ports::Outgoing> kept;  // the record itself, when its failure is answered with it
  };
  // A topic whose records wait in the outlet.
  struct Hold {
    system::Backoff backoff;
    BootTime until;        // then one of its records is tried
    bool probing = false;  // the outlet was asked for one, or it is on its way
    bool sent = false;     // it is on its way
  };

  void on_report(std::uintptr_t token, Outcome outcome, std::string_view topic, std::string_view why) override;
  void on_fatal(std::string_view why) override;
  void on_down(std::string_view why) override;

  [[nodiscard]] bool open(const std::stop_token& stop);
  void take(const std::stop_token& stop);
  [[nodiscard]] bool dispatch(const ports::Outgoing& outgoing, const std::stop_token& stop);
  [[nodiscard]] bool send(const ports::Outgoing& outgoing, bool probe, const std::stop_token& stop);
  // True: the topic is held, and the outlet will give this record again.
  [[nodiscard]] bool held(const ports::Outgoing& outgoing, bool& probe);
  void hold_topic(std::string_view topic, std::string_view why);
  void try_held_topics(BootTime now);
  void forget_probes();
  void set_aside(const ports::Outgoing& outgoing, std::string why);
  void start_over(BootTime now);
  void recover(BootTime now);
  void rebuild(std::string_view why);
  void check_link(BootTime now);
  void link_is_up();
  void link_is_down(std::string_view why);
  void narrow();
  void widen();
  void sleep(const std::stop_token& stop);
  [[nodiscard]] BootTime due(BootTime now) const;
  void finish();
  [[nodiscard]] std::size_t release(std::uintptr_t token);

  const KafkaOptions& options_;
  Enveloper enveloper_;
  const ports::Context& context_;
  ports::Outlet& outlet_;
  system::EventFd wake_;
  system::Backoff open_backoff_;
  std::unique_ptr<Producer> producer_;

  std::deque<Flight> flights_;  // never more than in_flight of them; addresses and indices stay
  std::vector<std::size_t> free_;
  Topics topics_;  // how many of each are in flight
  std::size_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::size_t window_;  // how many may be in flight now; less than in_flight while a refusal is narrowed down
  std::size_t since_narrowed_ = 0;  // delivered since the window changed

  std::map<std::string, Hold, std::less<>> holds_;
  // Refused in company or for their topic's sake, and not delivered since: marked late when they go again (S17), as the
  // library may have sent the next batch before we could withdraw it. Never more than were in flight.
  std::set<ports::Place> refused_;
  std::optional<BootTime> starting_over_;  // since when we withdraw and wait, to rewind then
  std::string fatal_;
  bool more_ = true;  // the outlet may have more

  enum class Link : std::uint8_t { unknown, up, stalled, down } link_ = Link::unknown;
  BootTime next_probe_{};
  std::chrono::milliseconds probe_wait_;
  BootTime last_delivery_{};
};

}  // namespace railhead::kafka
