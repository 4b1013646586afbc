// expect: fragmentation
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>
int main() {
  std::vector<char*> blocks;
  for (int i = 0; i < 200000; i++) {
    blocks.push_back(new char[1000]);
    std::memset(blocks.back(), 1, 1000);
  }
  for (size_t i = 0; i < blocks.size(); i++)
    if (i % 4) delete[] blocks[i];
  for (int i = 0; i < 60; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    delete new int;
  }
  for (size_t i = 0; i < blocks.size(); i += 4) delete[] blocks[i];
}
