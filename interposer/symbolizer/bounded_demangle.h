// The C++ run-time library's demangler, with an end.
//
// It has none of its own: back references let a name of 300 bytes stand for a text of terabytes,
// and a stripped program's symbol table may hold anything (80 s were lost to one such name). A
// child process for each name would cost more than all the demangling of a run. So a timer of the
// thread's CPU time interrupts it, and a jump leaves it. It is left only while its own code runs:
// never inside the allocator, whose locks would stay taken. What it had allocated is lost.
#pragma once

#include <string>

namespace memlens::symbolizer {

// Empty: not a C++ name, or too much work. Any thread.
std::string bounded_demangle(const std::string& symbol);

}  // namespace memlens::symbolizer
