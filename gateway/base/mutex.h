// Mutex, MutexLock, CondVar with clang's thread-safety annotations
// (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html). Fields say who may touch them: `int count_
// RAILHEAD_GUARDED_BY(mutex_);` clang -Wthread-safety checks it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define RAILHEAD_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define RAILHEAD_THREAD_ANNOTATION(x)
#endif
#define RAILHEAD_CAPABILITY(x) RAILHEAD_THREAD_ANNOTATION(capability(x))
#define RAILHEAD_SCOPED_CAPABILITY RAILHEAD_THREAD_ANNOTATION(scoped_lockable)
#define RAILHEAD_GUARDED_BY(x) RAILHEAD_THREAD_ANNOTATION(guarded_by(x))
#define RAILHEAD_REQUIRES(...) RAILHEAD_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define RAILHEAD_EXCLUDES(...) RAILHEAD_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define RAILHEAD_ACQUIRE(...) RAILHEAD_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RAILHEAD_RELEASE(...) RAILHEAD_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define RAILHEAD_NO_THREAD_SAFETY_ANALYSIS RAILHEAD_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace railhead::base {

class RAILHEAD_CAPABILITY("mutex") Mutex {
 public:
  void lock() RAILHEAD_ACQUIRE() { mutex_.lock(); }
  void unlock() RAILHEAD_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class RAILHEAD_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) RAILHEAD_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RAILHEAD_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may wake without cause: always loop over the condition. Notify where the mutex is free: who is woken may run at
// once, and would only wait for it.
class CondVar {
 public:
  void wait(Mutex& mutex) RAILHEAD_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when the time ran out.
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds at_most) RAILHEAD_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_for(lock, at_most) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace railhead::base
