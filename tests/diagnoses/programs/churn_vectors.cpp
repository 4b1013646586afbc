// expect: churn average|main
#include <vector>
__attribute__((noinline)) double average(int n) {
  std::vector<double> values(100, n);
  double sum = 0;
  for (double value : values) sum += value;
  return sum / 100;
}
int main() {
  double sum = 0;
  for (int i = 0; i < 300000; i++) sum += average(i);
  return sum == 1;
}
