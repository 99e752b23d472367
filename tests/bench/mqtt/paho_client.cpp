#include <fcntl.h>
#include <mqtt/async_client.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/bench/mqtt/bare_client.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {

int run_paho_client(const BareClient& client) {
  const int file = open(client.file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  RAILHEAD_ASSERT(file >= 0);
  mqtt::async_client paho("tcp://127.0.0.1:" + std::to_string(client.port), client.client_id);
  std::atomic<std::uint64_t> done{0};
  std::uint32_t checksum = 0;
  double begin = 0;
  double cpu = 0;
  std::string writing;
  paho.set_message_callback([&](const mqtt::const_message_ptr& message) {
    if (done == 0) {
      begin = wall_seconds();
      cpu = process_cpu_seconds();
    }
    const std::string& payload = message->get_payload();
    checksum = base::crc32c(payload, checksum);
    writing.assign(client.overhead, '\1');
    writing += payload;
    RAILHEAD_ASSERT(write(file, writing.data(), writing.size()) == static_cast<ssize_t>(writing.size()));
    RAILHEAD_ASSERT(fdatasync(file) == 0);
    ++done;
  });
  mqtt::connect_options options;
  options.set_clean_session(false);
  options.set_keep_alive_interval(60);
  paho.connect(options)->wait();
  paho.subscribe("bench/#", 1)->wait();
  for (int i = 0; i < 6000 && done < client.messages; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (done < client.messages) return 1;
  std::printf("%.6f %.6f %u %llu\n", wall_seconds() - begin, process_cpu_seconds() - cpu, checksum,
              static_cast<unsigned long long>(done));
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  _exit(0);
}

}  // namespace railhead::bench
