// Confirms: which published records the broker has still to answer for, by delivery tag.
// Standard: RabbitMQ publisher confirms (an extension of AMQP 0-9-1): tags count 1, 2, 3, ... per channel from
//           confirm.select; an answer may come out of order and, with `multiple`, covers every open tag up to its own.
// basic.return of an unroutable message comes before its own answer, which is then an ack: the return is remembered by
// message-id until that answer.
// Bounds:   the caller keeps size() below its window.
// Threads:  one owner.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "gateway/ports/sink.h"

namespace railhead::amqp {

enum class Answer : std::uint8_t { ack, nack };

class Confirms {
 public:
  // `returned`: the reason of a basic.return, or empty.
  using OnAnswer = std::function<void(const ports::Outgoing& outgoing, Answer answer, const std::string& returned)>;

  // Gives the record's delivery tag.
  std::uint64_t published(ports::Outgoing outgoing);
  // False: no open record has this identity.
  bool returned(std::string_view identity, std::string reason);
  // Calls back once for each record this answers, in the order of their tags. False: a tag that was never given, which
  // is a fault of the peer; one that was answered before is not.
  bool answered(std::uint64_t tag, bool multiple, Answer answer, const OnAnswer& on_answer);

  [[nodiscard]] std::size_t size() const { return open_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    ports::Outgoing outgoing;
    std::string returned;
    bool open = true;
  };
  void close(Entry& entry, Answer answer, const OnAnswer& on_answer);

  std::deque<Entry> entries_;  // of the tags first_, first_ + 1, ...; the front one is open
  std::uint64_t first_ = 1;
  std::size_t open_ = 0;
  std::size_t bytes_ = 0;  // of the open ones' bodies
};

}  // namespace railhead::amqp
