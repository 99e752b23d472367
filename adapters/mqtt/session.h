// Session: the client's side of one MQTT session, 3.1.1 and 5, without I/O: bytes in, deliveries and bytes out, time as
// an argument. What is delivered is acknowledged only when its ticket is durable (contract 1), in the order of arrival
// [MQTT-4.6.0-2].
//
// Life: open() queues CONNECT; bytes go through receive(); output() is what the transport must send, sent() says how
// far
//       it came. After an error from receive() or tick(): send output() once more if it can be, drop the transport,
//       close(). The session at the broker outlives close(); unsent acknowledgements do not, the broker sends those
//       messages again [MQTT-4.4.0-1].
// Inbox: receive() fills inbox() with views into the given bytes. They must stay in place until clear_inbox();
// receive()
//       may not be called before that. The owner calls acknowledge() for every item that wants it, in order.
// Bounds: kUnacknowledgedMax acknowledgements wait at most; accepts() turns false before that, then feed nothing.
// Errors: protocol (the peer is wrong; output() ends with DISCONNECT at MQTT 5), unsupported (the broker refuses this
//       version), denied (credentials), unavailable, timeout.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/properties.h"
#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/ports/ticket.h"

namespace railhead::mqtt {

class Session {
 public:
  struct Wanted {
    std::string filter;
    std::uint8_t qos = 1;
  };
  struct Options {
    std::string client_id;
    std::optional<std::string> user;
    std::optional<std::string> password;
    bool clean_start = false;                      // forget what the broker kept for this client_id
    std::uint16_t keep_alive_seconds = 60;         // 0: none
    std::uint32_t session_expiry_seconds = 0;      // MQTT 5; 0xffffffff never
    std::uint16_t receive_maximum = 4096;          // MQTT 5: messages of QoS 1 and 2 the broker may have on the way
    std::uint32_t packet_bytes_max = 1024 * 1024;  // a PUBLISH beyond it is cut and delivered as `oversized`
    // MQTT 5: topics the broker may replace by a number.
    std::uint16_t topic_alias_maximum = 64;
    // MQTT 5: ask for the subscription's index with each message, where the broker can.
    bool subscription_identifiers = false;
    Duration answer_timeout = std::chrono::seconds{20};  // CONNACK, SUBACK
    std::vector<Wanted> subscriptions;
  };
  static constexpr std::size_t kUnacknowledgedMax = 65'535;
  // Packets of one inbox, about: while they are taken those before them go to the disk, and what became durable waits
  // no longer than that for its acknowledgement.
  static constexpr std::size_t kInboxItems = 256;
  static constexpr std::size_t kOutputBytesMax = 1024 * 1024;
  static constexpr std::size_t kFiltersPerSubscribe = 8;
  static constexpr std::uint32_t kOversizedKept = 64 * 1024;
  // A refused subscription is asked for again at every connection, and on one connection after these times.
  static constexpr Duration kAskAgainFirst = std::chrono::minutes{1};  // doubles
  static constexpr Duration kAskAgainMost = std::chrono::minutes{10};

  // What the owner learns besides deliveries. Called from within receive() and sent().
  class Listener {
   public:
    virtual ~Listener() = default;
    // CONNACK accepted us. A session that is not present begins afresh: its packet identifiers mean nothing any more.
    virtual void on_connected(bool session_present) = 0;
    // `reason`: the granted QoS, or from 0x80 a refusal, also one that was known without asking (CONNACK's limits).
    // `index` into Options::subscriptions.
    virtual void on_subscribed(std::size_t index, std::uint8_t reason) = 0;
    // Every SUBSCRIBE and UNSUBSCRIBE is answered. `kept`: what set_unwanted() named and the broker did not take away.
    virtual void on_all_answered(const std::vector<std::string>& kept) = 0;
    // The whole PUBACK of each of these identifiers was handed to the transport.
    virtual void on_acknowledged(std::span<const std::uint16_t> packet_ids) = 0;
    // MQTT 5: more messages are on the way than our Receive Maximum. Once a connection. They are taken all the same:
    // mosquitto 2.0.11 does so in every burst, and to disconnect it, as [5 3.3.4] would have it, never ends.
    virtual void on_quota_exceeded() = 0;
  };

