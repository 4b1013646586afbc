// expect: churn key_of|main
#include <string>
__attribute__((noinline)) size_t key_of(int i) {
  std::string key = "a rather long prefix of a key, number ";
  key += std::to_string(i);
  return key.size();
}
int main() {
  size_t sum = 0;
  for (int i = 0; i < 300000; i++) sum += key_of(i);
  return sum == 1;
}
