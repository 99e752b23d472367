// HeldDestinations: which destinations of a lane wait (S17), and where each goes on when it is let out. No I/O: the
// lane asks it about every record it reads.
//
// The lane's own reading steps over the records of a held destination. One that is let out is followed by a second
// reading from its first unsettled record up to the lane's own position; until it has arrived there, the lane's reading
// goes on stepping over it. What is remembered is a few numbers per destination, never a record.
// Positions: by SpoolId, telemetry and alarms. Threads: none of its own.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/strong.h"
#include "gateway/base/time.h"

namespace railhead::flow {

class HeldDestinations {
 public:
  using Position = std::array<Sequence, 2>;

  // `until`: let out by itself then.
  void hold(std::string_view destination, std::optional<BootTime> until = std::nullopt);
  void probe(std::string_view destination);
  void release(std::string_view destination);
  void release_due(BootTime now);
  [[nodiscard]] std::optional<BootTime> next_due() const;
  [[nodiscard]] bool empty() const { return held_.empty(); }
  // Held, and not let out but for a probe.
  [[nodiscard]] bool waits(std::string_view destination) const;

  // --- the lane's own reading: true if it steps over this record. `given_through`: the highest it has given.
  [[nodiscard]] bool skips(std::string_view destination, std::size_t at, Sequence one, Sequence given_through);

  // --- the second reading
  // Where to read for what is let out, below `position`; nullopt: nowhere.
  [[nodiscard]] std::optional<Sequence> wanted(std::size_t at, Sequence position) const;
  struct Take {
    bool given = false;
    bool first = false;  // never given before
    bool probe = false;  // alone; the rest of its destination stays held
  };
  [[nodiscard]] Take take(std::string_view destination, std::size_t at, Sequence one);
  // All below `next` was looked at.
  void looked_through(std::size_t at, Sequence next);
  // Those that have arrived at the lane's own reading are held no more.
  void forget_arrived(const Position& position);

  // The lane's reading begins again.
  void rewind();

 private:
  enum class State : std::uint8_t { waiting, probing, following };
  struct Held {
    State state = State::waiting;
    std::optional<BootTime> until;
    Position low{};                                        // nothing of it below is unsettled
    Position from{};                                       // where following goes on
    std::array<std::optional<Sequence>, 2> never_given{};  // from here on; none: not yet met
    Position stepped_over{};                               // the highest
  };
  std::map<std::string, Held, std::less<>> held_;
};

}  // namespace railhead::flow
