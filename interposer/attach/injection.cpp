#include "interposer/attach/injection.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

#include "interposer/attach/attach_error.h"
#include "interposer/attach/worker_start.h"
#include "interposer/platform/clock.h"

namespace memlens::attach {
namespace {

constexpr int64_t kPatienceMs = 20'000;
constexpr useconds_t kPollMicroseconds = 200;

int64_t now_ms() { return platform::monotonic_ns() / 1'000'000; }

// One injector at a time for a process. Held until the descriptor is closed.
int lock_process(pid_t pid) {
  const std::string name = "memlens-attach-" + std::to_string(pid);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const bool taken = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), bytes) != 0 &&
                     errno == EADDRINUSE;
  if (taken) {
    close(fd);
    throw AttachError("is just being attached to by another memlens; try again in a moment");
  }
  return fd;
}

// A child of vfork that has not started its program yet runs in its parent's memory.
void refuse_borrowed_memory(const RemoteProcess& process) {
  constexpr int kCompareMemory = 1;  // KCMP_VM
  const pid_t parent = atoi(status_field(process.pid(), "PPid").c_str());
  if (parent > 0 && syscall(SYS_kcmp, process.pid(), parent, kCompareMemory, 0, 0) == 0) {
    throw AttachError("is a child of vfork that runs in the memory of process " +
                      std::to_string(parent) + "; try again when it has started its program");
  }
}

bool is_same_file_there(pid_t pid, const std::string& path) {
  struct stat here {
  }, there{};
  return stat(path.c_str(), &here) == 0 &&
         stat(proc_path(pid, "root" + path).c_str(), &there) == 0 && here.st_dev == there.st_dev &&
         here.st_ino == there.st_ino;
}

// What a process of ours tells its parent.
struct Report {
  bool started = false;
  StartedWorker worker;
  char error[1024] = {};
};

[[noreturn]] void start_and_report(const RemoteProcess& process, const InjectionPlan& plan,
                                   const Context& context, Report& report) {
  setsid();
  try {
    report.worker = start_worker(process, plan, context);
    report.started = true;
  } catch (const std::exception& error) {
    strncpy(report.error, error.what(), sizeof report.error - 1);
  }
  _exit(0);
}

// In a process that nobody sends signals: whoever is killed between taking a thread's registers and
// putting them back leaves a program that crashes. And its end lets go of threads that could not be
// stopped (thread_stop.h).
StartedWorker start_from_own_process(const RemoteProcess& process, const InjectionPlan& plan,
                                     const Context& context) {
  void* shared =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    throw AttachError(std::string("cannot be attached to: ") + strerror(errno));
  auto* report = new (shared) Report;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const pid_t child = fork();
  if (child == 0) start_and_report(process, plan, context, *report);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const Report result = *report;
  munmap(shared, sizeof(Report));
  if (result.started) return result.worker;
  throw AttachError(result.error[0] != '\0' ? result.error
                                            : "cannot be attached to: memlens cannot have a "
                                              "process beside it, or that was killed");
}

}  // namespace

Injection::Injection(pid_t pid, const char* symbol) : process_(pid), symbol_(symbol) {
  const std::string tracer = status_field(pid, "TracerPid");
  if (!tracer.empty() && tracer != "0")
    throw AttachError("is being traced by process " + tracer + "; end that first");
  const std::string state = status_field(pid, "State");
  if (state.starts_with("T")) throw AttachError("is stopped; continue it first (kill -CONT)");
  refuse_borrowed_memory(process_);
  lock_fd_ = lock_process(pid);
  // A program in its first milliseconds has not loaded its libraries yet.
  for (const int64_t end = now_ms() + kPatienceMs / 10;;) {
    try {
      plan_ = plan_injection(process_, symbol_);
      return;
    } catch (const AttachError&) {
      if (plan_.loaded.objects.size() > 2 || now_ms() > end) {
        close(lock_fd_);
        throw;
      }
      usleep(kPollMicroseconds * 10);
    }
  }
}

Injection::~Injection() {
  end();
  constexpr int64_t kMostMs = 2000;
  for (const int64_t end = now_ms() + kMostMs; started_ && now_ms() < end && worker_lives();)
    usleep(kPollMicroseconds);
  close(lock_fd_);
}

