// expect: healthy
// Freed by the destructors of static objects.
#include <string>
#include <vector>
static std::vector<std::string> names;
int main() {
  for (int i = 0; i < 5000; i++) names.push_back(std::string(100, 'x'));
}