  struct Inbound {
    enum class Kind : std::uint8_t { publish, oversized, release };
    Kind kind = Kind::publish;
    Publish publish;                // oversized: payload is its beginning, the properties perhaps none
    std::uint32_t whole_bytes = 0;  // of an oversized packet
    std::uint16_t packet_id = 0;    // release: of the PUBREL
    // The subscription it is sent for, if the broker names one; an index into Options::subscriptions. Of a message that
    // is sent once for several there is no other copy.
    std::optional<std::size_t> subscription;
  };

  Session(Options options, Listener& listener);

  // Credentials may have changed since the last connection (S32).
  void set_credentials(std::optional<std::string> user, std::optional<std::string> password);

  // The next connection is to another broker: what was subscribed at the last one does not count.
  void forget_subscriptions() { subscribed_once_ = false; }

  // Filters of an earlier configuration that the session at the broker may still have: unsubscribed at the next
  // connection, if the session is present then. Behind the SUBSCRIBE: a moment with both costs a repeat, a moment with
  // neither messages.
  void set_unwanted(std::vector<std::string> filters) { unwanted_ = std::move(filters); }

  void open(Version version, BootTime now);
  // Keeps the inbox: what was received may still be taken.
  void close();
  [[nodiscard]] bool is_open() const { return state_ != State::closed; }
  [[nodiscard]] bool is_connected() const { return state_ == State::connected; }

  // Takes whole packets off the front of `bytes`, kInboxItems at most; gives how many bytes that were. 0 with an empty
  // inbox: feed more.
  [[nodiscard]] Result<std::size_t> receive(std::string_view bytes, BootTime now);
  [[nodiscard]] const std::vector<Inbound>& inbox() const { return inbox_; }
  void clear_inbox();
  [[nodiscard]] bool accepts() const;

  // Queues PUBACK, PUBREC or PUBCOMP; it leaves when release() brings a watermark that covers `ticket`. Nothing after
  // close(): those belonged to the lost connection.
  void acknowledge(PacketType type, std::uint16_t packet_id, const ports::Ticket& ticket);
  void release(const ports::Ticket& durable);
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // MQTT 5: queues a message of QoS 0 to the response topic of `request`, with its correlation data [5 4.10]. Left out
  // where there is no such topic, it is none, or the output is long already.
  void answer(const Publish& request, std::string_view payload);

  // Queues DISCONNECT.
  void disconnect(std::uint8_t reason);

  [[nodiscard]] std::string_view output() const { return std::string_view(output_).substr(output_sent_); }
  void sent(std::size_t bytes, BootTime now);

  // `reading`: the owner takes what comes; while it does not, silence proves nothing.
  [[nodiscard]] Result<void> tick(BootTime now, bool reading);
  [[nodiscard]] std::optional<BootTime> next_due(bool reading) const;
  // Reading begins again after a pause.
  void resumed(BootTime now) { received_at_ = asked_at_ = now; }

  // The reason of a DISCONNECT or CONNACK from the broker, if it gave one.
  [[nodiscard]] std::optional<std::uint8_t> broker_reason() const { return broker_reason_; }
  // Where it sends us, with the reasons 0x9c and 0x9d; empty if it does not say.
  [[nodiscard]] const std::string& server_reference() const { return server_reference_; }
  // How long the broker keeps the session, if it says another time than we asked for (MQTT 5).
  [[nodiscard]] std::optional<std::uint32_t> broker_session_expiry() const { return broker_session_expiry_; }

 private:
  enum class State : std::uint8_t { closed, connecting, connected };
  struct Waiting {
    PacketType type;
    std::uint16_t packet_id;
  };
  struct Together {  // acknowledgements behind one another that wait for one ticket
    ports::Ticket ticket;
    std::size_t count;
  };
  struct Leaving {
    std::uint64_t end;  // of its bytes, counted from open()
    std::uint16_t packet_id;
  };
  struct Asked {
    std::uint16_t packet_id;
    std::vector<std::size_t> subscriptions;
    std::vector<std::string> unwanted;  // an UNSUBSCRIBE
  };
  // A PUBLISH above the limit whose topic and properties do not fit what is kept either.
  struct Large {
    FixedHeader header;
    std::uint32_t left = 0;  // of the packet
    Publish publish;         // its topic is `topic`
    std::string topic;
    std::optional<PropertySkimmer> skimmer;  // once topic and identifier are there
  };
  // What CONNACK says the broker can do [5 3.2.2.3].
  struct Limits {
    std::uint32_t packet_bytes_max = 0;  // 0: none
    bool wildcards = true;
    bool subscription_identifiers = true;
    bool shared = true;
  };

