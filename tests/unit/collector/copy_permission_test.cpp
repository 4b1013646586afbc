// What speaks against a copy of a process, from folders made to look like the kernel's.
#include "interposer/collector/copy_permission.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace memlens::collector {
namespace {

namespace fs = std::filesystem;

constexpr int kPid = 7;
constexpr uint64_t kResident = 100'000'000;

// A process that may be copied.
class FakeProcess {
 public:
  FakeProcess()
      : root_(fs::temp_directory_path() / ("memlens-copies-" + std::to_string(getpid()))) {
    write("proc/meminfo", "MemTotal:  1000000 kB\nMemAvailable:    400000 kB\n");
    write("proc/loadavg", "0.36 0.41 0.45 1/234 4711\n");
    write("proc/sys/vm/overcommit_memory", "0\n");
    write("proc/7/limits",
          "Limit                     Soft Limit           Hard Limit           Units     \n"
          "Max cpu time              unlimited            unlimited            seconds   \n"
          "Max processes             95962                95962                processes \n");
    write("proc/7/cgroup", "0::/pod/app\n");
    write_thread(7, "0", "0", "0 kB");
    write_thread(8, "0", "0", "0 kB");
    open("0", "/dev/pts/3", "02");
    open("1", "/tmp/file", "0100002");
    open("2", "socket:[123]", "02");
  }
  ~FakeProcess() { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void write_thread(int thread, const std::string& tracer, const std::string& filters,
                    const std::string& locked) const {
    write("proc/7/task/" + std::to_string(thread) + "/status",
          "Name:\tprogram\nTracerPid:\t" + tracer + "\nVmLck:\t       " + locked +
              "\nNoNewPrivs:\t0\nSeccomp:\t" + filters + "\nSeccomp_filters:\t0\n");
    link_namespace(thread, "pid", "pid:[4026531836]");
    link_namespace(thread, "pid_for_children", "pid:[4026531836]");
  }
  void link_namespace(int thread, const std::string& name, const std::string& target) const {
    const std::string path = "proc/7/task/" + std::to_string(thread) + "/ns/" + name;
    fs::create_directories((root_ / path).parent_path());
    remove(path);
    fs::create_symlink(target, root_ / path);
  }
  void open(const std::string& number, const std::string& target, const std::string& flags) const {
    const fs::path link = root_ / "proc/7/fd" / number;
    fs::create_directories(link.parent_path());
    fs::remove(link);
    fs::create_symlink(target, link);
    write("proc/7/fdinfo/" + number, "pos:\t0\nflags:\t" + flags + "\nmnt_id:\t30\n");
  }
  std::string reason() const {
    return reason_against_copy(kPid, kResident,
                               {(root_ / "cgroup").string(), (root_ / "proc").string()});
  }
  std::string reason_against_waiting() const {
    return collector::reason_against_waiting(
        kPid, {(root_ / "cgroup").string(), (root_ / "proc").string()});
  }
  void remove(const std::string& path) const { fs::remove_all(root_ / path); }

 private:
  fs::path root_;
};

TEST_CASE("nothing speaks against a copy of an ordinary process") {
  const FakeProcess process;
  CHECK(process.reason() == "");
  CHECK(process.reason_against_waiting() == "");
}

TEST_CASE("filters of system calls, debuggers and locked memory, in any thread") {
  const FakeProcess process;
  process.write_thread(8, "0", "2", "0 kB");
  CHECK(process.reason() == "it filters its system calls");
  CHECK(process.reason_against_waiting() == "it filters its system calls");
  process.write_thread(8, "4711", "0", "0 kB");
  CHECK(process.reason() == "it is being debugged");
  process.write_thread(8, "0", "0", "64 kB");
  CHECK(process.reason() == "it has locked memory");
}

TEST_CASE("the end of a copy may be waited for under a debugger, and with locked memory") {
  const FakeProcess process;
  process.write_thread(8, "4711", "0", "64 kB");
  CHECK(process.reason_against_waiting() == "");
}

TEST_CASE("the next child is to be the first of a namespace") {
  const FakeProcess process;
  const std::string reason = "its next child would be the first of a namespace, or of another";
  process.link_namespace(8, "pid_for_children", "pid:[4026532001]");
  CHECK(process.reason() == reason);
  // As long as nobody was born there.
  process.remove("proc/7/task/8/ns/pid_for_children");
  CHECK(process.reason() == reason);
  CHECK(process.reason_against_waiting() == "");
  process.remove("proc/7/task/8/ns/pid");
  CHECK(process.reason() == "its namespaces cannot be looked at");
}

TEST_CASE("the next child is to have other clocks") {
  const FakeProcess process;
  process.link_namespace(8, "time", "time:[4026531834]");
  process.link_namespace(8, "time_for_children", "time:[4026531834]");
  CHECK(process.reason() == "");
  process.link_namespace(8, "time_for_children", "time:[4026532002]");
  CHECK(process.reason() == "its next child would be the first of a namespace, or of another");
}

TEST_CASE("a limit on processes that is near") {
  const FakeProcess process;
  const auto limit = [&](const char* most) {
    process.write("proc/7/limits", std::string("Max processes             ") + most +
                                       "                 300                processes\n");
  };
  limit("290");
  CHECK(process.reason() == "it is near its limit of processes");
  limit("300");
  CHECK(process.reason() == "");
  limit("unlimited");
  CHECK(process.reason() == "");
  process.write("cgroup/pod/pids.max", "200\n");
  process.write("cgroup/pod/pids.current", "150\n");
  CHECK(process.reason() == "its cgroup is near its limit of processes");
  process.write("cgroup/pod/pids.max", "max\n");
  CHECK(process.reason() == "");
}

TEST_CASE("memory that would not do for two") {
  const FakeProcess process;
  process.write("cgroup/pod/app/memory.max", "512000000\n");
  process.write("cgroup/pod/app/memory.current", "300000000\n");
  CHECK(process.reason() == "");
  process.write("cgroup/pod/app/memory.current", "450000000\n");
  CHECK(process.reason() == "memory is short");
  process.write("cgroup/pod/app/memory.max", "max\n");
  CHECK(process.reason() == "");
  process.write("proc/sys/vm/overcommit_memory", "2\n");
  CHECK(process.reason() == "memory is accounted strictly");
}

TEST_CASE("devices and direct input work on its memory by ways of their own") {
  const FakeProcess process;
  char flags[16];
  std::snprintf(flags, sizeof flags, "0%o", static_cast<unsigned>(O_DIRECT | O_RDWR));
  process.open("3", "/tmp/database", flags);
  CHECK(process.reason() == "it has files open for direct input and output");
  process.open("3", "/dev/infiniband/uverbs0", "02");
  CHECK(process.reason() == "it has devices open");
  process.open("3", "anon_inode:[userfaultfd]", "02");
  CHECK(process.reason() == "it handles its page faults itself");
  process.open("3", "/dev/urandom", "0");
  CHECK(process.reason() == "");
}

TEST_CASE("what cannot be seen speaks against it") {
  const FakeProcess process;
  process.remove("proc/7/fd");
  CHECK(process.reason() == "its descriptors cannot be looked at");
  process.remove("proc/7/limits");
  CHECK(process.reason() == "its limits cannot be read");
  process.remove("proc/7/task");
  CHECK(process.reason() != "");
}

}  // namespace
}  // namespace memlens::collector
