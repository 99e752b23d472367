#include "gateway/system/resolver.h"

#include <netdb.h>

#include <cstring>

#include <deque>
#include <map>
#include <stop_token>
#include <thread>
#include <utility>

#include "gateway/base/mutex.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/thread.h"

namespace railhead::system {
namespace {

Result<std::vector<Address>> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return fail(Errc::unavailable, "resolve '" + host + "': " + ::gai_strerror(error));
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Address address;
    address.length = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return fail(Errc::unavailable, "resolve '" + host + "': no address");
  return addresses;
}

}  // namespace

std::string Address::text() const {
  char host[NI_MAXHOST] = {};
  char service[NI_MAXSERV] = {};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), length, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return storage.ss_family == AF_INET6 ? "[" + std::string(host) + "]:" + service : std::string(host) + ":" + service;
}

// Shared with the thread, which may outlast the Resolver while getaddrinfo hangs: it is joined only when idle.
struct Resolver::State {
  struct Job {
    Ticket ticket = 0;
    std::string host;
    std::uint16_t port = 0;
  };
  struct Answer {
    Ticket ticket = 0;
    Result<std::vector<Address>> addresses;
  };

  base::Mutex mutex;
  base::CondVar changed;
  std::deque<Job> jobs RAILHEAD_GUARDED_BY(mutex);
  std::deque<Answer> answers RAILHEAD_GUARDED_BY(mutex);
  bool stopping RAILHEAD_GUARDED_BY(mutex) = false;
  bool running RAILHEAD_GUARDED_BY(mutex) = false;
  EventFd answered;

  // The loop's thread alone.
  EventLoop* loop = nullptr;
  Ticket tickets = 0;
  std::map<Ticket, OnResolved> waiting;

  void work() {
    for (;;) {
      Job job;
      {
        const base::MutexLock lock(mutex);
        if (jobs.empty() || stopping) {
          running = false;
          return;
        }
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      Result<std::vector<Address>> addresses = look_up(job.host, job.port, 0);
      const base::MutexLock lock(mutex);
      answers.push_back({job.ticket, std::move(addresses)});
      answered.signal();
    }
  }

  void deliver() {
    answered.clear();
    std::deque<Answer> ready;
    {
      const base::MutexLock lock(mutex);
      ready.swap(answers);
    }
    for (Answer& answer : ready) {
      auto node = waiting.extract(answer.ticket);
      if (!node.empty()) node.mapped()(std::move(answer.addresses));
    }
  }
};

Resolver::Resolver(EventLoop& loop) : state_(std::make_shared<State>()) {
  state_->loop = &loop;
  loop.watch(state_->answered.fd(), EventLoop::kReadable, [state = state_.get()](std::uint32_t) { state->deliver(); });
}

Resolver::~Resolver() {
  state_->loop->unwatch(state_->answered.fd());
  const base::MutexLock lock(state_->mutex);
  state_->stopping = true;
}

Resolver::Ticket Resolver::resolve(const std::string& host, std::uint16_t port, OnResolved on_resolved) {
  const Ticket ticket = ++state_->tickets;
  state_->waiting.emplace(ticket, std::move(on_resolved));
  Result<std::vector<Address>> numeric = look_up(host, port, AI_NUMERICHOST);
  const base::MutexLock lock(state_->mutex);
  if (numeric) {
    state_->answers.push_back({ticket, std::move(numeric)});
    state_->answered.signal();
    return ticket;
  }
  state_->jobs.push_back({ticket, host, port});
  if (!state_->running) {
    // Why detached: getaddrinfo cannot be interrupted; joining could hold a stop for as long as the name server is
    // silent. The thread owns its share of the state and touches nothing else.
    state_->running = true;
    std::thread([state = state_] {
      name_this_thread("resolver");
      state->work();
    }).detach();
  }
  return ticket;
}

void Resolver::cancel(Ticket ticket) { state_->waiting.erase(ticket); }

}  // namespace railhead::system
