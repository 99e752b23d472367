// The commands of the program, a file each. Every function returns the exit code:
// 0 fine, 1 the user's input is at fault, 2 the world or we are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace railhead::app {

inline constexpr const char* kDefaultConfig = "/etc/railhead/railhead.yaml";

struct RunArguments {
  std::string config = kDefaultConfig;
  std::string log = "text";  // or json
  std::string socket;        // control socket
};
int run_gateway(const RunArguments& arguments);

struct CheckArguments {
  std::string config = kDefaultConfig;
  std::string against;  // an older configuration
  bool plan = false;
};
int run_check(const CheckArguments& arguments);

struct TestArguments {
  std::string config = kDefaultConfig;
  bool coverage = false;
};
int run_rule_tests(const TestArguments& arguments);

struct TryArguments {
  std::string config = kDefaultConfig;
  std::string source;
};
int run_try(const TryArguments& arguments);

struct SimulateArguments {
  std::string config = kDefaultConfig;
  std::string listen;
  std::string faults;  // file
  std::string every = "1 s";
  std::string for_time;
  std::uint64_t seed = 1;
};
int run_simulate(const SimulateArguments& arguments);

struct ProbeModbusArguments {
  std::string url;
  unsigned unit = 1;
  std::string units;  // a range: which answer
  std::int64_t holding = -1;
  std::int64_t input = -1;
  std::int64_t coil = -1;
  std::int64_t discrete = -1;
  bool sunspec = false;  // walk the chain of models
  std::string expect;
  std::string within = "0.5%";
  std::uint32_t count = 128;  // addresses of a scan
  unsigned most = 500;        // requests
  std::string timeout = "1 s";
  std::string pause = "50 ms";
  std::string ca;
  std::string cert;
  std::string key;
};
int run_probe_modbus(const ProbeModbusArguments& arguments);

struct EvalArguments {
  bool json = false;
  std::string expression;
};
int run_eval(const EvalArguments& arguments);

struct ReferenceArguments {
  bool schema = false;
};
int run_reference(const ReferenceArguments& arguments);

struct SpoolArguments {
  std::string action;  // verify, dump, stats, replay, drop
  std::string path;
  std::string lane;
  std::string to;
  std::string from;  // sequences
  std::string through;
  std::string since;  // times
  std::string until;
  bool settled = false;
  bool internal = false;
  std::string socket;
};
// The directory that spool.path names, or one spool in it, without a slash at its end.
[[nodiscard]] std::filesystem::path spool_directory(const std::string& path);
int run_spool(const SpoolArguments& arguments);
int run_spool_change(const SpoolArguments& arguments);  // replay, drop

struct DeadArguments {
  std::string action;  // list, show, requeue, drop
  std::string path;    // of the spool
  std::vector<std::string> sequences;
  bool all = false;
  std::string config;  // whose rules a reading goes through; with a running gateway its own
  std::string socket;
};
int run_dead(const DeadArguments& arguments);
int run_dead_change(const DeadArguments& arguments);  // requeue, drop

struct ProbeMqttArguments {
  std::string url;
  std::string topic;
  std::string listen = "10 s";
  std::string user;
  std::string password_file;
  std::string ca;
  std::string cert;
  std::string key;
};
int run_probe_mqtt(const ProbeMqttArguments& arguments);

struct ControlArguments {
  std::string socket;
  bool json = false;
};
int run_status(const ControlArguments& arguments);
int run_health(const ControlArguments& arguments);
int run_reload(const ControlArguments& arguments);
int run_top(const ControlArguments& arguments);

}  // namespace railhead::app
