// expect: fragmentation
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>
// Each worker once had much, keeps a little, and lives on.
int main() {
  std::vector<std::thread> workers;
  for (int i = 0; i < 12; i++) {
    workers.emplace_back([] {
      std::vector<std::unique_ptr<char[]>> blocks;
      for (int j = 0; j < 10000; j++) {
        blocks.emplace_back(new char[1000]);
        std::memset(blocks.back().get(), 1, 1000);
      }
      auto last = std::make_unique<char[]>(3000);
      blocks.clear();
      for (int j = 0; j < 60; j++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        std::make_unique<int>();
      }
    });
  }
  for (auto& worker : workers) worker.join();
}
