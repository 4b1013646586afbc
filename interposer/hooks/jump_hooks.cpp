// Jumps out of signal handlers, which may have interrupted a hook: a handler of SIGSEGV that gives
// up what faulted inside free, a time limit by SIGALRM. Without a word here the guard of that hook
// would look live to whatever the thread calls next (reentrancy.h).
#include <setjmp.h>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/loader/next_function.h"
#include "interposer/platform/jump_target.h"

namespace memlens::interposer {
namespace {

using Jump = void (*)(jmp_buf, int);

MEMLENS_NEXT<Jump> next_longjmp("longjmp");
MEMLENS_NEXT<Jump> next_plain_longjmp("_longjmp");
MEMLENS_NEXT<Jump> next_siglongjmp("siglongjmp");
MEMLENS_NEXT<Jump> next_checked_longjmp("__longjmp_chk");

[[noreturn]] inline void jump(Jump next, jmp_buf buffer, int value) {
  if (__builtin_expect(hook_frame != 0, 0)) leave_hooks_for(jump_target(buffer));
  next(buffer, value);
  __builtin_unreachable();
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

// Under their own names, which the header's declarations would mark as compiler built-ins.
MEMLENS_HOOK void longjmp(jmp_buf buffer, int value) { jump(next_longjmp.get(), buffer, value); }
MEMLENS_HOOK void _longjmp(jmp_buf buffer, int value) {
  jump(next_plain_longjmp.get(), buffer, value);
}
MEMLENS_HOOK void siglongjmp(sigjmp_buf buffer, int value) {
  jump(next_siglongjmp.get(), buffer, value);
}
MEMLENS_HOOK void __longjmp_chk(jmp_buf buffer, int value) {
  jump(next_checked_longjmp.get(), buffer, value);
}
