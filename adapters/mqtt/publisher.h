// Publisher: one connection of the sink to a broker. It does not connect again: after on_lost() make a new one.
// Errors:  from connect() and publish(): unavailable, denied, protocol (TLS), timeout, invalid (TLS files), stopped,
//          unsupported (the broker takes neither this version, nor this QoS, nor retained messages).
// Threads: connect(), publish() and the destructor belong to one thread; the observer is called on the library's,
//          but on_waiting() and from look().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/mqtt/sink.h"
#include "gateway/base/result.h"
#include "gateway/message/envelope.h"

namespace railhead::mqtt {

class Publisher {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    // PUBACK, PUBCOMP (also one that does not know the identifier), or sent at QoS 0.
    virtual void on_confirmed(std::uint32_t number) = 0;
    // MQTT 5: the broker answered with a failure, 0x80 or above.
    virtual void on_refused(std::uint32_t number, std::uint8_t reason) = 0;
    // `said`: the reason code of the broker's DISCONNECT.
    virtual void on_lost(const std::string& why, std::optional<std::uint8_t> said) = 0;
    // connect() is still waiting; on its own thread.
    virtual void on_waiting() = 0;
  };

  // Waits for the broker's answer, at most settings.timeout or until `stop`. `keep_alive` is what this server is asked
  // for, at first settings.keep_alive; it comes back as what to ask for next time. The library heeds no Server Keep
  // Alive [MQTT-3.2.2-21]: where the broker's is shorter, this connects a second time with it. Where the second answer
  // is shorter still: unavailable.
  [[nodiscard]] static Result<std::unique_ptr<Publisher>> connect(const SinkSettings& settings, const Url& url,
                                                                  Duration& keep_alive, Observer& observer,
                                                                  const std::stop_token& stop);
  // Says goodbye if still connected. No observer call comes after it.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // The library says nothing of a connection that ends in the moment it comes about: then this does, by on_lost(). On
  // connect()'s thread.
  void look();
  // How many messages may be on the way: the settings' window, or what the broker takes at once if that is less. With
  // more the library would look for room once a second only.
  [[nodiscard]] std::uint32_t window() const;
  // Why the broker, by what its CONNACK says, would not take this message; empty if it would. One that is sent all the
  // same costs the connection.
  [[nodiscard]] std::string fault_of(const std::string& topic, const Enveloper::Wrapped& wrapped,
                                     std::optional<std::chrono::seconds> expiry) const;
  // Queues; `number` comes back in the confirm. Headers and `expiry` (the broker throws it away after so long) are
  // left out at 3.1.1.
  [[nodiscard]] Result<void> publish(std::uint32_t number, const std::string& topic, const Enveloper::Wrapped& wrapped,
                                     std::optional<std::chrono::seconds> expiry);

 private:
  struct State;
  // Once; the keep-alive need not be what the broker wants.
  [[nodiscard]] static Result<std::unique_ptr<Publisher>> connect_once(const SinkSettings& settings, const Url& url,
                                                                       Duration keep_alive, Observer& observer,
                                                                       const std::stop_token& stop);
  explicit Publisher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace railhead::mqtt
