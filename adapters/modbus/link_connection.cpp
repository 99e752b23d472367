// How a link's connection comes about and ends.
#include <algorithm>
#include <utility>

#include "adapters/modbus/link.h"
#include "gateway/base/assert.h"

namespace railhead::modbus {

using system::EventLoop;

void Link::connect() {
  RAILHEAD_ASSERT(stream_ == nullptr);
  state_ = State::resolving;
  until_ = loop_.now() + options_.connect_timeout;
  addresses_.clear();
  next_address_ = 0;
  if (options_.endpoint.transport == Transport::rtu) {
    addresses_.emplace_back();  // the connector knows the path
    state_ = State::connecting;
    return try_next_address();
  }
  resolving_ = resolver_.resolve(options_.endpoint.host, options_.endpoint.port,
                                 [this](Result<std::vector<system::Address>> addresses) {
                                   resolving_ = 0;
                                   if (!addresses) return connect_failed(addresses.error().what);
                                   addresses_ = std::move(*addresses);
                                   state_ = State::connecting;
                                   try_next_address();
                                 });
  pump();
}

void Link::try_next_address() {
  std::string why = "no address";
  while (next_address_ < addresses_.size()) {
    Result<std::unique_ptr<system::Stream>> stream = connector_(addresses_[next_address_++]);
    if (!stream) {
      why = stream.error().what;
      continue;
    }
    stream_ = std::move(*stream);
    until_ = loop_.now() + options_.connect_timeout;
    watched_ = stream_->wanted();
    loop_.watch(stream_->fd(), watched_, [this](std::uint32_t) { on_ready(); });
    return pump();
  }
  connect_failed(why);
}

void Link::connect_failed(const std::string& why) {
  resolver_.cancel(std::exchange(resolving_, 0));
  close();
  state_ = State::waiting;
  until_ = loop_.now() + backoff_.next();
  if (announced_ || !told_lost_) observer_.on_lost(name_, why);
  announced_ = false;
  told_lost_ = true;
  scheduler_.link_down(why);
  pump();
}

void Link::handshake() {
  const Result<system::Stream::Progress> progress = stream_->handshake();
  if (!progress) {
    if (next_address_ < addresses_.size()) {
      close();
      return try_next_address();
    }
    return connect_failed(progress.error().what);
  }
  if (*progress == system::Stream::Progress::done) {
    state_ = State::ready;
    scheduler_.connection(true);
    discards_ = 0;
    silences_ = 0;
    answered_ = false;
  }
  watch_for_needs();
  pump();
}

void Link::broke(const Error& error) {
  const std::vector<Open> open = std::exchange(open_, {});
  close();
  // A device that closes after each answer, or while idle just as we asked: normal, once.
  const bool harmless =
      answered_ && !repeated_ && error.code != Errc::protocol && options_.endpoint.transport != Transport::rtu;
  for (const Open& one : open) {
    finish(one);
    give_up(one, error.what, harmless);
  }
  if (!open.empty()) repeated_ = harmless;
  if (harmless) {
    state_ = State::closed;
  } else {
    if (announced_ || !told_lost_) observer_.on_lost(name_, error.what);
    announced_ = false;
    told_lost_ = true;
    state_ = State::waiting;
    until_ = loop_.now() + backoff_.next();
  }
  pump();
}

void Link::close() {
  if (stream_ != nullptr) {
    loop_.unwatch(stream_->fd());
    stream_.reset();
    scheduler_.connection(false);
  }
  output_.clear();
  input_.clear();
  noise_ = 0;
}

}  // namespace railhead::modbus