bool Injection::worker_lives() const {
  const auto context = process_.value<Context>(area_.context());
  for (const pid_t thread : process_.threads()) {
    const std::string status =
        proc_path(process_.pid(), "task/" + std::to_string(thread) + "/status");
    const auto number = static_cast<uint32_t>(innermost_number(status, thread));
    if (number == context.worker_thread || number == context.bare_thread) return true;
  }
  return false;
}

bool Injection::has_earlier_worker() const {
  const auto state = process_.value<WorkerState>(context() + offsetof(Context, state));
  return (state == WorkerState::kStarting || state == WorkerState::kReady) && worker_lives();
}

void Injection::start() {
  if (plan_.area) {
    area_ = *plan_.area;
    // An earlier attach's thread ends by itself, on a busy machine with some delay.
    for (const int64_t end = now_ms() + kPatienceMs / 4; has_earlier_worker();
         usleep(kPollMicroseconds)) {
      if (now_ms() < end) continue;
      throw AttachError(
          "is still busy with an earlier attach (its loader or allocator waits for something); "
          "try again later");
    }
  }
  start_worker();
  wait_until_ready();
}

void Injection::start_worker() {
  constexpr uint32_t kIdleRounds = 50'000;
  constexpr uint64_t kPauseNs = 200'000;
  constexpr uint64_t kStackBytes = 1 << 20;  // for dlopen, and for what begins a recording
  Context context{};
  context.idle_rounds = context.idle_limit = kIdleRounds;
  context.pthread_create = plan_.pthread_create;
  context.pthread_self = plan_.pthread_self;
  context.pthread_detach = plan_.pthread_detach;
  if (plan_.pthread_attr_setstacksize != 0) context.pthread_attr_init = plan_.pthread_attr_init;
  context.pthread_attr_setstacksize = plan_.pthread_attr_setstacksize;
  context.stack_bytes = kStackBytes + plan_.tls_bytes;  // of which glibc takes the static TLS
  context.dlopen = plan_.dlopen;
  context.dlsym = plan_.dlsym;
  context.dlerror = plan_.dlerror;
  context.function = plan_.wake;
  context.dlopen_mode = RTLD_NOW | RTLD_LOCAL;
  context.pause_nanoseconds = kPauseNs;
  strncpy(context.symbol, symbol_, sizeof context.symbol - 1);
  const StartedWorker started = start_from_own_process(process_, plan_, context);
  area_ = started.area;
  stopped_ns_ = started.stopped_ns;
  started_ = true;
}

void Injection::wait_until_ready() {
  for (const int64_t end = now_ms() + kPatienceMs; now_ms() < end; usleep(kPollMicroseconds)) {
    Context now{};
    if (!process_.read(context(), &now, offsetof(Context, error))) throw_gone(process_);
    if (now.state == WorkerState::kReady) return;
    if (now.state == WorkerState::kNotCreated) {
      started_ = false;
      throw AttachError(std::string("cannot have another thread: ") + strerror(now.create_error));
    }
  }
  throw AttachError(
      "is busy: its allocator or thread library waits for something (a signal handler, a stopped "
      "thread?); the request was withdrawn, try again later");
}

void Injection::give(WorkerCommand command) {
  completed_ = process_.value<uint32_t>(context() + offsetof(Context, completed));
  if (!process_.write(context() + offsetof(Context, command), &command, sizeof command))
    throw_gone(process_);
}

bool Injection::is_done() {
  Context now{};
  if (!process_.read(context(), &now, offsetof(Context, error))) throw_gone(process_);
  result_ = now.result;
  if (now.completed != completed_) return true;
  if (now.state != WorkerState::kFinished) return false;
  started_ = false;
  throw AttachError("was not asked for too long; try again");
}

int64_t Injection::run(WorkerCommand command, const char* what) {
  give(command);
  for (const int64_t end = now_ms() + kPatienceMs; now_ms() < end; usleep(kPollMicroseconds)) {
    if (is_done()) return result_;
  }
  throw AttachError(std::string("is busy: ") + what +
                    " does not come to an end there (another thread holds the dynamic loader or "
                    "the allocator); the request was withdrawn, try again later");
}

uint64_t Injection::scratch() const { return context() + offsetof(Context, path); }

