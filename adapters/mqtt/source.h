// The MQTT source: one broker, one session, one thread with one epoll loop. What came in one read becomes an offer to
// the intake, a long read several: while one is taken those before it go to the disk. PUBACK and PUBREC leave when the
// intake says that all of it is on disk, in one write.
//
// While the intake takes nothing (full spool, failing disk) the batch in hand stays, nothing is acknowledged, the
// socket is not read, and PINGREQ keeps the connection: no memory grows. The broker holds the rest. A connection that
// is lost with a batch in hand is opened again only after that batch was taken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/mqtt/interpreter.h"
#include "adapters/mqtt/session.h"
#include "adapters/mqtt/url.h"
#include "adapters/tls/options.h"
#include "gateway/config/scalars.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/source.h"
#include "gateway/system/backoff.h"

namespace railhead::mqtt {

enum class AckPolicy : std::uint8_t {
  durable,   // PUBACK after the disk has it
  received,  // PUBACK once the rules ran; a crash may lose it
};
enum class Protocol : std::uint8_t { automatic, v3_1_1, v5 };  // automatic: 5, and 3.1.1 when the broker refuses it

struct SourceSettings {
  std::vector<Url> urls;          // tried in turn; at least one
  bool follow_redirects = false;  // a broker may send us to another one (Server Reference)
  tls::Options tls;               // used with mqtts and wss
  Protocol protocol = Protocol::automatic;
  Session::Options session;  // client_id, keep-alive, ...; user, password and subscriptions are filled by the source
  std::string user;
  config::Secret password;  // read at each connect
  std::vector<Interpreter::Row> rows;
  std::vector<std::uint8_t> qos;  // beside rows
  Retained retained = Retained::mark;
  std::size_t unpacked_bytes_max = 16 * 1024 * 1024;  // of a compressed payload
  bool answer_refused = false;                        // MQTT 5: on the message's response topic
  AckPolicy ack = AckPolicy::durable;
  system::Backoff::Options backoff;
  Duration drain = std::chrono::seconds{1};  // for the last acknowledgements when stopping, and as long for the goodbye
  Duration short_life = std::chrono::seconds{5};  // of a connection; several that the broker ends are suspicious
  // After a broker said that it wants to see less of us (taken over, banned, quota, ...).
  system::Backoff::Options long_backoff{std::chrono::seconds{30}, std::chrono::minutes{10}};
};

// What the source's tokens carry as `session`. Kept in the spool, so it must never change: the upper half is the
// client's, the lower half the URL's.
[[nodiscard]] std::uint64_t session_hash(const Url& url, std::string_view client_id);
// One client's sessions, under whatever URL.
[[nodiscard]] constexpr bool is_same_client(std::uint64_t session, std::uint64_t other) {
  return (session ^ other) >> 32 == 0;
}

[[nodiscard]] std::unique_ptr<ports::Source> make_source(SourceSettings settings, ports::Context context);

}  // namespace railhead::mqtt
