// Limits of memory, from folders made to look like the kernel's.
#include "interposer/collector/memory_limit.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace memlens::collector {
namespace {

namespace fs = std::filesystem;

class FakeKernel {
 public:
  FakeKernel() : root_(fs::temp_directory_path() / ("memlens-limits-" + std::to_string(getpid()))) {
    fs::create_directories(root_);
    write("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n");
    write("proc/vmstat", "oom_killer_calls 9\noom_kill 3\n");
  }
  ~FakeKernel() { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  MemoryLimit::Folders folders() const {
    return {(root_ / "cgroup").string(), (root_ / "proc").string()};
  }

 private:
  fs::path root_;
};

WatchedProcess process(uint32_t index, int32_t pid) {
  WatchedProcess watched;
  watched.process = index;
  watched.pid = watched.host_pid = pid;
  return watched;
}

TEST_CASE("the limit met first is the least of the cgroup's and those above it") {
  const FakeKernel kernel;
  kernel.write("proc/7/cgroup", "0::/pod/app\n");
  kernel.write("cgroup/pod/memory.max", "512000\n");
  kernel.write("cgroup/pod/memory.current", "480000\n");
  kernel.write("cgroup/pod/memory.events", "low 0\noom 5\noom_kill 2\noom_group_kill 7\n");
  kernel.write("cgroup/pod/app/memory.max", "max\n");
  const MemoryLimit limit(7, kernel.folders());
  CHECK(limit.is_cgroup());
  const auto sample = limit.read();
  REQUIRE(sample);
  CHECK(sample->limit_bytes == 512000);
  CHECK(sample->used_bytes == 480000);
  CHECK(sample->kills == 2);
}

TEST_CASE("in a container the mount is the cgroup, whatever path the host has for it") {
  const FakeKernel kernel;
  kernel.write("proc/7/cgroup", "0::/system.slice/somewhere/on/the/host\n");
  kernel.write("cgroup/memory.max", "1000\n");
  kernel.write("cgroup/memory.current", "10\n");
  CHECK(MemoryLimit(7, kernel.folders()).read()->limit_bytes == 1000);
}

TEST_CASE("the first version of cgroups has its own files, and a number for no limit") {
  const FakeKernel kernel;
  kernel.write("proc/7/cgroup", "9:name=systemd:/\n4:cpu,memory:/jobs/1\n0::/\n");
  kernel.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  kernel.write("cgroup/memory/jobs/1/memory.limit_in_bytes", "64000\n");
  kernel.write("cgroup/memory/jobs/1/memory.usage_in_bytes", "63000\n");
  kernel.write("cgroup/memory/jobs/1/memory.oom_control",
               "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  const auto sample = MemoryLimit(7, kernel.folders()).read();
  REQUIRE(sample);
  CHECK(sample->limit_bytes == 64000);
  CHECK(sample->used_bytes == 63000);
  CHECK(sample->kills == 4);
}

TEST_CASE("without any limit it is the machine's memory") {
  const FakeKernel kernel;
  kernel.write("proc/7/cgroup", "0::/\n");
  const MemoryLimit limit(7, kernel.folders());
  CHECK(!limit.is_cgroup());
  const auto sample = limit.read();
  REQUIRE(sample);
  CHECK(sample->limit_bytes == 1'024'000);
  CHECK(sample->used_bytes == 614'400);
  CHECK(sample->kills == 3);
}

TEST_CASE("an ending tells what was used before the kill, and only kills in its time") {
  const FakeKernel kernel;
  kernel.write("proc/7/cgroup", "0::/app\n");
  kernel.write("proc/8/cgroup", "0::/app\n");
  kernel.write("cgroup/app/memory.max", "512\n");
  kernel.write("cgroup/app/memory.current", "100\n");
  kernel.write("cgroup/app/memory.events", "oom_kill 6\n");
  LimitWatch watch(kernel.folders());
  watch.update({process(1, 7)}, 0);
  kernel.write("cgroup/app/memory.current", "480\n");
  watch.update({process(1, 7)}, 1'000'000'000);
  kernel.write("cgroup/app/memory.current", "20\n");
  kernel.write("cgroup/app/memory.events", "oom_kill 7\n");
  watch.update({process(1, 7)}, 2'000'000'000);
  const auto killed = watch.ended(1);
  REQUIRE(killed);
  CHECK(killed->is_cgroup);
  CHECK(killed->sample.limit_bytes == 512);
  CHECK(killed->sample.used_bytes == 480);
  CHECK(killed->sample.kills == 1);
  watch.update({process(2, 8)}, 3'000'000'000);
  CHECK(watch.ended(2)->sample.kills == 0);
  CHECK(!watch.ended(3));
}

}  // namespace
}  // namespace memlens::collector
