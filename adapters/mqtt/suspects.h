// Suspects: finds the record upon which a broker closes the connection (too large, a topic it forbids, ...) without
// having announced a limit and without a word, as 3.1.1 has none. Such a record would come first in every new
// connection, and all others wait behind it for ever. It is set aside; an outage must never cost a record its place.
//
// How:     connections that end with the same oldest record on the way make the next ones send one record at a time.
//          A record closed upon alone is a suspect: its topic is held, so the others go on. Now and then it is tried
//          alone in a connection that serves. A try that passes clears it; one that ends the connection soon is a
//          strike. `strikes` of them over `least` condemn it, if between each two of them another record was served,
//          and `others` in all.
// Outage:  a connection that ends while no suspect is on the way, one that cannot be made, or a broker's word that is
//          about itself (shutting down, taken over) undoes the strikes. When many records in a row are closed upon
//          with none served between, nobody is a suspect.
// Order:   per topic. Only when nothing but held topics has records, and the suspect failed several times and just now,
//          a few behind it are sent as the others that must be served; should the suspect pass after all, it is marked
//          late (S17).
// A word:  a DISCONNECT that names the packet as its reason (too large, ...) condemns the only record on the way.
// Bounds:  kSuspectsMax topics held. Threads: the sink's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "gateway/base/time.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/sink.h"

namespace railhead::mqtt {

class Suspects {
 public:
  static constexpr std::size_t kSuspectsMax = 16;

  struct Options {
    unsigned losses = 3;  // with the same oldest record on the way: then one at a time
    unsigned strikes = 5;
    unsigned others = 10;  // served since the first strike
    Duration least = std::chrono::seconds{30};
    Duration soon = std::chrono::seconds{5};  // after it was sent
    Duration first_try = std::chrono::seconds{2};
    Duration most_between_tries = std::chrono::seconds{30};
  };
  // Why a connection ended.
  enum class End : std::uint8_t {
    closed,        // without a word, or with one that may be about a record
    about_packet,  // the broker says it was the packet
    other,
  };
  struct Loss {
    End end = End::closed;
    std::string why;
    std::size_t on_the_way = 0;
    std::optional<ports::Place> oldest = {};
    std::optional<ports::Outgoing> alone = {};  // if it was the only one on the way
    Duration since_sent{};                      // of that one
  };
  enum class Pass : std::uint8_t { send, send_late, skip };

  Suspects(Options options, const ports::Context& context, ports::Outlet& outlet)
      : options_(options), context_(context), outlet_(outlet) {}

  // served() wants to be told.
  [[nodiscard]] bool watches() const { return careful_ > 0 || !suspects_.empty() || !overtaken_.empty(); }
  // Only one record may be on the way.
  [[nodiscard]] bool one_at_a_time(BootTime now) const;
  // Nothing is on the way, and the connection stands.
  void idle(BootTime now);
  // What to do with a record that the outlet gave.
  [[nodiscard]] Pass pass(const ports::Outgoing& outgoing);
  // The outlet gave none.
  void none_given(BootTime now);
  // The broker answered this one.
  void served(ports::Place place, std::string_view topic, BootTime now);
  // True: it is clear why, so there is no need to wait long.
  bool lost(const Loss& loss, BootTime now);
  // No connection could be made.
  void outage(BootTime now);
  // For the link's state; empty: nothing waits.
  [[nodiscard]] std::string says() const;

 private:
  enum class Step : std::uint8_t { none, trial, bypass };
  struct Suspect {
    ports::Place place;
    unsigned strikes = 1;
    unsigned tries = 1;
    unsigned others = 0;        // served since the first strike
    bool served_since = false;  // another record, since the last try
    bool pass_by = false;       // next one behind it is sent, not itself
    BootTime first{};
    BootTime due{};
    Duration wait{};
  };

  bool try_failed(Suspect& suspect, const Loss& loss, BootTime now);
  void suspect(const Loss& loss, BootTime now);
  void condemn(const ports::Outgoing& outgoing, const std::string& why);
  void clear(const std::string& topic);
  void end_bypass(BootTime now);
  void hold_all();
  void undo_strikes(BootTime now);

  const Options options_;
  const ports::Context& context_;
  ports::Outlet& outlet_;
  std::size_t careful_ = 0;  // so many records are still to be sent one at a time
  bool unexplained_ = false;
  std::optional<ports::Place> oldest_;
  unsigned same_oldest_ = 0;
  std::size_t unserved_ = 0;  // suspects in a row with none served between
  std::map<std::string, Suspect, std::less<>> suspects_;
  Step step_ = Step::none;
  std::string trial_;                   // a topic
  unsigned none_given_ = 0;             // in a row
  unsigned passed_by_ = 0;              // records served in this bypass
  std::set<ports::Place> passed_over_;  // closed upon when sent past a suspect
  std::map<std::string, ports::Place, std::less<>> overtaken_;
  std::deque<ports::Place> condemned_;  // may be given again until their dead letter is on disk
};

}  // namespace railhead::mqtt
