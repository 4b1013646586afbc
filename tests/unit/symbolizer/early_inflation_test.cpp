#include "interposer/symbolizer/early_inflation.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/unit/symbolizer/sample_program.h"

using namespace memlens::symbolizer;
using memlens::symbolizer::testing::SampleProgram;

namespace {

int open_file(const std::string& path) { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }

struct SocketPair {
  SocketPair() { REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0); }
  ~SocketPair() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2] = {-1, -1};
};

// Stripped, its debug file beside it, compressed.
std::string separate_debug_file(const SampleProgram& program) {
  program.run(
      "objcopy --only-keep-debug --compress-debug-sections=zlib libsample.so sample.debug && "
      "strip libsample.so && cp sample.debug libsample.so.debug");
  return (program.directory() / "libsample.so.debug").string();
}

}  // namespace

TEST_CASE("a copy is found by the file it was made of, and not by another") {
  SocketPair sockets;
  InflatedFiles files;
  files.receive_from(sockets.ends[0]);
  const int file = open_file("/proc/self/exe");
  const int other = open_file("/dev/null");
  CHECK(files.find(file) == -1);
  REQUIRE(InflatedFiles::send(sockets.ends[1], FileIdentity::of(file), -1));
  CHECK(files.find(other) == -1);
  CHECK(files.find(file) == -1);  // begun, and it takes too long
  const int copy = open_file("/etc/passwd");
  REQUIRE(InflatedFiles::send(sockets.ends[1], FileIdentity::of(file), copy));
  const int found = files.find(file);
  CHECK(FileIdentity::of(found) == FileIdentity::of(copy));
  CHECK(files.find(other) == -1);
  for (const int descriptor : {file, other, copy, found}) close(descriptor);
}

TEST_CASE("a copy on its way is waited for") {
  SocketPair sockets;
  InflatedFiles files;
  files.receive_from(sockets.ends[0], 30'000);
  const int file = open_file("/proc/self/exe");
  REQUIRE(InflatedFiles::send(sockets.ends[1], FileIdentity::of(file), -1));
  std::thread sender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    InflatedFiles::send(sockets.ends[1], FileIdentity::of(file), file);
  });
  const int found = files.find(file);
  CHECK(FileIdentity::of(found) == FileIdentity::of(file));
  sender.join();
  close(file);
  close(found);
}

TEST_CASE("a sender that is gone is not waited for") {
  SocketPair sockets;
  InflatedFiles files;
  files.receive_from(sockets.ends[0]);
  const int file = open_file("/proc/self/exe");
  REQUIRE(InflatedFiles::send(sockets.ends[1], FileIdentity::of(file), -1));
  close(sockets.ends[1]);
  sockets.ends[1] = -1;
  CHECK(files.find(file) == -1);
  CHECK(files.find(file) == -1);
  close(file);
}

TEST_CASE("debug files of what a program has loaded are inflated while it runs") {
  const SampleProgram program("-g");
  const int debug_file = open_file(separate_debug_file(program));
  REQUIRE(debug_file >= 0);
  void* library = dlopen(program.path().c_str(), RTLD_NOW);
  REQUIRE(library != nullptr);
  int copy = -1;
  {
    EarlyInflation early(getpid(), {});
    for (int tries = 0; tries < 1000 && copy < 0; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      copy = early.files().find(debug_file);
    }
  }
  CHECK(copy >= 0);
  CHECK(FileIdentity::of(copy).size_bytes > FileIdentity::of(debug_file).size_bytes);
  dlclose(library);
  close(debug_file);
  close(copy);
}

TEST_CASE("an inflation that is ended begins nothing new") {
  const SampleProgram program("-g");
  const int debug_file = open_file(separate_debug_file(program));
  EarlyInflation early(getpid(), {});
  early.end();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  void* library = dlopen(program.path().c_str(), RTLD_NOW);
  REQUIRE(library != nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(early.files().find(debug_file) == -1);
  dlclose(library);
  close(debug_file);
}
