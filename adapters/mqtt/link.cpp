#include "adapters/mqtt/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "adapters/mqtt/port_hint.h"
#include "adapters/mqtt/websocket_stream.h"

namespace railhead::mqtt {

using system::EventLoop;
using system::Stream;

namespace {

// Notes how a connection begins.
class NotedStream final : public Stream {
 public:
  NotedStream(std::unique_ptr<Stream> below, Link::Beginning& beginning)
      : below_(std::move(below)), beginning_(beginning) {}

  int fd() const override { return below_->fd(); }
  std::uint32_t wanted() const override { return below_->wanted(); }
  Result<Progress> handshake() override {
    const Result<Progress> progress = below_->handshake();
    if (progress && *progress == Progress::done) beginning_.stands = true;
    return progress;
  }
  Result<std::size_t> read(std::span<char> into) override {
    Result<std::size_t> got = below_->read(into);
    if (got && beginning_.first.size() < kEnough) {
      beginning_.first.append(into.data(), std::min(*got, kEnough - beginning_.first.size()));
    }
    return got;
  }
  Result<std::size_t> write(std::string_view bytes) override { return below_->write(bytes); }
  bool closed_by_peer() const override { return below_->closed_by_peer(); }

 private:
  static constexpr std::size_t kEnough = 8;
  std::unique_ptr<Stream> below_;
  Link::Beginning& beginning_;
};

}  // namespace

Link::Link(EventLoop& loop, Owner& owner) : loop_(loop), owner_(owner), resolver_(loop) {}
Link::~Link() { close(); }

void Link::open(const Url& url, std::shared_ptr<const tls::Context> tls) {
  close();
  served_ = served_ && url_ == url;
  url_ = url;
  tls_ = std::move(tls);
  resolving_ = resolver_.resolve(url.host, url.port, [this](Result<std::vector<system::Address>> found) {
    resolving_ = 0;
    if (!found) return owner_.on_link_lost(found.error());
    addresses_ = std::move(*found);
    next_address_ = 0;
    try_next({Errc::unavailable, "no address"});
  });
}

void Link::close() {
  if (resolving_ != 0) resolver_.cancel(std::exchange(resolving_, 0));
  drop_stream();
  addresses_.clear();
}

void Link::drop_stream() {
  loop_.cancel(std::exchange(timeout_, 0));
  if (stream_ != nullptr) loop_.unwatch(stream_->fd());
  stream_.reset();
  events_ = 0;
  beginning_ = {};
  up_ = false;
}

void Link::try_next(const Error& last) {
  drop_stream();
  Error why = last;
  while (next_address_ < addresses_.size()) {
    const system::Address& address = addresses_[next_address_++];
    Result<std::unique_ptr<system::Stream>> stream = system::connect_tcp(address);
    if (stream && hides_bytes()) stream = std::make_unique<NotedStream>(std::move(*stream), beginning_);
    if (stream && tls_ != nullptr) stream = tls_->secure(std::move(*stream), url_.host);
    if (stream && url_.websocket) stream = through_websocket(std::move(*stream), url_);
    if (!stream) {
      why = stream.error();
      continue;
    }
    stream_ = std::move(*stream);
    events_ = stream_->wanted();
    loop_.watch(stream_->fd(), events_, [this](std::uint32_t events) {
      if (up_) return owner_.on_link_ready((events & EventLoop::kError) != 0);
      go_on();
    });
    timeout_ = loop_.after(kConnectTimeout, [this, text = address.text()] {
      timeout_ = 0;
      try_next(with_hint({Errc::timeout, "connect to " + text + ": no answer"}));
    });
    return;
  }
  owner_.on_link_lost(why);
}

Error Link::with_hint(const Error& why) const {
  if (!beginning_.stands) return why;
  return {why.code, why.what + handshake_hint(url_, beginning_.first, served_, why)};
}

void Link::go_on() {
  const Result<system::Stream::Progress> progress = stream_->handshake();
  if (!progress) return try_next(with_hint(progress.error()));
  if (*progress == system::Stream::Progress::pending) return set_events(stream_->wanted());
  loop_.cancel(std::exchange(timeout_, 0));
  up_ = true;
  served_ = true;
  watch(true, false);
  owner_.on_link_up();
}

void Link::end_writing() {
  if (up_) ::shutdown(stream_->fd(), SHUT_WR);
}

void Link::watch(bool reading, bool writing) {
  if (!up_) return;
  std::uint32_t events = stream_->wanted();
  if (!reading) events &= ~static_cast<std::uint32_t>(EventLoop::kReadable);
  if (writing) events |= EventLoop::kWritable;
  set_events(events);
}

void Link::set_events(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  loop_.change(stream_->fd(), events);
}

}  // namespace railhead::mqtt