  [[nodiscard]] tl::unexpected<Error> violated(std::uint8_t reason, std::string what);
  [[nodiscard]] Result<void> handle(const Packet& packet, BootTime now);
  [[nodiscard]] Result<void> handle_connack(const Connack& packet, BootTime now);
  [[nodiscard]] Result<void> handle_suback(const Suback& packet, BootTime now);
  [[nodiscard]] Result<void> handle_unsuback(const Unsuback& packet);
  [[nodiscard]] Result<bool> take_publish(const Publish& publish);
  // The topic behind an alias, or a new alias. False: the next batch must take it.
  [[nodiscard]] Result<bool> resolve_alias(std::uint32_t alias, std::string_view& topic);
  [[nodiscard]] Result<std::size_t> take_oversized(const FixedHeader& header, std::string_view bytes);
  [[nodiscard]] Result<std::size_t> take_large(std::string_view bytes);
  [[nodiscard]] Result<std::size_t> take_large_head(std::string_view bytes);
  void read_limits(std::string_view properties);
  void subscribe(bool session_present, BootTime now);
  // For what is not granted and may be asked for.
  void ask(bool session_present, BootTime now);
  void ask_again(BootTime now);
  [[nodiscard]] std::optional<std::uint8_t> refused_unasked(const Wanted& wanted) const;
  void send_subscribe(const std::vector<std::size_t>& subscriptions, bool session_present);
  void unsubscribe(BootTime now);
  void all_answered();
  [[nodiscard]] std::uint16_t take_packet_id();
  // The request this answers; none: it was not asked.
  [[nodiscard]] std::optional<Asked> take_asked(std::uint16_t packet_id, bool unsubscribes);
  [[nodiscard]] bool in_inbox(std::uint16_t packet_id) const;

  Options options_;
  Listener& listener_;
  State state_ = State::closed;
  Version version_ = Version::v5;
  bool subscribed_once_ = false;
  std::optional<std::uint8_t> broker_reason_;
  std::string server_reference_;
  std::optional<std::uint32_t> broker_session_expiry_;
  Limits limits_;
  std::vector<std::string> aliases_;  // by alias - 1; the inbox looks at them

  std::vector<Inbound> inbox_;
  std::vector<std::uint64_t> inbox_ids_;  // a bit per QoS 2 identifier in the inbox; empty until first needed
  std::uint32_t skip_ = 0;                // bytes of an oversized packet still to be thrown away
  std::optional<Large> large_;
  std::string large_topic_;  // of the last one; the inbox looks at it
  std::deque<Waiting> waiting_;
  std::deque<Together> tickets_;  // of waiting_
  std::uint32_t quota_used_ = 0;
  bool quota_exceeded_ = false;

  std::string output_;
  std::size_t output_sent_ = 0;
  std::uint64_t sent_total_ = 0;
  std::deque<Leaving> leaving_;
  std::vector<std::uint16_t> left_;  // scratch

  std::vector<Asked> asked_;
  std::vector<std::string> unwanted_;
  std::vector<std::string> kept_;                              // of unwanted_: the broker refused to
  std::vector<std::pair<std::size_t, std::uint8_t>> refused_;  // without asking
  std::vector<std::size_t> not_granted_;                       // of Options::subscriptions, in order
  std::optional<BootTime> ask_again_at_;
  Duration ask_again_after_ = kAskAgainFirst;
  BootTime asked_at_{};
  std::uint16_t next_packet_id_ = 1;

  Duration keep_alive_{};
  BootTime opened_at_{};
  BootTime received_at_{};
  BootTime sent_at_{};
  BootTime pinged_at_{};
};

}  // namespace railhead::mqtt
