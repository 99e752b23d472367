// Feed: one run of an AMQP sink; what sink.h promises is done here. Threads: one owner.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/amqp/config.h"
#include "adapters/amqp/confirms.h"
#include "adapters/amqp/connection.h"
#include "adapters/amqp/watchdog.h"
#include "gateway/ports/adapter.h"
#include "gateway/system/backoff.h"
#include "gateway/system/descriptor.h"

namespace railhead::amqp {

class Feed final : private Connection::Listener {
 public:
  Feed(const AmqpOptions& options, const ports::Context& context, ports::Outlet& outlet);
  ~Feed() override;
  void run(const std::stop_token& stop);

 private:
  void on_ack(std::uint64_t tag, bool multiple) override;
  void on_nack(std::uint64_t tag, bool multiple) override;
  void on_return(std::string_view message_id, std::string reason) override;
  void on_blocked(std::string reason) override;
  void on_unblocked() override;

  void connect(const std::stop_token& stop);
  void serve(const std::stop_token& stop);
  // An error means that the connection is lost.
  [[nodiscard]] Result<void> turn(const std::stop_token& stop);
  [[nodiscard]] Result<void> send_window(const std::stop_token& stop);
  // Of this record, else of the sink.
  [[nodiscard]] std::optional<std::uint8_t> priority_of(const Record& record) const;
  [[nodiscard]] Result<void> send(const ports::Outgoing& outgoing);
  void answered(std::uint64_t tag, bool multiple, Answer answer);
  void concluded(const ports::Outgoing& outgoing, Answer answer, const std::string& returned);
  void set_aside(const ports::Outgoing& outgoing, std::string why);
  void refused_for_now(const ports::Outgoing& outgoing, std::string why);
  void hold(std::string_view destination);
  void try_held(BootTime now);
  // The outlet gives this record again when its destination is let out.
  [[nodiscard]] bool waits(std::string_view destination);
  void landed(std::string_view destination);
  void lost(const Error& error);
  void finish();
  void sleep();
  [[nodiscard]] BootTime due(BootTime now) const;
  // Until the outlet has something new, the broker said something, or a stop.
  void wait(bool for_records, std::chrono::milliseconds at_most);
  [[nodiscard]] bool room() const;

  // A destination whose records wait in the outlet.
  struct Hold {
    system::Backoff backoff;
    BootTime until;        // then one of its records is tried
    bool probing = false;  // the outlet was asked for one, or it is on its way
    bool sent = false;     // it is on its way
  };

  const AmqpOptions& options_;
  Enveloper enveloper_;
  const ports::Context& context_;
  ports::Outlet& outlet_;
  Watchdog watchdog_;
  system::EventFd wake_;
  system::Backoff backoff_;

  std::unique_ptr<Connection> connection_;
  Confirms confirms_;  // of this connection
  std::map<std::string, Hold, std::less<>> holds_;
  std::map<std::string, std::size_t, std::less<>> flying_;  // unanswered records of each destination
  BootTime connected_at_{};
  BootTime last_answer_{};  // or the first publish into an empty window
  bool blocked_ = false;
  bool protocol_fault_ = false;  // the peer answered for what was never sent
  bool more_ = true;             // the outlet may have more
  bool lost_before_ = false;     // said since the last connection
};

}  // namespace railhead::amqp
