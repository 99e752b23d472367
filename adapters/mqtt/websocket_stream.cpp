#include "adapters/mqtt/websocket_stream.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "adapters/mqtt/websocket.h"
#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/system/event_loop.h"

namespace railhead::mqtt {
namespace {

using system::EventLoop;
using system::Stream;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kFrameBytesMax = 64 * 1024;
constexpr std::size_t kAnswersMax = 64 * 1024;  // pongs that the peer does not read

template <std::size_t kCount>
std::array<char, kCount> random_bytes() {
  std::array<char, kCount> bytes{};
  // Up to 256 bytes never come short, and only wait before the system has ever had entropy.
  RAILHEAD_ASSERT(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

class WebsocketStream final : public Stream {
 public:
  WebsocketStream(std::unique_ptr<Stream> below, const Url& url) : below_(std::move(below)) {
    const auto nonce = random_bytes<16>();
    key_ = base::to_base64({nonce.data(), nonce.size()});
    pending_ = websocket_request(url.authority(), url.path, key_);
  }
  // Says goodbye as far as the socket takes it.
  ~WebsocketStream() override {
    if (!upgraded_ || broken_ || reader_.closed() || !pending_.empty()) return;
    put_websocket_frame(WebsocketOpcode::close, std::string_view("\x03\xe8", 2), next_mask(), pending_);  // 1000
    [[maybe_unused]] const Result<std::size_t> sent = below_->write(pending_);
  }

  int fd() const override { return below_->fd(); }
  std::uint32_t wanted() const override {
    std::uint32_t events = below_->wanted();
    if (connected_ && !pending_.empty()) events |= static_cast<std::uint32_t>(EventLoop::kWritable);
    return events;
  }

  Result<Progress> handshake() override {
    if (upgraded_) return Progress::done;
    if (!connected_) {
      const Result<Progress> below = below_->handshake();
      if (!below || *below == Progress::pending) return below;
      connected_ = true;
    }
    if (const Result<bool> sent = send_pending(); !sent) return fail(sent.error());
    for (;;) {
      const Result<bool> more = fill();
      if (!more) return fail(more.error());
      const Result<std::optional<std::size_t>> head = read_websocket_answer(raw_, key_);
      if (!head) return fail(head.error());
      if (*head) {
        raw_.erase(0, **head);
        upgraded_ = true;
        return Progress::done;
      }
      if (!*more) return Progress::pending;
    }
  }

  Result<std::size_t> read(std::span<char> into) override {
    for (;;) {
      const Result<WebsocketReader::Progress> progress = reader_.read(raw_, into);
      if (!progress) return broken(progress.error());
      raw_.erase(0, progress->taken);
      if (auto answer = reader_.take_answer()) {
        // It may not fall into the middle of a frame: pending_ holds whole ones.
        if (pending_.size() < kAnswersMax) put_websocket_frame(answer->opcode, answer->payload, next_mask(), pending_);
        if (const Result<bool> sent = send_pending(); !sent) return broken(sent.error());
      }
      if (progress->given > 0) return progress->given;
      if (reader_.closed()) {
        return broken(
            {Errc::unavailable, "closed by the peer (WebSocket status " + std::to_string(*reader_.closed()) + ")"});
      }
      if (progress->taken > 0 && !raw_.empty()) continue;
      const Result<bool> more = fill();
      if (!more) return broken(more.error());
      if (!*more) return std::size_t{0};
    }
  }

  Result<std::size_t> write(std::string_view bytes) override {
    if (const Result<bool> sent = send_pending(); !sent) return broken(sent.error());
    if (!pending_.empty()) return std::size_t{0};
    if (accepted_ == 0) {
      if (bytes.empty()) return std::size_t{0};
      accepted_ = std::min(bytes.size(), kFrameBytesMax);
      put_websocket_frame(WebsocketOpcode::binary, bytes.substr(0, accepted_), next_mask(), pending_);
      if (const Result<bool> sent = send_pending(); !sent) return broken(sent.error());
      if (!pending_.empty()) return std::size_t{0};
    }
    return std::exchange(accepted_, 0);
  }
  bool closed_by_peer() const override { return reader_.closed().has_value() || below_->closed_by_peer(); }

 private:
  tl::unexpected<Error> broken(const Error& why) {
    broken_ = true;
    return fail(why);
  }

  // False: nothing came.
  Result<bool> fill() {
    const std::size_t before = raw_.size();
    raw_.resize(before + kReadBytes);
    const Result<std::size_t> got = below_->read({raw_.data() + before, kReadBytes});
    raw_.resize(before + (got ? *got : 0));
    if (!got) return fail(got.error());
    return *got > 0;
  }

  Result<bool> send_pending() {
    while (!pending_.empty()) {
      const Result<std::size_t> sent = below_->write(pending_);
      if (!sent) return fail(sent.error());
      if (*sent == 0) return false;
      pending_.erase(0, *sent);
    }
    return true;
  }

  WebsocketMask next_mask() {
    if (masks_left_ == 0) {
      masks_ = random_bytes<256>();
      masks_left_ = masks_.size();
    }
    masks_left_ -= 4;
    WebsocketMask mask{};
    std::copy_n(masks_.data() + masks_left_, 4, mask.data());
    return mask;
  }

  std::unique_ptr<Stream> below_;
  std::string key_;
  WebsocketReader reader_;
  std::string raw_;           // read and not yet unframed
  std::string pending_;       // whole frames, framed and not yet sent
  std::size_t accepted_ = 0;  // bytes of the caller's that pending_ ends with
  std::array<char, 256> masks_{};
  std::size_t masks_left_ = 0;
  bool connected_ = false;
  bool upgraded_ = false;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Stream> through_websocket(std::unique_ptr<Stream> below, const Url& url) {
  return std::make_unique<WebsocketStream>(std::move(below), url);
}

}  // namespace railhead::mqtt
