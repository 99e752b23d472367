// DeliveryTable: which MQTT deliveries are taken but perhaps not acknowledged (S19), and which QoS 2 identifiers wait
// for their PUBREL (S7). Filled from the spool at the start, kept by the intakes afterwards.
//
// Recognised is a delivery with DUP set whose session, packet identifier and content equal those of an entry. An entry
// lives from the append until the whole PUBACK was handed to the socket (QoS 1) or the PUBREL came (QoS 2): what comes
// with DUP afterwards cannot be told from a new message with the same content, so it is taken and marked, never
// discarded. Bound: 65,535 identifiers a session, in pages of 256 that live while one of theirs does. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "gateway/base/mutex.h"
#include "gateway/message/reading.h"
#include "gateway/ports/ticket.h"

namespace railhead::flow {

class DeliveryTable {
 public:
  struct Entry {
    std::uint64_t content_hash = 0;
    std::uint8_t qos = 0;
    std::uint8_t wanted = 0;  // bit per spool that is to hold a part of the group
    std::uint8_t held = 0;    // bit per spool that does
    bool doubted = false;     // as in doubt()
    ports::Ticket ticket{};   // 0 sequences for what was recovered: it is durable
  };

  // The entry that `token` repeats, if that is certain.
  [[nodiscard]] std::optional<Entry> recognise(const FieldToken& token) const RAILHEAD_EXCLUDES(mutex_);
  // QoS 2: the same identifier and content, PUBREL outstanding. DUP does not matter here [MQTT-4.3.3-10], unless it is
  // doubted that the broker still has the session the identifier was opened in: then only DUP tells a repeat.
  [[nodiscard]] std::optional<Entry> open(const FieldToken& token) const RAILHEAD_EXCLUDES(mutex_);

  struct Taken {
    FieldToken token;
    Entry entry;
  };
  [[nodiscard]] bool holds(std::uint64_t session, std::uint16_t packet_id) const RAILHEAD_EXCLUDES(mutex_);
  void taken(std::span<const Taken> many) RAILHEAD_EXCLUDES(mutex_);
  void taken(const FieldToken& token, const Entry& entry) RAILHEAD_EXCLUDES(mutex_) {
    const Taken one{token, entry};
    taken({&one, 1});
  }
  // One frame of the spool `spool` found at the start, in order of time; frames of one group add up. One that begins a
  // group in a spool that has the message already is of another message with the same content.
  void recovered(const FieldToken& token, ports::SpoolId spool, bool begins_group) RAILHEAD_EXCLUDES(mutex_);
  // Nothing of the group of these frames is missing.
  void recovered_whole(const FieldToken& token) RAILHEAD_EXCLUDES(mutex_);
  // QoS 1, after recovered(): entries of these sessions that are whole. Whether their acknowledgement left is not
  // known, and neither whether the broker gave the identifier to another message since.
  void forget_uncertain(const std::function<bool(std::uint64_t session)>& is_certain) RAILHEAD_EXCLUDES(mutex_);
  // True if there was one.
  bool forget(std::uint64_t session, std::uint16_t packet_id) RAILHEAD_EXCLUDES(mutex_);
  void forget(std::uint64_t session, std::span<const std::uint16_t> packet_ids) RAILHEAD_EXCLUDES(mutex_);
  bool forget_session(std::uint64_t session) RAILHEAD_EXCLUDES(mutex_);
  // What is open of the session now.
  void doubt(std::uint64_t session) RAILHEAD_EXCLUDES(mutex_);
  // Taken by this process and not acknowledged yet (what was recovered is not counted).
  [[nodiscard]] std::size_t unacknowledged() const RAILHEAD_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kPageEntries = 256;
  struct Page {
    std::array<Entry, kPageEntries> entries{};
    std::array<bool, kPageEntries> used{};
    std::size_t count = 0;
  };
  class Session {  // by packet identifier
   public:
    [[nodiscard]] const Entry* find(std::uint16_t packet_id) const;
    // An empty one if there was none. `spare`: a page that is taken in place of a new one.
    Entry& at(std::uint16_t packet_id, std::unique_ptr<Page>& spare);
    bool erase(std::uint16_t packet_id, std::unique_ptr<Page>& spare);
    void erase_if(const std::function<bool(const Entry&)>& goes, std::unique_ptr<Page>& spare);
    void doubt();
    [[nodiscard]] bool empty() const;
    [[nodiscard]] std::size_t unacknowledged() const;

   private:
    std::array<std::unique_ptr<Page>, 65'536 / kPageEntries> pages_;
  };
  [[nodiscard]] const Entry* find(const FieldToken& token) const RAILHEAD_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  std::unordered_map<std::uint64_t, Session> sessions_ RAILHEAD_GUARDED_BY(mutex_);
  std::unique_ptr<Page> spare_ RAILHEAD_GUARDED_BY(mutex_);  // the last one that died: identifiers go round
};

}  // namespace railhead::flow