int64_t Injection::make_system_call(const SystemCall& call) {
  if (!process_.write(context() + offsetof(Context, system_call), call.data(), sizeof call))
    throw_gone(process_);
  return run(WorkerCommand::kSystemCall, "a system call");
}

bool Injection::try_to_load(const std::string& path) {
  if (path.size() >= sizeof(Context::path)) throw AttachError("takes no path so long: " + path);
  if (!process_.write(context() + offsetof(Context, path), path.c_str(), path.size() + 1))
    throw_gone(process_);
  return run(WorkerCommand::kLoad, "opening the library") != 0;
}

void Injection::load(const std::string& library) {
  const auto reason = [this] {
    return process_.text(context() + offsetof(Context, error), sizeof(Context::error));
  };
  if (is_same_file_there(process_.pid(), library)) {
    if (try_to_load(library)) return;
    // Its user may not go where the library is; anything else is told.
    if (reason().find("cannot open shared object file") == std::string::npos)
      throw AttachError("cannot load the library: " + reason());
  }
  int fd = -1;
  const std::string path = copy_into_memory_file(library, fd);
  from_memory_ = true;
  const bool loaded = try_to_load(path);
  const std::string why = loaded ? "" : reason();
  make_system_call({SYS_close, static_cast<uint64_t>(fd), 0, 0, 0, 0, 0});
  if (loaded) return;
  const bool no_proc = why.find("No such file") != std::string::npos;
  throw AttachError("cannot load the library: " + why +
                    (no_proc ? " (is /proc mounted there?)" : ""));
}

// Made by the process, filled by us through /proc.
std::string Injection::copy_into_memory_file(const std::string& library, int& fd) {
  constexpr uint64_t kExecutable = 0x10;  // MFD_EXEC, from Linux 6.3 on
  const uint64_t name = scratch();
  process_.write(name, "libmemlens.so", sizeof "libmemlens.so");
  int64_t made = make_system_call({SYS_memfd_create, name, MFD_CLOEXEC | kExecutable, 0, 0, 0, 0});
  if (made == -EINVAL) made = make_system_call({SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, 0});
  if (made == -EMFILE) {
    throw AttachError(
        "has no file descriptor left to open the library with (RLIMIT_NOFILE); "
        "`prlimit --nofile=SOFT:HARD --pid " +
        std::to_string(process_.pid()) + "` gives it some");
  }
  if (made < 0) {
    throw AttachError("does not see " + library +
                      ", and cannot have it in memory: " + strerror(static_cast<int>(-made)));
  }
  fd = static_cast<int>(made);
  const int to =
      open(proc_path(process_.pid(), "fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC);
  const int from = open(library.c_str(), O_RDONLY | O_CLOEXEC);
  bool copied = to >= 0 && from >= 0;
  char buffer[65536];
  while (copied) {
    const ssize_t count = ::read(from, buffer, sizeof buffer);
    if (count == 0) break;
    copied = count > 0 && ::write(to, buffer, static_cast<size_t>(count)) == count;
  }
  const int error = errno;
  if (to >= 0) close(to);
  if (from >= 0) close(from);
  if (!copied) {
    make_system_call({SYS_close, static_cast<uint64_t>(fd), 0, 0, 0, 0, 0});
    throw AttachError("does not see " + library +
                      ", and it cannot be copied there: " + strerror(error));
  }
  return "/proc/self/fd/" + std::to_string(fd);
}

bool Injection::is_loaded_late() const {
  bool libc_seen = false;
  for (const RemoteObject& object : plan_.loaded.objects) {
    if (symbol_address(process_, object, "gnu_get_libc_version") != 0) libc_seen = true;
    if (libc_seen && symbol_address(process_, object, symbol_) != 0) return true;
  }
  return false;
}

void Injection::call() {
  give(WorkerCommand::kCall);
  calling_ = true;
}

bool Injection::is_calling() {
  if (calling_) calling_ = !is_done();
  return calling_;
}

void Injection::end() {
  constexpr WorkerCommand kEnd = WorkerCommand::kEnd;
  // (A failure: the process has ended.)
  if (started_) process_.write(context() + offsetof(Context, command), &kEnd, sizeof kEnd);
}

}  // namespace memlens::attach
