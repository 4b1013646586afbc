// expect: peak fill
#include <vector>
__attribute__((noinline)) long fill(int n) {
  std::vector<long> values;
  for (int i = 0; i < n; i++) values.push_back(i);
  return values.back();
}
int main() { return fill(3000000) == 1; }
