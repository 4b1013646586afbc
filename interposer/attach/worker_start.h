// The one moment in which the program's own threads notice anything: one of them is stopped, makes
// the system calls that start the worker, and goes on.
#pragma once

#include <cstdint>

#include "interposer/attach/injection_plan.h"
#include "interposer/attach/remote_process.h"
#include "interposer/attach/worker.h"

namespace memlens::attach {

struct StartedWorker {
  WorkArea area;
  int64_t stopped_ns = 0;
};

// `context` is what the worker finds. Throws AttachError, the process then runs on as before. Call
// it in a process of its own: when that ends, the kernel lets go of threads that could not be had.
StartedWorker start_worker(const RemoteProcess& process, const InjectionPlan& plan,
                           const Context& context);

}  // namespace memlens::attach
