// C++'s operators new and delete in every form, one failing, with a new-handler that frees.
// Argument: rounds (default 1000; 0 shows what the C++ run-time library allocates for itself).
#include <cstdlib>
#include <new>

#include "ledger.h"

static ledger account;
static void* reserve = nullptr;

static void* made(void* block, size_t bytes) {
  if (block == nullptr) _exit(1);
  ledger_allocated(&account, bytes);
  return block;
}

static void gone(size_t bytes) { ledger_freed(&account, bytes); }

static void give_up_reserve() {
  if (reserve == nullptr) throw std::bad_alloc();
  operator delete(reserve);
  reserve = nullptr;
  gone(5000);
}

// An exception is a block, too: the one that a failing new throws inside.
static void try_an_exception() {
  try {
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
  }
}

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? atol(argv[1]) : 1000;
  const auto wide = std::align_val_t{64};
  for (long i = 0; i < rounds; ++i) {
    size_t bytes = 1 + i * 7 % 3000;
    operator delete(made(operator new(bytes), bytes));
    gone(bytes);
    operator delete[](made(operator new[](bytes), bytes));
    gone(bytes);
    operator delete(made(operator new(bytes), bytes), bytes);
    gone(bytes);
    operator delete[](made(operator new[](bytes), bytes), bytes);
    gone(bytes);
    operator delete(made(operator new(bytes, std::nothrow), bytes), std::nothrow);
    gone(bytes);
    operator delete[](made(operator new[](bytes, std::nothrow), bytes), std::nothrow);
    gone(bytes);
    bytes = (bytes + 63) / 64 * 64;  // libstdc++ asks malloc for whole multiples
    operator delete(made(operator new(bytes, wide), bytes), wide);
    gone(bytes);
    operator delete[](made(operator new[](bytes, wide), bytes), wide);
    gone(bytes);
    operator delete(made(operator new(bytes, wide, std::nothrow), bytes), bytes, wide);
    gone(bytes);
    operator delete[](made(operator new[](bytes, wide, std::nothrow), bytes), bytes, wide);
    gone(bytes);
    made(operator new(16), 16);  // left
  }
  if (rounds != 0) {
    reserve = made(operator new(5000), 5000);
    std::set_new_handler(give_up_reserve);
    // A volatile size: the compiler refuses a constant one.
    volatile size_t too_much = size_t{1} << 60;
    if (operator new(too_much, std::nothrow) != nullptr) return 2;
    if (reserve != nullptr) {  // mimalloc does not ask the handler
      operator delete(reserve);
      gone(5000);
      try_an_exception();
    }
    // What was recorded before an exception goes through is recorded after it.
    made(operator new(77), 77);
  }
  if (rounds == 0) try_an_exception();
  ledger_print(&account);
  return 0;
}
