#include "tests/support/rabbitmq.h"
#include "tests/support/places.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadyMost = 90s;
constexpr auto kStopMost = 20s;
constexpr auto kToolMost = 60s;
const std::string kDrain = test::source_directory() + "/tests/brokers/amqp/drain.py";

[[noreturn]] void give_up(const std::string& what, const std::string& details) {
  std::fprintf(stderr, "RabbitMQ for tests: %s\n%s\n", what.c_str(), details.c_str());
  std::abort();
}

void must(std::vector<std::string> argv, const std::string& what, Process::Options options = {}) {
  const Ran ran = run(std::move(argv), kToolMost, std::move(options));
  if (ran.status != 0) give_up(what, ran.output);
}

}  // namespace

RabbitMq::RabbitMq() {
  port_ = free_port();
  tls_port_ = free_port();
  epmd_port_ = free_port();
  distribution_port_ = free_port();
  make_certificates();
  const std::string& base = directory_.path();
  directory_.write("rabbitmq.conf",
                   "listeners.tcp.1 = 127.0.0.1:" + std::to_string(port_) +
                       "\nlisteners.ssl.1 = 127.0.0.1:" + std::to_string(tls_port_) +
                       "\nssl_options.cacertfile = " + base + "/ca.pem" + "\nssl_options.certfile = " + base +
                       "/server.pem" + "\nssl_options.keyfile = " + base + "/server.key" +
                       "\nssl_options.verify = verify_none" + "\nssl_options.fail_if_no_peer_cert = false" +
                       "\nauth_mechanisms.1 = PLAIN" + "\ndisk_free_limit.absolute = 50MB\n");
  directory_.write("enabled_plugins", "[].\n");
  // Otherwise the distribution listens on every address.
  directory_.write("advanced.config", "[{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}].\n");
  std::filesystem::create_directories(base + "/mnesia");
  std::filesystem::create_directories(base + "/log");
  // Why: a node starts one as a daemon if there is none, and that would outlive the test.
  epmd_ = std::make_unique<Process>(std::vector<std::string>{"epmd"},
                                    Process::Options{.environment = environment(), .directory = base, .output = {}});
  launch();
}

RabbitMq::~RabbitMq() {
  if (process_) stop();
}

void RabbitMq::make_certificates() const {
  const std::string& d = directory_.path();
  directory_.write("san.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  must({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=railhead test CA", "-keyout", d + "/ca.key", "-out", d + "/ca.pem"},
       "openssl could not make a CA");
  must({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-keyout", d + "/server.key", "-out", d + "/server.csr"},
       "openssl could not make a key");
  must({"openssl", "x509", "-req", "-in", d + "/server.csr", "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
        "-CAcreateserial", "-days", "30", "-extfile", d + "/san.cnf", "-out", d + "/server.pem"},
       "openssl could not sign a certificate");
}

std::map<std::string, std::string> RabbitMq::environment() const {
  const std::string& base = directory_.path();
  return {{"HOME", base},  // the Erlang cookie
          {"RABBITMQ_NODENAME", "railhead" + std::to_string(port_) + "@localhost"},
          {"ERL_EPMD_ADDRESS", "127.0.0.1"},
          {"ERL_EPMD_PORT", std::to_string(epmd_port_)},
          {"RABBITMQ_DIST_PORT", std::to_string(distribution_port_)},
          {"RABBITMQ_MNESIA_BASE", base + "/mnesia"},
          {"RABBITMQ_LOG_BASE", base + "/log"},
          {"RABBITMQ_ENABLED_PLUGINS_FILE", base + "/enabled_plugins"},
          {"RABBITMQ_CONFIG_FILE", base + "/rabbitmq"},
          {"RABBITMQ_ADVANCED_CONFIG_FILE", base + "/advanced.config"},
          {"RABBITMQ_CONF_ENV_FILE", "/dev/null"}};
}

// Why not the wrapper in the path: it changes the user and with it the home of the cookie.
std::string RabbitMq::script(const std::string& name) const { return "/usr/lib/rabbitmq/bin/" + name; }

void RabbitMq::launch() {
  const std::string output = directory_.path() + "/out." + std::to_string(++starts_);
  process_ = std::make_unique<Process>(
      std::vector<std::string>{script("rabbitmq-server")},
      Process::Options{
          .environment = environment(), .directory = directory_.path(), .output = output, .own_group = true});
  if (!process_->wait_for("completed with", kReadyMost)) give_up("the broker did not start", log());
}

std::string RabbitMq::url(const std::string& vhost) const {
  return "amqp://guest:guest@localhost:" + std::to_string(port_) + (vhost == "/" ? "" : "/" + vhost);
}
std::string RabbitMq::tls_url() const { return "amqps://guest:guest@localhost:" + std::to_string(tls_port_); }
std::string RabbitMq::ca() const { return directory_.path() + "/ca.pem"; }

Ran RabbitMq::pika(const std::string& vhost, const std::vector<std::string>& arguments) const {
  // pika takes "no path" as the vhost "/" too, but only percent-encoded it is beyond doubt.
  const std::string from = vhost == "/" ? url() + "/%2F" : url(vhost);
  std::vector<std::string> argv{"/usr/bin/python3", kDrain, from};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run(std::move(argv), kToolMost);
}

void RabbitMq::declare(const std::vector<std::string>& what, const std::string& vhost) const {
  std::vector<std::string> arguments{"declare"};
  arguments.insert(arguments.end(), what.begin(), what.end());
  const Ran ran = pika(vhost, arguments);
  if (ran.status != 0) give_up("a declaration failed", ran.output);
}

std::vector<Seen> RabbitMq::drain(const std::string& queue, const std::string& vhost) const {
  const Ran ran = pika(vhost, {"drain", queue});
  if (ran.status != 0) give_up("the queue could not be read", ran.output);
  return parse_seen(ran.output);
}

std::size_t RabbitMq::count(const std::string& queue, const std::string& vhost) const {
  const Ran ran = pika(vhost, {"count", queue});
  const auto number = base::parse_uint(base::trim(ran.output));
  if (ran.status != 0 || !number) give_up("the queue could not be counted", ran.output);
  return static_cast<std::size_t>(*number);
}

std::string RabbitMq::control(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv{script("rabbitmqctl")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Ran ran = run(std::move(argv), kToolMost, {.environment = environment(), .directory = {}, .output = {}});
  if (ran.status != 0) give_up("rabbitmqctl failed", ran.output);
  return ran.output;
}

void RabbitMq::add_vhost(const std::string& name) const {
  static_cast<void>(control({"add_vhost", name}));
  static_cast<void>(control({"set_permissions", "-p", name, "guest", ".*", ".*", ".*"}));
}

void RabbitMq::sync_declarations() const { static_cast<void>(control({"eval", "mnesia:sync_log()."})); }

void RabbitMq::kill9() {
  RAILHEAD_ASSERT(process_ != nullptr);
  process_->kill9();
  process_.reset();
}

void RabbitMq::restart() {
  RAILHEAD_ASSERT(process_ == nullptr);
  launch();
}

void RabbitMq::stop() {
  RAILHEAD_ASSERT(process_ != nullptr);
  thaw();
  static_cast<void>(process_->terminate(kStopMost));
  process_.reset();
}

void RabbitMq::freeze() { process_->signal(SIGSTOP); }
void RabbitMq::thaw() { process_->signal(SIGCONT); }

std::string RabbitMq::log() const {
  std::string text;
  for (unsigned start = 1; start <= starts_; ++start) {
    text += read_file(directory_.path() + "/out." + std::to_string(start));
  }
  return text;
}

}  // namespace railhead::test
