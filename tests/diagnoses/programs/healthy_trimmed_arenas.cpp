// expect: healthy
#include <malloc.h>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>
using Blocks = std::vector<std::unique_ptr<char[]>>;
void fill(Blocks& blocks, int count, size_t bytes) {
  for (int i = 0; i < count; i++) {
    blocks.emplace_back(new char[bytes]);
    std::memset(blocks.back().get(), 1, bytes);
  }
}
void sleep_for(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}
// What the workers had stays theirs, and is not in memory.
int main() {
  Blocks kept;
  fill(kept, 50000, 1000);
  std::atomic<int> filled{0}, freed{0};
  std::atomic<bool> go_on{false};
  std::vector<std::thread> workers;
  for (int i = 0; i < 12; i++) {
    workers.emplace_back([&] {
      Blocks blocks;
      fill(blocks, 10000, 1000);
      auto last = std::make_unique<char[]>(3000);
      filled++;
      while (!go_on) sleep_for(1);
      blocks.clear();
      freed++;
      for (int j = 0; j < 120; j++) {
        sleep_for(20);
        std::make_unique<int>();
      }
    });
  }
  while (filled < 12) sleep_for(1);
  {
    Blocks most;  // the highest there is
    fill(most, 1, 30'000'000);
    sleep_for(150);
  }
  go_on = true;
  while (freed < 12) sleep_for(1);
  malloc_trim(0);
  for (auto& worker : workers) worker.join();
}
