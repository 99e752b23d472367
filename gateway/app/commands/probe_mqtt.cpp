#include <cstdio>
#include <iostream>

#include "adapters/mqtt/probe.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/commands/progress_line.h"
#include "gateway/base/text.h"

namespace railhead::app {
namespace {

constexpr std::size_t kRows = 50;

int refuse(const std::string& what) {
  std::cerr << "railhead: " << what << '\n';
  return 1;
}

}  // namespace

int run_probe_mqtt(const ProbeMqttArguments& arguments) {
  mqtt::ProbeSettings settings;
  Result<mqtt::Url> url = mqtt::parse_url(arguments.url);
  if (!url) return refuse("'" + arguments.url + "': " + url.error().what);
  settings.url = std::move(*url);
  settings.filter = arguments.topic;
  if (Result<mqtt::TopicPattern> pattern = mqtt::TopicPattern::parse(settings.filter); !pattern) {
    return refuse("the topic: " + pattern.error().what);
  }
  const std::optional<Duration> listen = base::parse_duration(arguments.listen);
  if (!listen || *listen < std::chrono::seconds{1} || *listen > std::chrono::hours{1}) {
    return refuse("--for takes 1 s to 1 h");
  }
  settings.listen = *listen;
  settings.user = arguments.user;
  if (!arguments.password_file.empty()) settings.password = config::Secret::in_file(arguments.password_file);
  settings.tls.ca = arguments.ca;
  settings.tls.cert = arguments.cert;
  settings.tls.key = arguments.key;

  ProgressLine line;
  mqtt::Probed probed;
  const Result<void> done =
      mqtt::probe(settings, probed, [&](std::uint64_t messages) { line.show(std::to_string(messages) + " messages"); });
  line.clear();
  if (!done) {
    std::cerr << "railhead: " << settings.url.text() << ": " << done.error().what << '\n';
    return done.error().code == Errc::invalid ? 1 : 2;
  }
  if (probed.survey.messages() == 0) {
    std::cout << "nothing was published to '" << arguments.topic << "' in " << arguments.listen << '\n';
    return 0;
  }
  std::cout << probed.survey.table(probed.listened, kRows) << "\n# proposed:\n"
            << probed.survey.proposal(settings.url.text());
  return 0;
}

}  // namespace railhead::app
