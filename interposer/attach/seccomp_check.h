// What a process's seccomp filters would say to the system calls that attaching and recording need:
// a filter that kills would take the program with it, so it is asked before anything is done.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace memlens::attach {

using SeccompFilter = std::vector<sock_filter>;

// Runs one filter as the kernel does. SECCOMP_RET_...; a filter that cannot be run kills.
uint32_t filter_verdict(std::span<const sock_filter> filter, uint32_t architecture, uint64_t number,
                        const std::array<uint64_t, 6>& arguments);

// The name of the first call that the filters answer with death, a signal or a debugger's or
// supervisor's decision, or refuse though nothing goes without it. Empty: none.
std::string forbidden_call(const std::vector<SeccompFilter>& filters);

// Of a thread that is stopped by us. Nothing: they may not be read (it takes CAP_SYS_ADMIN, and a
// reader without filters).
std::optional<std::vector<SeccompFilter>> read_filters(pid_t thread);

}  // namespace memlens::attach
