// What a native stack costs, in nanoseconds, by depth and by how much has changed since the last:
//     unwind_cost
// Measured on a 2-core virtual machine with other jobs on it, the fastest twentieth of 201 rounds
// (two rounds agreed to 1 %):
//
//     frames                    15      30      50     100
//     unchanged               17.3    25.2    36.0    63.1
//     3 frames new            55.2    61.5    70.7    96.8
//     all stepped anew       237.7   461.4   768.8  1716.0
//     unw_backtrace          106.4   192.3   302.1   591.8
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <array>

#include "interposer/stacks/native_stack.h"

namespace {

using namespace memlens::interposer;

double now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

NativeStackState& state = *static_cast<NativeStackState*>(mmap(
    nullptr, sizeof(NativeStackState), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

enum class Way { kUnchanged, kThreeNewFrames, kAllNew, kLibunwind };
Way way;
volatile uint32_t sink;

__attribute__((noinline)) void take() {
  void* addresses[256];
  switch (way) {
    case Way::kLibunwind:
      sink = static_cast<uint32_t>(unw_backtrace(addresses, 256));
      return;
    case Way::kThreeNewFrames:
      state.depth = state.depth > 3 ? state.depth - 3 : 0;
      break;
    case Way::kAllNew:
      state.depth = 0;
      break;
    case Way::kUnchanged:
      break;
  }
  sink = capture_native_stack(state);
  asm volatile("" ::: "memory");
}

double result;
__attribute__((noinline)) void measure() {
  constexpr int kRounds = 201, kTimes = 1000;
  std::array<double, kRounds> times;
  for (double& time : times) {
    const double start = now_ns();
    for (int i = 0; i < kTimes; ++i) take();
    time = (now_ns() - start) / kTimes;
  }
  std::sort(times.begin(), times.end());
  result = times[kRounds / 20];
}

// Frames of different sizes.
template <int kind>
__attribute__((noinline)) int descend(int depth) {
  volatile char space[16 + kind * 8];
  space[0] = static_cast<char>(depth);
  if (depth <= 0) {
    measure();
  } else {
    descend<(kind * 7 + 3) % 16>(depth - 1);
  }
  return space[0];
}

}  // namespace

int main() {
  const std::array<int, 4> depths{15, 30, 50, 100};
  printf("frames              ");
  for (int depth : depths) printf("%8d", depth);
  const std::array<const char*, 4> names{"unchanged", "3 frames new", "all stepped anew",
                                         "unw_backtrace"};
  for (size_t i = 0; i < names.size(); ++i) {
    way = static_cast<Way>(i);

    printf("\n%-20s", names[i]);
    for (int depth : depths) {
      descend<1>(depth - 6);
      if (way == Way::kUnchanged && state.depth != static_cast<uint32_t>(depth)) {
        printf("(%u frames)", state.depth);
      }
      printf("%8.1f", result);
    }
  }
  printf("\n");
  return 0;
}
