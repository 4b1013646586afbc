// One thread allocates, another frees. pipeline <blocks>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

constexpr uint64_t kSlots = 1024;
static void* ring[kSlots];
static std::atomic<uint64_t> head{0}, tail{0};

int main(int argc, char** argv) {
  const uint64_t blocks = argc > 1 ? strtoull(argv[1], nullptr, 10) : 3'000'000;
  std::thread consumer([&] {
    for (uint64_t i = 0; i < blocks; ++i) {
      while (head.load(std::memory_order_acquire) == i) std::this_thread::yield();
      free(ring[i % kSlots]);
      tail.store(i + 1, std::memory_order_release);
    }
  });
  for (uint64_t i = 0; i < blocks; ++i) {
    while (i - tail.load(std::memory_order_acquire) >= kSlots) std::this_thread::yield();
    ring[i % kSlots] = malloc(16 + i % 200);
    head.store(i + 1, std::memory_order_release);
  }
  consumer.join();
  return 0;
}
