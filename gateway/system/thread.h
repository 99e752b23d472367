// A named jthread: the name shows in top and gdb (15 characters at most reach the kernel).
#pragma once

#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace railhead::system {

void name_this_thread(const std::string& name);

// The calling thread works little and then waits: asked for a short turn of the processor it gets its turn at once
// (kernel 6.12 and later; earlier ones favour who slept).
void take_short_turns();

// `body(std::stop_token)`. An exception that leaves the body ends the program: threads catch their own.
template <class Body>
[[nodiscard]] std::jthread start_thread(std::string name, Body body) {
  return std::jthread([name = std::move(name), body = std::move(body)](std::stop_token stop) mutable {
    name_this_thread(name);
    body(std::move(stop));
  });
}

}  // namespace railhead::system
