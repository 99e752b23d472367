#include "tests/support/mosquitto.h"

#include <filesystem>

#include "gateway/base/assert.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

void must(std::vector<std::string> argv, const std::string& directory) {
  Process::Options options;
  options.directory = directory;
  const Ran ran = run(std::move(argv), 30s, options);
  RAILHEAD_ASSERT(ran.status == 0);
}

}  // namespace

Mosquitto::Mosquitto(const Options& options)
    : options_(options), port_(free_port()), tls_port_(free_port()), ws_port_(free_port()) {
  if (options_.tls) make_certificates();
  std::string config = "listener " + std::to_string(port_) + " 127.0.0.1\n";
  if (options_.tls) {
    config += "listener " + std::to_string(tls_port_) + (options_.ipv6 ? " ::1" : " 127.0.0.1") + "\ncafile " +
              file("ca.pem") + "\ncertfile " + file("server.pem") + "\nkeyfile " + file("server.key") + "\n";
    if (options_.client_certificate) config += "require_certificate true\n";
    if (options_.websockets) config += "protocol websockets\n";
  }
  if (options_.websockets) config += "listener " + std::to_string(ws_port_) + " 127.0.0.1\nprotocol websockets\n";
  config += "max_queued_messages 0\nmax_inflight_messages " + std::to_string(options_.inflight) +
            "\npersistence true\npersistence_location " + directory_.path() + "/\nuser root\n";
  if (options_.password.empty()) {
    config += "allow_anonymous true\n";
  } else {
    const std::string passwords = directory_.write("passwords", "gateway:" + options_.password + "\n");
    must({"mosquitto_passwd", "-U", passwords}, directory_.path());
    config += "allow_anonymous false\npassword_file " + passwords + "\n";
  }
  if (!options_.allowed.empty()) config += rights();
  if (options_.packet_bytes > 0) config += "max_packet_size " + std::to_string(options_.packet_bytes) + "\n";
  directory_.write("mosquitto.conf", config);
  start();
}

// Mosquitto's access list refuses no subscription, its plugin for rights does.
std::string Mosquitto::rights() const {
  std::string plugin;
  for (const auto& folder : std::filesystem::directory_iterator("/usr/lib")) {
    const std::filesystem::path file = folder.path() / "mosquitto_dynamic_security.so";
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) plugin = file.string();
  }
  RAILHEAD_ASSERT(!plugin.empty());
  const auto allow = [&](const std::string& what) {
    return R"({"acltype":")" + what + R"(","topic":")" + options_.allowed + R"(","allow":true})";
  };
  const std::string rights = directory_.write(
      "rights.json",
      R"({"defaultACLAccess":{"publishClientSend":false,"publishClientReceive":true,"subscribe":false},"clients":[],)"
      R"("roles":[{"rolename":"limited","acls":[)" +
          allow("subscribePattern") + "," + allow("publishClientSend") +
          R"(]}],"groups":[{"groupname":"all","roles":[{"rolename":"limited"}]}],"anonymousGroup":"all"})");
  return "plugin " + plugin + "\nplugin_opt_config_file " + rights + "\n";
}

void Mosquitto::start() {
  RAILHEAD_ASSERT(process_ == nullptr);
  process_ = std::make_unique<Process>(std::vector<std::string>{"mosquitto", "-c", file("mosquitto.conf")});
  RAILHEAD_ASSERT(process_->wait_for(" running", 10s));
}

void Mosquitto::stop() {
  if (process_ == nullptr) return;
  process_->terminate(10s);
  process_.reset();
}

void Mosquitto::forget() {
  RAILHEAD_ASSERT(process_ == nullptr);
  std::filesystem::remove(file("mosquitto.db"));
}

void Mosquitto::make_certificates() const {
  const std::string at = directory_.path();
  directory_.write("extensions.cnf",
                   "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth,clientAuth\n");
  const std::vector<std::string> key{"openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"};
  const auto with = [](std::vector<std::string> argv, const std::string& last) {
    argv.push_back(last);
    return argv;
  };
  must(with(key, "ca.key"), at);
  must({"openssl", "req", "-x509", "-new", "-key", "ca.key", "-days", "30", "-subj", "/CN=Test authority", "-out",
        "ca.pem"},
       at);
  for (const std::string name : {"server", "client"}) {
    must(with(key, name + ".key"), at);
    must({"openssl", "req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr"}, at);
    must({"openssl", "x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
          "-days", "30", "-extfile", "extensions.cnf", "-out", name + ".pem"},
         at);
  }
}

}  // namespace railhead::test
