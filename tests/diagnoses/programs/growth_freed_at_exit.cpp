// expect: growth collect
#include <unistd.h>
#include <memory>
#include <string>
#include <vector>
__attribute__((noinline)) void collect(std::vector<std::unique_ptr<std::string>>& rows) {
  rows.push_back(std::make_unique<std::string>(3000, 'x'));
}
// Rises for as long as it runs; its destructors free all of it.
int main() {
  std::vector<std::unique_ptr<std::string>> rows;
  for (int i = 0; i < 500; i++) {
    collect(rows);
    usleep(2500);
  }
}
