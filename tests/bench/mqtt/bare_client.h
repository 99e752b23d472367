// The gateway's rivals as a subscriber, each a process of its own (`bench_mqtt --client ...`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace railhead::bench {

struct BareClient {
  std::uint16_t port = 0;
  std::string client_id = "bare";
  std::uint64_t messages = 0;  // it ends when it has acknowledged so many
  std::string file;            // empty: nothing is written, it only acknowledges
  std::size_t overhead = 0;    // bytes written beside each payload
};

// Reads, writes each read's messages with one write and one fdatasync, then acknowledges them with one write. Prints
// "seconds cpu_seconds checksum syncs" to standard output: from the first message to the last acknowledgement.
int run_bare_client(const BareClient& client);

// Paho C++: write and fdatasync in the message callback, which is what makes Paho's acknowledgement durable.
int run_paho_client(const BareClient& client);

}  // namespace railhead::bench
