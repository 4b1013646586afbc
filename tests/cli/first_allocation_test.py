"""The first allocation of a process, from inside any function of libc: nothing hangs, nothing changes.

What a hook may call at that moment is in interposer/README.md.
"""
import os
import subprocess

from memlens_testing import MemlensTest, main

MOMENTS = ("malloc", "free", "realloc", "posix_memalign", "newlocale", "setlocale",
           "bindtextdomain", "textdomain", "dlopen", "dlsym", "dl_iterate_phdr", "tzset", "setenv",
           "printf", "atexit", "pthread_atfork", "pthread_once", "pthread_create", "getpwnam",
           "iconv_open", "signal", "fork")


class FirstAllocation(MemlensTest):
    def check(self, moment):
        environment = dict(os.environ, FIRST_ALLOCATION=moment)
        program = self.program("first_allocation")
        expected = subprocess.run([program], env=environment, stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, text=True, timeout=60, check=True)
        capture = self.record([program], env=environment)
        self.assertEqual(self.recording.stdout, expected.stdout)
        self.assertGreater(self.summary(capture)["allocations"], 0)


class Strings(MemlensTest):
    def test_a_hook_does_not_call_string_functions_that_a_library_interposes(self):
        capture = self.record([self.program("strings_not_ready")])
        self.assertEqual(self.recording.stdout, "1\n")
        self.assertGreater(self.summary(capture)["allocations"], 0)


def add_test(moment):
    setattr(FirstAllocation, f"test_inside_{moment}", lambda self: self.check(moment))


for name in MOMENTS:
    add_test(name)


if __name__ == "__main__":
    main()
