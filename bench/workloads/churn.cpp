// malloc-bound: threads replace blocks of 16..271 bytes at random. churn <pairs> <threads>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

__attribute__((noinline)) static void* make(uint64_t random) {
  char* block = static_cast<char*>(malloc(16 + (random >> 20 & 255)));
  *block = 1;
  return block;
}

__attribute__((noinline)) static void work(uint64_t pairs, uint64_t seed) {
  void* slots[512] = {};
  uint64_t state = 88172645463325252ull + seed * 7919;
  for (uint64_t i = 0; i < pairs; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    void*& slot = slots[state >> 40 & 511];
    free(slot);
    slot = make(state);
  }
  for (void* slot : slots) free(slot);
}

int main(int argc, char** argv) {
  const uint64_t pairs = argc > 1 ? strtoull(argv[1], nullptr, 10) : 4'000'000;
  const unsigned count = argc > 2 ? static_cast<unsigned>(atoi(argv[2])) : 1;
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < count; ++i) threads.emplace_back(work, pairs, i);
  work(pairs, 0);
  for (std::thread& thread : threads) thread.join();
  return 0;
}
