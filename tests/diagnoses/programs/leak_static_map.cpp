// expect: leak remember
#include <unistd.h>
#include <string>
#include <unordered_map>
static std::unordered_map<int, std::string> seen;
__attribute__((noinline)) void remember(int i) { seen.emplace(i, std::string(3000, 'x')); }
// Stopped without its destructors, as servers are.
int main() {
  for (int i = 0; i < 600; i++) {
    remember(i);
    usleep(2500);
  }
  _exit(0);
}
