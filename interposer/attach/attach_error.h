// Why a process cannot be attached to: the rest of a sentence that starts with the process, and
// what to do. Nothing was changed in the process unless it says so.
#pragma once

#include <stdexcept>

namespace memlens::attach {

class AttachError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace memlens::attach
