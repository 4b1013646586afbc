// Whose code a frame is: what decides which line of a stack a report names.
//
// One definition of "own code" a language; python_code.h and native_code.h hold them. What they
// have in common: the project comes before packages installed for it, these before the language's
// standard library and other people's shared libraries, these before interpreters and the C
// runtime, and last comes what only allocates, imports or starts on behalf of its caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reader/capture/capture.h"

namespace memlens::report {

// The later, the less it says about the program.
enum class CodeOrigin : uint8_t {
  kProject,      // what is being worked on
  kPackage,      // installed for it: site-packages, crates, Go modules; a program of the system
  kLibrary,      // a language's standard library, shared libraries of the system
  kInterpreter,  // CPython, libjvm, libnode, Go's runtime
  kSystem,       // the C and C++ runtimes, the loader
  kMachinery,    // imports, allocation functions, containers' insides, frames memlens supplies
};

// What counts as the program's own: where the responsible frame is looked for first.
enum class OwnCode : uint8_t {
  kProject,   // the project's; where it has no part in a stack, packages'
  kPackages,  // packages installed for it count as the project does
  kAll,       // so do libraries, interpreters and the system: the function that asked for memory
};

struct OwnCodeOptions {
  OwnCode own = OwnCode::kProject;
  std::string project;  // its folder; empty: where the program was started and its scripts lie
};

class CodeOrigins {
 public:
  explicit CodeOrigins(const reader::CaptureInfo& info, const OwnCodeOptions& options = {});

  CodeOrigin of(const reader::Frame& frame) const;
  // The lowest is what to look at; from 0 on, below 100.
  int rank_of(const reader::Frame& frame) const;
  static constexpr int kBestRank = 0;

 private:
  bool in_project(std::string_view file) const;
  CodeOrigin python_origin(const reader::Frame& frame) const;
  CodeOrigin native_origin(const reader::Frame& frame) const;
  CodeOrigin module_origin(std::string_view module) const;

  OwnCode own_;
  bool project_given_;
  std::vector<std::string> roots_;        // folders of the project, each with a slash at its end
  std::vector<std::string> executables_;  // of the processes, but for interpreters
  bool all_installed_ = false;            // every one of them is a program of the system
};

// A native frame of which only the address in its file is known ("libfoo.so+0x1234").
bool is_nameless(const reader::Frame& frame);

}  // namespace memlens::report
