// The environment that makes a program load the library and find the session.
#pragma once

#include <string>
#include <vector>

namespace memlens::recording {

// libmemlens.so as it lies relative to this executable: in a build tree, and as installed. Throws
// RunError when there is none, or when LD_PRELOAD cannot name it.
std::string find_preload_library();

// This process's environment as it is, for a program that must not load the library.
std::vector<std::string> unrecorded_environment();

// This process's environment with the library first in LD_PRELOAD and the session named.
std::vector<std::string> recorded_environment(const std::string& library,
                                              const std::string& session);

// The same without a session, for a program that loads the library and waits to be attached to.
std::vector<std::string> dormant_environment(const std::string& library);

}  // namespace memlens::recording
