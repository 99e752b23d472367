#include "adapters/panel/status_page.h"

#include <string_view>

#include "gateway/status/health.h"

namespace railhead::panel {
namespace {

void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
}

constexpr std::string_view kStyle =
    "body{font:15px/1.4 system-ui,sans-serif;margin:2em;color:#222;background:#fff}"
    "h1{font-size:1.3em}pre{font:13px/1.4 ui-monospace,monospace;overflow-x:auto}"
    ".good{color:#1a7f37}.maintenance{color:#0550ae}.out_of_specification{color:#9a6700}.failure{color:#cf222e}";

}  // namespace

std::string status_page(const status::Snapshot& snapshot) {
  const std::string_view state = status::name_of(status::judge(snapshot).state);
  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>";
  escape(snapshot.gateway, page);
  page += ": ";
  page += state;
  page += "</title><style>";
  page += kStyle;
  page += "</style></head><body><h1 class=\"";
  page += state;
  page += "\">";
  escape(snapshot.gateway, page);
  page += ": ";
  page += state;
  page += "</h1><pre>";
  escape(status::to_text(snapshot), page);
  page +=
      "</pre><p><a href=\"/metrics\">metrics</a> <a href=\"/status\">status as JSON</a> <a href=\"/readyz\">readyz</a> "
      "<a href=\"/healthz\">healthz</a></p></body></html>\n";
  return page;
}

}  // namespace railhead::panel
