// SourceEngine: one run() of the MQTT source: connection, session and intake under one event loop.
//   source_connection.cpp  which broker, connecting, what the session tells of itself
//   source_intake.cpp      bytes in, batches into the intake, acknowledgements of what became durable
//   source_engine.cpp      its life: bytes out, time, the end
// Threads: everything lives on the thread of run().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/mqtt/batch.h"
#include "adapters/mqtt/interpreter.h"
#include "adapters/mqtt/link.h"
#include "adapters/mqtt/read_buffer.h"
#include "adapters/mqtt/servers.h"
#include "adapters/mqtt/session.h"
#include "adapters/mqtt/source.h"
#include "adapters/mqtt/subscription_memory.h"
#include "gateway/ports/source.h"
#include "gateway/system/backoff.h"
#include "gateway/system/event_loop.h"

namespace railhead::mqtt {

class SourceEngine final : public Link::Owner, public Session::Listener {
 public:
  SourceEngine(const SourceSettings& settings, const ports::Context& context, ports::Intake& intake);
  ~SourceEngine() override;
  void run(const std::stop_token& stop);

 private:
  // --- the connection

  // What is known of a broker by its URL.
  struct Known {
    Version version;         // to speak at the next connection
    std::uint64_t session;   // as in FieldToken
    bool connected = false;  // once
    // `automatic`: whether it takes MQTT 5 was seen, or is taken for sure. An old broker may refuse it without a word,
    // and so does a proxy whose broker is just starting.
    bool sure = false;
    bool guessed = false;  // 3.1.1 served once after such a silence
    unsigned silent = 0;   // refusals without a word since it last let us in
  };
  Known& known();
  void choose_server();
  void connect();
  void on_link_up() override;
  void on_link_lost(const Error& why) override { lost(why); }
  void lost(const Error& why);
  // After a CONNECT that was not accepted: which version to speak next. True: it is lower than this one.
  bool choose_version(const Error& why);

  // Where the broker sends us, if that is allowed.
  bool follow();

  // The broker closed several connections in order, without a word, soon after it had accepted them. One that knows
  // only 3.1.1, and mosquitto 2.0 at MQTT 5 too, gives no reason when another client comes with our client_id: each
  // comes back and throws the other out, for ever. What a bad line breaks ends in a reset or in silence: no sign of it.
  [[nodiscard]] bool is_contested() const { return short_lives_ >= kShortLivesMost; }
  static constexpr unsigned kShortLivesMost = 4;
  void schedule_connect(Duration delay);
  void on_connected(bool session_present) override;
  void on_subscribed(std::size_t index, std::uint8_t reason) override;
  void on_all_answered(const std::vector<std::string>& kept) override;
  [[nodiscard]] std::vector<std::string> wanted_filters() const;
  void show_state();

  // --- bytes in

  // Taken off the socket and not yet through the intake: nothing else is read before it is.
  [[nodiscard]] bool has_batch() const { return !session_.inbox().empty(); }
  [[nodiscard]] bool reads() const { return !has_batch() && !stopping_ && session_.accepts(); }
  void on_link_ready(bool broken) override;
  void take_turn(bool broken);

  // So many acknowledgements wait that no more was taken; now there is room.
  void go_on_if_stalled();
  void pull();
  void grow();

  // Delivers every whole packet. False: the link is gone or the intake takes nothing.
  bool take_all(BootTime now);

  // --- into the intake

  // False: the intake takes nothing now, or it was a part of a large batch. It goes on by itself: acknowledgements and
  // whatever else is due have their turn between parts.
  bool deliver_batch();
  void go_on_with_batch();
  void on_durable();
  void on_acknowledged(std::span<const std::uint16_t> packet_ids) override;
  void on_quota_exceeded() override;
  void schedule_window();
  void close_windows();

  // --- bytes out

  void flush();
  void flush_acknowledgements();

  // A DISCONNECT with the reason, if it goes out at once.
  void flush_last_words();

  // --- time

  void housekeep();
  void housekeep_at(BootTime due);
  void relax_later();
  void relax();

  // The batch in hand goes on and what becomes durable is acknowledged, for as long as that may take; then DISCONNECT
  // without dropping the session. What the broker sent meanwhile is read and thrown away until it closes: unread bytes
  // would make the system reset the connection, and the broker would never see the acknowledgements that were just
  // written.
  void drain();
  void leave(bool broken);

  const SourceSettings& settings_;
  const ports::Context& context_;
  ports::Intake& intake_;
  system::EventLoop loop_;
  Link link_;
  Servers servers_;
  Url url_;  // of the connection, and what is known by it:
  std::uint64_t session_hash_ = 0;
  bool session_is_ours_ = false;  // it began with these subscriptions
  std::map<std::string, Known> known_;
  SubscriptionMemory subscriptions_;
  Session session_;
  Interpreter interpreter_;
  Batch batch_;
  ReadBuffer buffer_;
  std::size_t in_hand_ = 0;  // bytes of buffer_ that the batch looks at
  system::Backoff backoff_;
  system::Backoff long_backoff_;
  system::Backoff retry_backoff_;
  bool stopping_ = false;
  bool leaving_ = false;  // DISCONNECT is on its way, what comes is thrown away
  bool busy_ = false;
  bool stalled_ = false;
  bool blocked_ = false;  // the intake refused the batch
  std::string blocked_by_;
  std::vector<std::string> refused_filters_;
  BootTime connected_at_{};
  unsigned short_lives_ = 0;  // that the broker ended; none that lasted came between
  std::optional<BootTime> window_due_;
  system::EventLoop::TimerId reconnect_timer_ = 0;
  system::EventLoop::TimerId batch_timer_ = 0;
  system::EventLoop::TimerId pull_timer_ = 0;
  system::EventLoop::TimerId window_timer_ = 0;
  system::EventLoop::TimerId housekeeping_timer_ = 0;
  BootTime housekeeping_due_{};
  system::EventLoop::TimerId relax_timer_ = 0;
};

}  // namespace railhead::mqtt
