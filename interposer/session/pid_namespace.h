// Which processes' numbers are meant by this process's pid.
#pragma once

#include <cstdint>

namespace memlens::interposer {

// Of "pid:[4026531836]" the inode, which names the namespace. 0 when it cannot be read.
uint64_t pid_namespace_inode();

}  // namespace memlens::interposer
