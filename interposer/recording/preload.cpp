#include "interposer/recording/preload.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "interposer/recording/run_error.h"
#include "interposer/segment/gate.h"
#include "interposer/segment/layout.h"

extern char** environ;

namespace memlens::recording {
namespace {

constexpr const char* kLibraryName = "libmemlens.so";
constexpr char kPreloadVariable[] = "LD_PRELOAD";

// The entries of an LD_PRELOAD but those of this library, each with a colon in front: a run within
// a run brings its own.
std::string other_libraries(const std::string& preload) {
  std::string others;
  for (size_t start = 0; start < preload.size();) {
    const size_t end = std::min(preload.find_first_of(" :", start), preload.size());
    const std::string entry = preload.substr(start, end - start);
    if (!entry.empty() && std::filesystem::path(entry).filename() != kLibraryName) {
      others += ":" + entry;
    }
    start = end + 1;
  }
  return others;
}

}  // namespace

std::string find_preload_library() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path directory = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (error) {
    throw RunError(kOwnFailure, "cannot read /proc/self/exe (" + error.message() +
                                    "): memlens needs /proc to be mounted");
  }
  // MEMLENS_LIBRARY_DIRECTORY is where `cmake --install` puts it ("lib/x86_64-linux-gnu").
  for (const char* relative : {"../lib", "../" MEMLENS_LIBRARY_DIRECTORY, "../lib64", "."}) {
    const fs::path candidate = (directory / relative / kLibraryName).lexically_normal();
    if (access(candidate.c_str(), R_OK) != 0) continue;
    if (candidate.string().find_first_of(" :\t\n") != std::string::npos) {
      throw RunError(kOwnFailure, candidate.string() +
                                      ": the dynamic loader takes no path with spaces or colons; "
                                      "install memlens elsewhere");
    }
    return candidate;
  }
  throw RunError(kOwnFailure, std::string("cannot find ") + kLibraryName + " beside " +
                                  directory.string() + "/memlens (looked in ../lib); reinstall");
}

std::vector<std::string> unrecorded_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

namespace {

// This process's environment but for what says whether and where to record.
std::vector<std::string> preloaded_environment(const std::string& library) {
  const auto value_of = [](const char* entry, const char* name) -> const char* {
    const size_t length = std::strlen(name);
    return std::strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1
                                                                          : nullptr;
  };
  std::vector<std::string> environment;
  std::string preload = library;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (value_of(*entry, segment::kSessionVariable) != nullptr) continue;
    if (value_of(*entry, segment::kDormantVariable) != nullptr) continue;
    if (const char* others = value_of(*entry, kPreloadVariable)) {
      preload += other_libraries(others);
      continue;
    }
    environment.emplace_back(*entry);
  }
  environment.push_back(std::string(kPreloadVariable) + "=" + preload);
  return environment;
}

}  // namespace

std::vector<std::string> recorded_environment(const std::string& library,
                                              const std::string& session) {
  std::vector<std::string> environment = preloaded_environment(library);
  environment.push_back(std::string(segment::kSessionVariable) + "=" + session);
  return environment;
}

std::vector<std::string> dormant_environment(const std::string& library) {
  std::vector<std::string> environment = preloaded_environment(library);
  environment.push_back(std::string(segment::kDormantVariable) + "=1");
  return environment;
}

}  // namespace memlens::recording
