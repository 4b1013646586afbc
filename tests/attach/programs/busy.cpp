// Threads that allocate, check and free all the time; they say so, and how much it was, when asked.
//
//   busy THREADS [dlopen LIBRARY]
//
// One line on stdin, one on stdout:
//   run      the threads work until ...
//   pause    ... now: "paused <allocations> <bytes> <frees>", all that the threads have done so far
//   ping     one malloc and free of 77 bytes by the main thread, counted like theirs: "pong"
//   end      exit 0; a block with wrong contents is exit 1 at any time
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<bool> running{false};
std::atomic<int> paused{0};
std::atomic<unsigned long> allocations{0}, bytes{0}, frees{0};
int thread_count = 0;
const char* library = nullptr;

void fail(const char* what) {
  dprintf(2, "busy: %s\n", what);
  _exit(1);
}

struct Block {
  unsigned char* memory;
  size_t size;
  unsigned char mark;
};

void check(const Block& block) {
  for (size_t i = 0; i < block.size; ++i) {
    if (block.memory[i] != block.mark) fail("a block's contents have changed");
  }
}

void* work(void* number) {
  unsigned seed = 12345u + static_cast<unsigned>(reinterpret_cast<size_t>(number)) * 77u;
  constexpr int kBlocks = 64;
  Block blocks[kBlocks] = {};
  unsigned long made = 0, sum = 0, freed = 0;
  for (unsigned round = 0;; ++round) {
    if (!running.load()) {
      allocations += made;
      bytes += sum;
      frees += freed;
      made = sum = freed = 0;
      paused.fetch_add(1);
      while (!running.load()) usleep(500);
      paused.fetch_sub(1);
    }
    seed = seed * 1103515245u + 12345u;
    Block& block = blocks[seed >> 16 & (kBlocks - 1)];
    const size_t size = 1 + (seed >> 8 & 1023);
    const auto mark = static_cast<unsigned char>(seed >> 3);
    if (block.memory != nullptr) check(block);
    if (block.memory != nullptr && (seed & 4) != 0) {
      block.memory = static_cast<unsigned char*>(realloc(block.memory, size));
      ++freed;
    } else {
      if (block.memory != nullptr) {
        free(block.memory);
        ++freed;
      }
      block.memory = static_cast<unsigned char*>((seed & 8) != 0 ? malloc(size) : calloc(1, size));
    }
    if (block.memory == nullptr) fail("no memory");
    ++made;
    sum += size;
    block.size = size;
    block.mark = mark;
    memset(block.memory, mark, size);
    if (library != nullptr && round % 64 == 0) {
      void* handle = dlopen(library, RTLD_NOW);
      if (handle == nullptr) fail("dlopen failed");
      dlclose(handle);
    }
  }
}

// Without stdio, which allocates.
bool read_word(char* word, size_t size) {
  size_t length = 0;
  while (length + 1 < size) {
    if (read(0, word + length, 1) != 1) return false;
    if (word[length] == '\n') break;
    ++length;
  }
  word[length] = '\0';
  return true;
}

void say(const char* text) {
  if (write(1, text, strlen(text)) < 0) _exit(1);
}

void wait_for_pause() {
  while (paused.load() != thread_count) usleep(500);
}

}  // namespace

int main(int argc, char** argv) {
  thread_count = argc > 1 ? atoi(argv[1]) : 4;
  if (argc > 3) library = argv[3];
  for (int i = 0; i < thread_count; ++i) {
    pthread_t thread;
    pthread_create(&thread, nullptr, work, reinterpret_cast<void*>(static_cast<size_t>(i)));
  }
  wait_for_pause();
  say("ready\n");
  char word[64];
  while (read_word(word, sizeof word)) {
    if (strcmp(word, "run") == 0) {
      running = true;
      while (paused.load() != 0) usleep(500);
      say("running\n");
    } else if (strcmp(word, "pause") == 0) {
      running = false;
      wait_for_pause();
      char line[128];
      snprintf(line, sizeof line, "paused %lu %lu %lu\n", allocations.load(), bytes.load(),
               frees.load());
      say(line);
    } else if (strcmp(word, "ping") == 0) {
      void* volatile block = malloc(77);
      free(block);
      ++allocations;
      ++frees;
      bytes += 77;
      say("pong\n");
    } else if (strcmp(word, "end") == 0) {
      _exit(0);
    }
  }
  _exit(2);
}
