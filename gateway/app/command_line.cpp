#include "gateway/app/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/panel/control_socket.h"
#include "gateway/app/commands/commands.h"
#include "gateway/app/version.h"
#include "gateway/base/text.h"

namespace railhead::app {
namespace {

// Adds a command whose arguments live as long as the command line, and runs it when it was chosen.
template <class Arguments, class Command, class Options>
void add(CLI::App& app, int& exit_code, const std::string& name, const std::string& sentence,
         const std::string& example, Command command, Options options) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* sub = app.add_subcommand(name, sentence);
  sub->footer("Example:\n  " + example);
  options(*sub, *arguments);
  sub->callback([arguments, command, &exit_code] { exit_code = command(*arguments); });
}

template <class Arguments>
void config_option(CLI::App& sub, Arguments& arguments) {
  sub.add_option("-c,--config,path", arguments.config, "Configuration: a file or a directory")->capture_default_str();
}

void socket_option(CLI::App& sub, std::string& socket) {
  socket = panel::kControlPath;
  sub.add_option("--socket", socket, "Control socket of the running gateway")
      ->envname("RAILHEAD_SOCKET")
      ->capture_default_str();
}

void add_probe_mqtt(CLI::App& probe, int& exit_code) {
  add<ProbeMqttArguments>(
      probe, exit_code, "mqtt", "Listen to a broker: topics, rates, payloads, and what to write to read them",
      "railhead probe mqtt mqtt://broker.local 'plant/#' --for '30 s'", run_probe_mqtt,
      [](CLI::App& sub, ProbeMqttArguments& arguments) {
        sub.add_option("url", arguments.url, "mqtt://host, mqtts://host, ws://host/path or wss://host/path")
            ->required();
        sub.add_option("topic", arguments.topic, "A topic filter")->required();
        sub.add_option("--for", arguments.listen, "How long to listen")->capture_default_str();
        sub.add_option("--user", arguments.user, "User name");
        sub.add_option("--password-file", arguments.password_file, "File with the password");
        sub.add_option("--ca", arguments.ca, "Certificates (PEM) that may sign the broker's");
        sub.add_option("--cert", arguments.cert, "Our certificate (PEM)");
        sub.add_option("--key", arguments.key, "Its key (PEM)");
      });
}

void add_probe_modbus(CLI::App& probe, int& exit_code) {
  add<ProbeModbusArguments>(
      probe, exit_code, "modbus", "Which type, byte order and address give a value; or which addresses answer",
      "railhead probe modbus tcp://10.0.0.17 --unit 1 --holding 30 --expect 229.0\n"
      "  railhead probe modbus tcp://10.0.0.17 --units 1-10\n"
      "  railhead probe modbus tcp://10.0.0.17 --unit 1 --input 0 --count 400",
      run_probe_modbus, [](CLI::App& sub, ProbeModbusArguments& arguments) {
        sub.add_option("url", arguments.url, "As in the configuration: tcp://host:port")->required();
        sub.add_option("--unit", arguments.unit, "Unit identifier")->check(CLI::Range(0, 255))->capture_default_str();
        sub.add_option("--units", arguments.units, "A range of unit identifiers, like 1-10: which are there");
        sub.add_option("--holding", arguments.holding, "Holding register, counted from 0");
        sub.add_option("--input", arguments.input, "Input register, counted from 0");
        sub.add_option("--coil", arguments.coil, "Coil, counted from 0");
        sub.add_option("--discrete", arguments.discrete, "Discrete input, counted from 0");
        sub.add_flag("--sunspec", arguments.sunspec, "Walk the chain of SunSpec models and print `models:` for it");
        sub.add_option("--expect", arguments.expect, "The value that the device's display shows");
        sub.add_option("--within", arguments.within, "How far the register may be from it")->capture_default_str();
        sub.add_option("--count", arguments.count, "Addresses of a scan")
            ->check(CLI::Range(1, 65536))
            ->capture_default_str();
        sub.add_option("--most", arguments.most, "Requests of a scan at most")->capture_default_str();
        sub.add_option("--timeout", arguments.timeout, "For an answer")->capture_default_str();
        sub.add_option("--pause", arguments.pause, "Between two requests")->capture_default_str();
        sub.add_option("--ca", arguments.ca, "For tls://: the authority's certificate");
        sub.add_option("--cert", arguments.cert, "For tls://: our certificate");
        sub.add_option("--key", arguments.key, "For tls://: its key");
      });
}

void add_commands(CLI::App& app, int& exit_code) {
  add<RunArguments>(app, exit_code, "run", "Run the gateway", "railhead run -c /etc/railhead/railhead.yaml",
                    run_gateway, [](CLI::App& sub, RunArguments& arguments) {
                      config_option(sub, arguments);
                      sub.add_option("--log", arguments.log, "text or json")->check(CLI::IsMember({"text", "json"}));
                      sub.add_option("--socket", arguments.socket, "Control socket, in place of the configured one");
                    });
  add<CheckArguments>(app, exit_code, "check", "Check a configuration: every error and warning at once",
                      "railhead check -c railhead.yaml --against old/railhead.yaml", run_check,
                      [](CLI::App& sub, CheckArguments& arguments) {
                        config_option(sub, arguments);
                        sub.add_option("--against", arguments.against,
                                       "An older configuration: says what changes for who reads the sinks");
                        sub.add_flag("--plan", arguments.plan, "Show each Modbus request and the bus time it needs");
                      });
  add<TestArguments>(
      app, exit_code, "test", "Run the rule tests of a configuration", "railhead test -c railhead.yaml --coverage",
      run_rule_tests, [](CLI::App& sub, TestArguments& arguments) {
        config_option(sub, arguments);
        sub.add_flag("--coverage", arguments.coverage, "Name the rules, sends and branches that no test reaches");
      });
  add<TryArguments>(
      app, exit_code, "try", "Readings as JSON lines in, the records that would leave out; never connects",
      R"(echo '{"device":"boiler-1","value":{"temperature":93.5}}' | railhead try -c railhead.yaml --source boiler-house)",
      run_try, [](CLI::App& sub, TryArguments& arguments) {
        config_option(sub, arguments);
        sub.add_option("--source", arguments.source, "Source of lines that do not name theirs");
      });
  add<SimulateArguments>(
      app, exit_code, "simulate", "Serve the Modbus devices and publish the MQTT topics that a configuration reads",
      "railhead simulate -c railhead.yaml --listen 127.0.0.1 --fault faults.yaml", run_simulate,
      [](CLI::App& sub, SimulateArguments& arguments) {
        config_option(sub, arguments);
        sub.add_option("--listen", arguments.listen,
                       "Address to serve all devices at, instead of theirs; what is served where is printed");
        sub.add_option("--fault", arguments.faults, "Fault script (adapters/modbus/README.md)");
        sub.add_option("--every", arguments.every, "How often topics are published")->capture_default_str();
        sub.add_option("--for", arguments.for_time, "End by itself after this time, like 10 s");
        sub.add_option("--seed", arguments.seed, "Other values for another number")->capture_default_str();
      });
  add<EvalArguments>(app, exit_code, "eval", "Evaluate one expression, or with --json typed lines for ever",
                     "railhead eval '7 / 2.0'", run_eval, [](CLI::App& sub, EvalArguments& arguments) {
                       sub.add_flag("--json", arguments.json,
                                    "A line {\"expr\",\"vars\"} in, a line with the typed value out");
                       sub.add_option("expression", arguments.expression, "The expression");
                     });
  add<ReferenceArguments>(app, exit_code, "reference", "Every field of the configuration with unit, bounds and default",
                          "railhead reference --schema > railhead.schema.json", run_reference,
                          [](CLI::App& sub, ReferenceArguments& arguments) {
                            sub.add_flag("--schema", arguments.schema, "As JSON Schema, for editors");
                          });
  add<SpoolArguments>(
      app, exit_code, "spool", "Look into a spool, also beside a running gateway; send records again",
      "railhead spool dump /var/lib/railhead/spool --lane plant-kafka\n"
      "  railhead spool replay /var/lib/railhead/spool --lane plant-kafka --since 2026-01-31T12:00:00Z",
      run_spool, [](CLI::App& sub, SpoolArguments& arguments) {
        sub.add_option("action", arguments.action,
                       "verify, dump or stats; replay (send records again that are still there) or drop (a lane whose "
                       "sink is gone)")
            ->required()
            ->check(CLI::IsMember({"verify", "dump", "stats", "replay", "drop"}));
        sub.add_option("path", arguments.path, "The directory spool.path names, or one spool in it")->required();
        sub.add_option("--lane", arguments.lane, "The sink whose records are meant");
        sub.add_option("--to", arguments.to, "For replay: another sink that gets them");
        sub.add_option("--from", arguments.from, "First sequence");
        sub.add_option("--through", arguments.through, "Last sequence");
        sub.add_option("--since", arguments.since, "Taken in at or after this time, 2026-01-31T12:00:00Z");
        sub.add_option("--until", arguments.until, "Taken in at or before this time");
        sub.add_flag("--settled", arguments.settled, "For dump: also what is delivered and still there");
        sub.add_flag("--internal", arguments.internal, "For dump: also the gateway's own state");
        socket_option(sub, arguments.socket);
      });
  add<DeadArguments>(
      app, exit_code, "dead", "Dead letters: what was set aside, and why",
      "railhead dead list --spool /var/lib/railhead/spool\n  railhead dead requeue 12 13", run_dead,
      [](CLI::App& sub, DeadArguments& arguments) {
        sub.add_option("action", arguments.action,
                       "list, show, requeue (a record as it was routed, a reading through today's rules) or drop")
            ->required()
            ->check(CLI::IsMember({"list", "show", "requeue", "drop"}));
        sub.add_option("sequence", arguments.sequences, "The letters' numbers in the list");
        sub.add_flag("--all", arguments.all, "For requeue and drop: every letter");
        arguments.path = "/var/lib/railhead/spool";
        sub.add_option("--spool", arguments.path, "The directory spool.path names")->capture_default_str();
        sub.add_option("-c,--config", arguments.config,
                       "For requeue while no gateway runs: the configuration whose rules readings go through");
        socket_option(sub, arguments.socket);
      });
  CLI::App* probe = app.add_subcommand("probe", "Find out what a device or a broker has, before configuring it");
  probe->require_subcommand(1);
  probe->footer("Example:\n  railhead probe modbus tcp://10.0.0.17 --unit 1 --holding 30 --expect 229.0");
  add_probe_mqtt(*probe, exit_code);
  add_probe_modbus(*probe, exit_code);
  const auto control = [](CLI::App& sub, ControlArguments& arguments) { socket_option(sub, arguments.socket); };
  add<ControlArguments>(app, exit_code, "status", "The running gateway: state, ledgers, sources, lanes, spool",
                        "railhead status --json", run_status, [&](CLI::App& sub, ControlArguments& arguments) {
                          control(sub, arguments);
                          sub.add_flag("--json", arguments.json, "One JSON document");
                        });
  add<ControlArguments>(app, exit_code, "health", "One line why; exit status 0 healthy, 1 degraded, 2 failed",
                        "railhead health || mail -s railhead ops", run_health, control);
  add<ControlArguments>(app, exit_code, "reload", "Check the configuration again and apply it, or refuse it whole",
                        "railhead reload", run_reload, control);
  add<ControlArguments>(app, exit_code, "top", "The running gateway, live", "railhead top", run_top, control);
}

// Of the first word that is no command where one must stand; empty: there is none. CLI11 would only ask for a
// subcommand.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::vector<const CLI::App*> commands = at->get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty() || word.starts_with('-')) return {};
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
      const std::optional<std::string> near = base::nearest(word, names);
      const std::string before = at == &app ? "" : at->get_name() + " ";
      return "no command '" + before + word + "'" + (near ? "; did you mean '" + before + *near + "'?" : "") + "\n'" +
             "railhead " + before + "--help' lists them";
    }
    at = commands[static_cast<std::size_t>(found - names.begin())];
  }
  return {};
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("Railhead: from Modbus and MQTT by rules through a disk spool to Kafka and AMQP", "railhead");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  int exit_code = 0;
  add_commands(app, exit_code);
  if (const std::string fault = unknown_command(app, argc, argv); !fault.empty()) {
    std::fprintf(stderr, "railhead: %s\n", fault.c_str());
    return 1;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help, version or what is wrong.
    return app.exit(error) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "railhead: %s\n", error.what());
    return 2;
  }
  return exit_code;
}

}  // namespace railhead::app
