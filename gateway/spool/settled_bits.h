// Which sequences of a segment are settled: 64 to a word, only words with a bit in them, in order. A word takes 16
// bytes and is kept only while its segment is partly settled. Threads: none of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace railhead::spool {

class SettledBits {
 public:
  struct Word {
    std::uint64_t index = 0;  // of places 64 * index .. 64 * index + 63, counted from the segment's first sequence
    std::uint64_t bits = 0;
    friend bool operator==(const Word&, const Word&) = default;
  };

  [[nodiscard]] bool test(std::uint64_t place) const {
    const auto at = find(place / 64);
    return at != words_.end() && at->index == place / 64 && ((at->bits >> (place % 64)) & 1) != 0;
  }
  void set(std::uint64_t place) {
    const std::uint64_t bit = std::uint64_t{1} << (place % 64);
    if (words_.empty() || words_.back().index < place / 64) {  // in order, as most lanes settle
      words_.push_back({place / 64, bit});
      return;
    }
    const auto at = words_.begin() + (find(place / 64) - words_.cbegin());
    if (at->index == place / 64) {
      at->bits |= bit;
    } else {
      words_.insert(at, {place / 64, bit});
    }
  }
  void flip(std::uint64_t place) {
    if (!test(place)) {
      set(place);
      return;
    }
    const auto at = words_.begin() + (find(place / 64) - words_.cbegin());
    at->bits &= ~(std::uint64_t{1} << (place % 64));
    if (at->bits == 0) words_.erase(at);
  }
  // A whole word; indexes must rise.
  void add(std::uint64_t index, std::uint64_t bits) {
    if (bits != 0 && (words_.empty() || words_.back().index < index)) words_.push_back({index, bits});
  }
  void clear() { std::vector<Word>().swap(words_); }
  [[nodiscard]] bool empty() const { return words_.empty(); }
  [[nodiscard]] const std::vector<Word>& words() const { return words_; }

 private:
  [[nodiscard]] std::vector<Word>::const_iterator find(std::uint64_t index) const {
    if (!words_.empty() && words_.back().index == index) return words_.end() - 1;
    return std::lower_bound(words_.begin(), words_.end(), index,
                            [](const Word& word, std::uint64_t wanted) { return word.index < wanted; });
  }

  std::vector<Word> words_;
};

}  // namespace railhead::spool
