#include "adapters/modbus/sunspec.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace railhead::modbus {
namespace {

constexpr std::array<std::uint16_t, 3> kBases{40000, 50000, 0};
constexpr std::uint16_t kMarker[] = {0x5375, 0x6e53};  // "SunS"
constexpr std::uint16_t kEnd = 0xffff;
constexpr std::uint32_t kHeader = 2;

bool has(const Anchor& anchor, std::uint16_t id) {
  return std::find(anchor.ids.begin(), anchor.ids.end(), id) != anchor.ids.end();
}

const SunspecModel* find(const SunspecChain& chain, const Anchor& anchor) {
  unsigned seen = 0;
  for (const SunspecModel& model : chain.models) {
    if (has(anchor, model.id) && ++seen == anchor.instance) return &model;
  }
  return nullptr;
}

}  // namespace

void SunspecSearch::answered(std::uint16_t first, std::uint16_t second) {
  if (!in_chain_) {
    if (first != kMarker[0] || second != kMarker[1]) return next_base();
    chain_.base = kBases[bases_];
    in_chain_ = true;
    at_ += kHeader;
    return;
  }
  if (first == kEnd) return end({});
  chain_.models.push_back({.id = first, .address = static_cast<std::uint16_t>(at_), .length = second});
  at_ += kHeader + second;
  if (at_ > 65534 || chain_.models.size() >= kSunspecModelsMax) {
    end(fail(Errc::protocol, "the chain of models from " + std::to_string(chain_.base) + " on has no end"));
  }
}

void SunspecSearch::refused() {
  if (!in_chain_) return next_base();
  end(fail(Errc::protocol, "the model header at " + std::to_string(at_) + " cannot be read"));
}

void SunspecSearch::next_base() {
  if (++bases_ < kBases.size()) {
    at_ = kBases[bases_];
  } else {
    end(fail(Errc::unsupported, "no SunSpec marker at holding register 40000, 50000 or 0"));
  }
}

void SunspecSearch::end(Result<void> outcome) {
  over_ = true;
  outcome_ = std::move(outcome);
}

std::string Anchor::text() const {
  std::string text = "SunSpec model ";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == ids.size() ? " or " : ", ") + std::to_string(ids[i]);
  }
  return instance == 1 ? text : text + ", the " + std::to_string(instance) + ". one";
}

PlacedPoints place_points(std::span<const Point> points, std::span<const Range> forbidden,
                          std::span<const Anchor> anchors, const SunspecChain& chain) {
  using Where = PlacedPoints::Where;
  std::vector<const SunspecModel*> models;
  PlacedPoints placed;
  for (const Anchor& anchor : anchors) {
    models.push_back(find(chain, anchor));
    if (models.back() == nullptr) placed.missing.push_back(anchor.text());
  }
  placed.points.assign(points.begin(), points.end());
  placed.where.assign(points.size(), Where::here);
  for (std::size_t i = 0; i < points.size(); ++i) {
    Point& point = placed.points[i];
    if (!point.anchor) continue;
    const SunspecModel* const model = models[*point.anchor];
    if (model == nullptr) {
      placed.where[i] = Where::nowhere;
    } else if (std::uint32_t{point.address} + point.span() > kHeader + model->length) {
      placed.where[i] = Where::beyond;
    } else {
      point.address = static_cast<std::uint16_t>(model->address + point.address);
      point.anchor.reset();
    }
  }
  for (Range range : forbidden) {
    if (range.anchor) {
      const SunspecModel* const model = models[*range.anchor];
      if (model == nullptr || range.first >= kHeader + model->length) continue;
      range.count =
          static_cast<std::uint16_t>(std::min<std::uint32_t>(range.count, kHeader + model->length - range.first));
      range.first = static_cast<std::uint16_t>(model->address + range.first);
      range.anchor.reset();
    }
    placed.forbidden.push_back(range);
  }
  return placed;
}

SunspecChain chain_for(std::span<const Point> points, std::span<const Anchor> anchors) {
  SunspecChain chain;
  chain.base = kBases[0];
  std::uint32_t at = std::uint32_t{chain.base} + kHeader;
  std::vector<std::uint32_t> ends(anchors.size(), kHeader);
  for (const Point& point : points) {
    if (point.anchor) ends[*point.anchor] = std::max(ends[*point.anchor], std::uint32_t{point.address} + point.span());
  }
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    // Those before it that carry the same identifiers are there already when they are written down in order.
    if (find(chain, anchors[i]) != nullptr || at + ends[i] > 65533) continue;
    chain.models.push_back({.id = anchors[i].ids.front(),
                            .address = static_cast<std::uint16_t>(at),
                            .length = static_cast<std::uint16_t>(ends[i] - kHeader)});
    at += ends[i];
  }
  return chain;
}

}  // namespace railhead::modbus
