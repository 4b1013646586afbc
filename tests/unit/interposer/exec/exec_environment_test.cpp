#include "interposer/exec/exec_environment.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace memlens::interposer;

namespace {

const SessionEntries kEntries{"/opt/lib/libmemlens.so", "12:3:4:55:ab:name", false};
const SessionEntries kAnnounced{"/opt/lib/libmemlens.so", "12:3:4:55:ab:name", true};

struct Environment {
  explicit Environment(std::vector<std::string> entries) : texts(std::move(entries)) {
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
  std::vector<std::string> texts;
  std::vector<char*> pointers;
};

std::vector<std::string> strings(char** environment) {
  std::vector<std::string> result;
  for (; *environment != nullptr; ++environment) result.emplace_back(*environment);
  return result;
}

// Makes the environment in exactly the memory that was asked for, with a fence behind it.
template <typename Make>
std::vector<std::string> made_in(size_t bytes, Make make) {
  std::vector<char> memory(bytes + 8, '\x5a');
  const std::vector<std::string> result = strings(make(memory.data()));
  CHECK(std::string(memory.end() - 8, memory.end()) == std::string(8, '\x5a'));
  return result;
}

std::vector<std::string> attached(std::vector<std::string> entries,
                                  const SessionEntries& session = kEntries) {
  Environment environment(std::move(entries));
  const size_t bytes = bytes_to_attach(environment.pointers.data(), session);
  if (bytes == 0) return environment.texts;
  return made_in(bytes, [&](void* memory) {
    return attach_entries(environment.pointers.data(), session, memory);
  });
}

std::vector<std::string> detached(std::vector<std::string> entries) {
  Environment environment(std::move(entries));
  const size_t bytes = bytes_to_detach(environment.pointers.data());
  if (bytes == 0) return environment.texts;
  return made_in(bytes,
                 [&](void* memory) { return detach_entries(environment.pointers.data(), memory); });
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("an environment without the session gets both entries") {
  CHECK(attached({"A=1"}) ==
        Strings{"A=1", "LD_PRELOAD=/opt/lib/libmemlens.so", "MEMLENS_SESSION=12:3:4:55:ab:name"});
}

TEST_CASE("an empty or missing environment gets both entries") {
  const Strings both{"LD_PRELOAD=/opt/lib/libmemlens.so", "MEMLENS_SESSION=12:3:4:55:ab:name"};
  CHECK(attached({}) == both);
  const size_t bytes = bytes_to_attach(nullptr, kEntries);
  CHECK(made_in(bytes, [](void* memory) { return attach_entries(nullptr, kEntries, memory); }) ==
        both);
}

TEST_CASE("an environment that has both needs no change") {
  Environment environment(
      {"LD_PRELOAD=/opt/lib/libmemlens.so:x.so", "MEMLENS_SESSION=12:3:4:55:ab:name"});
  CHECK(bytes_to_attach(environment.pointers.data(), kEntries) == 0);
  CHECK(bytes_to_attach(environment.pointers.data(), kAnnounced) != 0);
}

TEST_CASE("the program's own preloads stay behind ours, where they stood") {
  CHECK(attached({"LD_PRELOAD=a.so b.so", "B=2"}) ==
        Strings{"LD_PRELOAD=/opt/lib/libmemlens.so:a.so:b.so", "B=2",
                "MEMLENS_SESSION=12:3:4:55:ab:name"});
}

TEST_CASE("our library moves to the front, once, whatever its path was") {
  CHECK(attached({"LD_PRELOAD=a.so:/old/libmemlens.so::b.so"})[0] ==
        "LD_PRELOAD=/opt/lib/libmemlens.so:a.so:b.so");
  CHECK(attached({"LD_PRELOAD=libmemlens.so"})[0] == "LD_PRELOAD=/opt/lib/libmemlens.so");
}

TEST_CASE("another run's session is replaced, and an announcement is added to ours") {
  CHECK(
      attached({"MEMLENS_SESSION=other", "LD_PRELOAD="}, kAnnounced) ==
      Strings{"MEMLENS_SESSION=12:3:4:55:ab:name:announced", "LD_PRELOAD=/opt/lib/libmemlens.so"});
}

TEST_CASE("variables that only begin alike are left alone") {
  const Strings alike{"LD_PRELOAD_X=1", "MEMLENS_SESSIONS=2", "LD_PRELOAD"};
  CHECK(detached(alike) == alike);
  CHECK(attached(alike).size() == 5);
}

TEST_CASE("detaching restores the program's own preloads") {
  CHECK(detached({"A=1", "LD_PRELOAD=/opt/lib/libmemlens.so:a.so b.so", "MEMLENS_SESSION=x"}) ==
        Strings{"A=1", "LD_PRELOAD=a.so:b.so"});
}

TEST_CASE("detaching drops an LD_PRELOAD that was there for our sake only") {
  CHECK(detached({"LD_PRELOAD=/opt/lib/libmemlens.so", "A=1", "MEMLENS_SESSION=x"}) ==
        Strings{"A=1"});
}

TEST_CASE("detaching leaves an environment alone that never had us") {
  const Strings own{"LD_PRELOAD=libmemlens.so.1:notlibmemlens.so", "A="};
  CHECK(detached(own) == own);
  CHECK(bytes_to_detach(nullptr) == 0);
}

TEST_CASE("attaching and detaching any list of preloads gives the list back") {
  for (const char* own : {"a.so", "a.so:b.so", "/x/y.so:/z.so:q"}) {
    const std::string entry = std::string("LD_PRELOAD=") + own;
    CHECK(detached(attached({"A=1", entry})) == Strings{"A=1", entry});
  }
}

TEST_CASE("an environment loses our entries in place as it does in a copy") {
  const std::vector<Strings> cases{
      {"A=1", "LD_PRELOAD=/opt/lib/libmemlens.so:a.so b.so", "MEMLENS_SESSION=x", "B=2"},
      {"LD_PRELOAD=/opt/lib/libmemlens.so", "MEMLENS_SESSION=x"},
      {"LD_PRELOAD=x.so:/opt/lib/libmemlens.so:y.so:z.so", "C="},
      {"MEMLENS_SESSION=x", "MEMLENS_SESSION=y", "A=1"},
      {"LD_PRELOAD=own.so", "A=1"},
      {}};
  for (const Strings& entries : cases) {
    Environment environment(entries);
    remove_entries_in_place(environment.pointers.data());
    CHECK(strings(environment.pointers.data()) == detached(entries));
  }
}
