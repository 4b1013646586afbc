// An open file of ours into the process. Where it lives in other namespaces there is no path by
// which it could open it, and no socket to ask at.
#pragma once

#include "interposer/attach/injection.h"

namespace memlens::attach {

// Returns its number there; the caller closes it (close_there). Throws AttachError.
int pass_descriptor(Injection& injection, int fd);
void close_there(Injection& injection, int fd);

}  // namespace memlens::attach
