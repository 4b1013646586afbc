// Our library into a process that runs, without a debugger, and functions of it called there.
//
//   Injection injection(pid, "memlens_wake");   looks, and touches nothing
//   injection.start();                          a thread of ours runs there (worker.h)
//   injection.load(path);                       or it is loaded already
//   injection.call();                           memlens_wake(), until is_calling() says no
//   injection.end();                            our thread goes
//
// Everything throws AttachError; the process then runs on as before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "interposer/attach/injection_plan.h"
#include "interposer/attach/remote_process.h"
#include "interposer/attach/worker.h"

namespace memlens::attach {

class Injection {
 public:
  Injection(pid_t pid, const char* symbol);
  // Waits for the thread's end.
  ~Injection();
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

  // Starts the worker, from a process of its own (a child of the caller while this lasts).
  void start();
  bool is_loaded() const { return plan_.wake != 0; }
  void load(const std::string& library);
  // Whether it was loaded while the program ran, so that nothing calls into it while it is not
  // recorded.
  bool is_loaded_late() const;
  // Asks the worker to call the function. It may take a while, in which the program may wait for
  // the collector: look from time to time.
  void call();
  bool is_calling();
  int64_t result() const { return result_; }  // of the last call
  void end();

  // By the worker, while it is not calling.
  int64_t make_system_call(const SystemCall& call);
  // Memory there for arguments of system calls.
  static constexpr size_t kScratchBytes = sizeof(Context::path);
  uint64_t scratch() const;
  const RemoteProcess& process() const { return process_; }

  // How long a thread of the program was held, in all.
  int64_t stopped_ns() const { return stopped_ns_; }
  // The library's path means another file there, or none: it was handed over as a memfd.
  bool loaded_from_memory() const { return from_memory_; }

 private:
  void start_worker();
  void wait_until_ready();
  void give(WorkerCommand command);
  bool is_done();
  int64_t run(WorkerCommand command, const char* what);
  bool try_to_load(const std::string& path);
  std::string copy_into_memory_file(const std::string& library, int& fd);
  bool worker_lives() const;
  bool has_earlier_worker() const;
  uint64_t context() const { return area_.context(); }

  RemoteProcess process_;
  const char* symbol_;
  InjectionPlan plan_;
  WorkArea area_;
  bool started_ = false;
  bool calling_ = false;
  uint32_t completed_ = 0;  // commands, when the last was given
  int64_t result_ = 0;
  bool from_memory_ = false;
  int64_t stopped_ns_ = 0;
  int lock_fd_ = -1;
};

}  // namespace memlens::attach
