// What the tests of this room share: a configuration text becomes a Router and its diagnostics, without any adapter.
// Sources and sinks are written as in a real configuration; of a modbus source the devices and their points are known.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "rules/routing/routing.h"

namespace railhead::test {

struct Built {
  config::Diagnostics diagnostics;
  config::Document document;
  routing::RoutingInput input;
  std::shared_ptr<const ports::Router> router;  // null after errors
};

// A text named `name`; files are relative to the name's directory.
[[nodiscard]] std::unique_ptr<Built> build_rules(std::string_view text, const std::string& name = "railhead.yaml",
                                                 status::Reporter* reporter = nullptr);
[[nodiscard]] std::string file_text(const std::filesystem::path& path);
// What `railhead try` prints for these lines.
[[nodiscard]] std::string try_text(const ports::Router& router, const std::string& input,
                                   const std::string& source = {}, std::span<const routing::KnownSource> sources = {});

}  // namespace railhead::test
