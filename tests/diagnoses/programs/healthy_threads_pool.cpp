// expect: healthy
#include <memory>
#include <thread>
#include <vector>
int main() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([] {
      for (int j = 0; j < 2000; j++) auto block = std::make_unique<char[]>(1000);
    });
  }
  for (auto& thread : threads) thread.join();
}
