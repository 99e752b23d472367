// Link: one connection to a broker, from name to bytes: resolve, connect (each address in turn), TLS handshake, upgrade
// to WebSocket, then a non-blocking byte stream. It does not connect again by itself.
// Errors:  reach the owner once through on_link_lost() while the link is coming up; afterwards read() and write() give
//          them. Each address has kConnectTimeout.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/mqtt/url.h"
#include "adapters/tls/context.h"
#include "gateway/base/result.h"
#include "gateway/system/event_loop.h"
#include "gateway/system/resolver.h"
#include "gateway/system/stream.h"

namespace railhead::mqtt {

class Link {
 public:
  static constexpr Duration kConnectTimeout = std::chrono::seconds{10};

  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_link_up() = 0;
    // Readable or writable; `broken`: the system says error or hang-up.
    virtual void on_link_ready(bool broken) = 0;
    virtual void on_link_lost(const Error& why) = 0;
  };

  Link(system::EventLoop& loop, Owner& owner);
  ~Link();

  // `tls`: null for plain TCP.
  void open(const Url& url, std::shared_ptr<const tls::Context> tls);
  void close();
  [[nodiscard]] bool is_up() const { return up_; }
  // A read that gives less than asked may hide more bytes, already decrypted or unframed.
  [[nodiscard]] bool hides_bytes() const { return tls_ != nullptr || url_.websocket; }

  [[nodiscard]] Result<std::size_t> read(std::span<char> into) { return stream_->read(into); }
  [[nodiscard]] Result<std::size_t> write(std::string_view bytes) { return stream_->write(bytes); }
  // After an error of read() or write(): as Stream's.
  [[nodiscard]] bool closed_by_peer() const { return stream_ != nullptr && stream_->closed_by_peer(); }
  // Nothing more is written; the peer sees the end behind what was, and may still send. Again is fine.
  void end_writing();
  // What to wait for from now on.
  void watch(bool reading, bool writing);

  // Of a connection with TLS or WebSockets, underneath: what a wrong port is told by.
  struct Beginning {
    bool stands = false;  // the TCP connection
    std::string first;    // bytes that came
  };

 private:
  void try_next(const Error& last);
  void go_on();
  [[nodiscard]] Error with_hint(const Error& why) const;
  void set_events(std::uint32_t events);
  void drop_stream();

  system::EventLoop& loop_;
  Owner& owner_;
  system::Resolver resolver_;
  system::Resolver::Ticket resolving_ = 0;
  Url url_;
  std::shared_ptr<const tls::Context> tls_;
  std::vector<system::Address> addresses_;
  std::size_t next_address_ = 0;
  std::unique_ptr<system::Stream> stream_;
  std::uint32_t events_ = 0;
  system::EventLoop::TimerId timeout_ = 0;
  bool served_ = false;  // it came up once, at this URL
  Beginning beginning_;
  bool up_ = false;
};

}  // namespace railhead::mqtt
