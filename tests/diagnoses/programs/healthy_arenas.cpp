// expect: healthy
#include <memory>
#include <thread>
#include <vector>
int main() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++) {
    threads.emplace_back([] {
      for (int round = 0; round < 20; round++) {
        std::vector<std::unique_ptr<char[]>> blocks;
        for (int j = 0; j < 500; j++) blocks.emplace_back(new char[2000]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
