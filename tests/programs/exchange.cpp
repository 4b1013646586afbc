// exchange [THREADS]: threads that put blocks into one table and free what others had put there, so
// that an address goes from thread to thread all the time, until its input ends. Then it says what
// is in the table, which is never freed: "live <blocks> <bytes>".
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr unsigned kSlots = 4096;
std::atomic<size_t*> slots[kSlots];
std::atomic<bool> over{false};

// A block knows its size.
__attribute__((noinline)) size_t* make_block(size_t bytes) {
  auto* block = static_cast<size_t*>(malloc(bytes));
  *block = bytes;
  return block;
}

void* work(void* number) {
  unsigned seed = 77u + static_cast<unsigned>(reinterpret_cast<size_t>(number)) * 991u;
  for (unsigned long i = 0; !over.load(std::memory_order_relaxed); ++i) {
    seed = seed * 1103515245u + 12345u;
    std::atomic<size_t*>& slot = slots[seed >> 12 & (kSlots - 1)];
    free(slot.exchange(make_block(8 + (seed >> 7 & 255))));
    if (i % 4096 == 0) free(realloc(make_block(100), 3000));
    if (i % 1024 == 0) usleep(1000);  // others are to have some of the processor
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 4;
  pthread_t running[16];
  for (int i = 0; i < threads; ++i) {
    pthread_create(&running[i], nullptr, work, reinterpret_cast<void*>(static_cast<size_t>(i)));
  }
  char word;
  while (read(0, &word, 1) > 0) {
  }
  over = true;
  for (int i = 0; i < threads; ++i) pthread_join(running[i], nullptr);
  unsigned long blocks = 0, bytes = 0;
  for (const auto& slot : slots) {
    if (slot.load() == nullptr) continue;
    ++blocks;
    bytes += *slot.load();
  }
  char line[96];
  snprintf(line, sizeof line, "live %lu %lu\n", blocks, bytes);
  if (write(1, line, strlen(line)) < 0) _exit(2);
  _exit(0);
}
