// The descriptors memlens was started with.
#pragma once

#include <vector>

namespace memlens::recording {

// They are the program's: whoever waits at the other end of a pipe waits for the program to close
// it, so memlens must not keep it open as well. Remembers at construction which they are.
class OwnDescriptors {
 public:
  OwnDescriptors();
  // All but stderr; stdin and stdout lead to /dev/null afterwards.
  void close_in_this_process() const;

 private:
  std::vector<int> open_;
};

}  // namespace memlens::recording
