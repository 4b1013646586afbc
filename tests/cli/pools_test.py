"""A program's own pools, reported by memlens.h: heaps of their own, to the byte, however recorded."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from memlens_testing import BUILD, MEMLENS, SOURCE, MemlensTest, functions, main

EXAMPLE = os.path.join(BUILD, "examples", "particle_pools")
HEADER_PROGRAM = """
#include <memlens.h>
static memlens_pool pool = MEMLENS_POOL("one");
int other_file(void);
int main(void) {
  void* slab;
  MEMLENS_SLAB(slab = malloc(100));
  memlens_pool_alloc(&pool, slab, 10);
  memlens_pool_resize(&pool, slab, slab, 20);
  memlens_pool_free(&pool, slab);
  memlens_pool_reset(&pool);
  memlens_mark("moment");
  memlens_range_begin("range");
  memlens_range_end("range");
  MEMLENS_SLAB(free(slab));
  return other_file() + (memlens_enabled() && memlens_start("x", NULL) == NULL ? memlens_stop() != NULL : 0);
}
"""
OTHER_FILE = """
#include <memlens.h>
#include <memlens.h>
#ifdef __cplusplus
static void scoped() { memlens::SlabScope scope; }
#else
static void scoped(void) {}
#endif
int other_file(void);
int other_file(void) {
  static memlens_pool pool = MEMLENS_POOL("two");
  scoped();
  memlens_pool_alloc(&pool, &pool, 7);
  memlens_pool_reset(&pool);
  return 0;
}
"""


PYTHON_POOLS = """
import json, sys
import memlens

ledger = {"name": "pool arena", "allocations": 0, "allocated_bytes": 0, "leaked_bytes": 0}
live = {}

def cut(pool, address, size):
    pool.alloc(address, size)
    ledger["allocations"] += 1
    ledger["allocated_bytes"] += size
    live[address] = size

def use(pool):
    for number in range(200):
        cut(pool, 0x10000 + 64 * number, 40 + number % 3)
    for number in range(0, 100, 2):
        pool.free(0x10000 + 64 * number)
        del live[0x10000 + 64 * number]
    pool.resize(0x10000 + 64, 0x90000, 500)
    del live[0x10000 + 64]
    live[0x90000] = 500
    ledger["allocations"] += 1
    ledger["allocated_bytes"] += 500

def emptied(pool):
    for number in range(10):
        cut(pool, 0x10000 + 64 * number, 1000)
    pool.reset()

pool = memlens.Pool("arena")
use(pool)
kept = dict(live)
emptied(memlens.Pool("arena"))              # another of the same name
gone = memlens.Pool("arena")
cut(gone, 0x10000, 77)
del gone
late = memlens.Pool("a name that is longer than what a pool's may be, by far: é")
late.alloc(1 << 20, 5)
ledger["leaked_bytes"] = sum(kept.values())
print(json.dumps(ledger))
"""


class PoolsTest(MemlensTest):
    def pools(self, what, *options, code=0, **run_options):
        return self.record([self.program("pools"), *what.split()], *options, code=code, **run_options)

    def ledger(self, text=None):
        """What the program said of each pool, several processes' added up: {name: {member: n}}."""
        ledger = {}
        for line in (text or self.recording.stdout).splitlines():
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            own = ledger.setdefault(said.pop("name"), dict.fromkeys(said, 0))
            for member, value in said.items():
                own[member] += value
        return ledger

    def check_exact(self, capture, ledger=None):
        """The summary's heaps are those of the ledger, and the views' blocks add up to them."""
        ledger = ledger or self.ledger()
        self.assertTrue(ledger)
        heaps = self.summary(capture)["by_allocator"]
        for name, said in ledger.items():
            heap = heaps.get(name, {})
            for member in set(said) - {"leaked_blocks"}:
                self.assertEqual(heap.get(member), said[member], (name, member))
        self.assertEqual(sorted(name for name in heaps if name.startswith("pool ")
                                and heaps[name]["allocations"]), sorted(ledger))
        for view in ("leaks", "peak", "allocations"):
            self.stacks(view, capture)
        return heaps


class Recorded(PoolsTest):
    def test_the_example_agrees_with_its_own_ledger(self):
        capture = self.record([EXAMPLE])
        said = re.findall(r"(.+): (\d+) allocations of (\d+) bytes, (\d+) at the peak, (\d+) in (\d+) "
                          r"blocks still allocated", self.recording.stdout)
        self.assertEqual([line[0] for line in said], ["frame arena", "particles"])
        summary = self.summary(capture)
        for name, *numbers in said:
            heap = summary["by_allocator"]["pool " + name]
            self.assertEqual([heap["allocations"], heap["allocated_bytes"], heap["peak_bytes"],
                              heap["leaked_bytes"]], list(map(int, numbers[:4])))
        leaks = self.stacks("leaks", capture)["stacks"]
        for name, function in (("frame arena", "draw_frame"), ("particles", "main")):
            blocks = int(next(line[-1] for line in said if line[0] == name))
            self.assertEqual(sum(stack["blocks"] for stack in leaks if function in functions(stack)
                                 and ("arena_alloc" if name == "frame arena" else "particle_alloc")
                                 in functions(stack)), blocks)
        # Slabs are not counted beside the blocks that were cut from them.
        self.assertLess(summary["by_allocator"]["malloc"]["allocated_bytes"], 100_000)

    def test_without_memlens_the_example_says_the_same(self):
        alone = subprocess.run([EXAMPLE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                               text=True)
        self.assertEqual(alone.stderr, "")
        self.record([EXAMPLE])
        self.assertEqual(alone.stdout, self.recording.stdout)

    def test_who_asked_the_pool_is_responsible(self):
        capture = self.record([EXAMPLE])
        text = self.memlens("leaks", capture, "-n", "3").stdout
        self.assertIn("draw_frame", text)
        growing = self.memlens("lines", capture, "--json").stdout
        self.assertNotIn("memlens.h", growing)
        for line in json.loads(self.memlens("explain", capture, "--json").stdout)["findings"]:
            place = line.get("place") or {}
            self.assertNotIn("memlens_", place.get("function", ""))
            self.assertNotIn("arena_alloc", place.get("function", ""))

    def test_churn_resizes_and_resets_are_exact(self):
        for options in ((), ("--native",), ("--no-native",)):
            self.check_exact(self.pools("churn", *options))

    def test_a_pool_within_a_pool_within_mallocs_block(self):
        self.check_exact(self.pools("nest"))

    def test_nonsense_harms_neither_program_nor_capture(self):
        capture = self.pools("hostile")
        summary = self.summary(capture)
        heap = summary["by_allocator"]["pool first"]
        said = self.ledger()["pool first"]
        self.assertEqual([heap[m] for m in ("allocations", "allocated_bytes", "leaked_bytes")],
                         [said[m] for m in ("allocations", "allocated_bytes", "leaked_bytes")])
        self.assertTrue(summary["complete"])
        self.assertIn("pool without a name", summary["by_allocator"])
        self.assertNotIn("pool never used", summary["by_allocator"])
        self.assertNotIn("makes no sense", self.memlens("summary", capture).stderr)

    def test_names_beyond_the_limit_share_a_heap(self):
        heaps = self.summary(self.pools("names"))["by_allocator"]
        named = {name: heap for name, heap in heaps.items() if name.startswith("pool ")}
        others = heaps["other pools"]
        self.assertEqual(len(named), 63)
        self.assertIn("pool number 3 of a name that is longer than a pool's may", named)
        self.assertEqual(sum(heap["allocations"] for heap in named.values()) + others["allocations"],
                         400)
        self.assertEqual(sum(h["leaked_bytes"] for h in named.values()) + others["leaked_bytes"],
                         sum(1000 + i for i in range(200)))

    def test_thousands_of_pools_of_one_name_are_one_heap(self):
        heaps = self.check_exact(self.pools("arenas"))
        self.assertLess(heaps["malloc"]["allocated_bytes"], 100_000)

    def test_threads_share_a_pool(self):
        for _ in range(3):
            self.check_exact(self.pools("share 8"))

    def test_a_fork_in_between(self):
        self.check_exact(self.pools("fork"))

    def test_signal_handlers_and_jumps_out_of_them(self):
        for what in ("interrupted", "jump"):
            capture = self.pools(what)
            heaps = self.summary(capture)["by_allocator"]
            self.assertEqual(heaps["pool second"]["leaked_bytes"], 33)
            self.assertTrue(self.summary(capture)["complete"])
            # Wherever it was left, no number of a chunk was given twice.
            self.assertNotIn("makes no sense", self.recording.stderr)
            self.assertNotIn("make no sense", self.recording.stderr)

    def test_a_pool_in_a_range_of_time_and_in_a_marked_range(self):
        source = self.script("""
#include <memlens.h>
static memlens_pool pool = MEMLENS_POOL("p");
static char memory[4096];
int main(void) {
  memlens_pool_alloc(&pool, memory, 1000);
  memlens_range_begin("r");
  memlens_pool_alloc(&pool, memory + 1000, 500);
  memlens_pool_reset(&pool);
  memlens_pool_alloc(&pool, memory, 300);
  memlens_pool_alloc(&pool, memory + 300, 50);
  memlens_pool_free(&pool, memory);
  memlens_range_end("r");
  return 0;
}
""", "range.c")
        program = os.path.join(self.directory, "range")
        subprocess.run([self.need("gcc"), "-I", os.path.join(SOURCE, "include"), source, "-o", program],
                       check=True)
        capture = self.record([program])
        found = json.loads(self.memlens("ranges", capture, "--json").stdout)["ranges"]
        self.assertEqual([(r["name"], r["peak_bytes"], r["leaked_bytes"], r["allocations"])
                          for r in found], [("r", 500, 50, 3)])
        ranged = self.summary(capture, "--from", "0")["by_allocator"]["pool p"]
        self.assertEqual((ranged["allocated_bytes"], ranged["leaked_bytes"]), (1850, 50))

    def test_reports_name_the_pool(self):
        capture = self.pools("churn")
        self.assertIn("pool first", self.memlens("summary", capture).stdout)
        self.assertIn("via pool second", self.memlens("allocations", capture).stdout)
        page = os.path.join(self.directory, "page.html")
        self.memlens("flamegraph", capture, "-o", page)
        exported = os.path.join(self.directory, "stacks.csv")
        self.memlens("export", capture, "--format", "csv", "-o", exported)
        with open(exported, encoding="utf-8") as file:
            self.assertIn('"churn"', file.read())  # who called the pool
        dumped = self.memlens("dump", capture).stdout
        for event in ("pool_allocate", "pool_free", "pool_reset"):
            self.assertIn(event, dumped)

    def test_samples_estimate_a_pool_and_its_resets(self):
        # Nothing is left of what was reset: no sample of it stays behind.
        capture = self.pools("arenas", "--sample", "1K")
        heap = self.summary(capture)["by_allocator"]["pool request"]
        self.assertAlmostEqual(heap["allocated_bytes"], 6_000_000, delta=600_000)
        self.assertLess(heap["leaked_bytes"], 20_000)
        capture = self.pools("churn", "--sample", "1")
        for name, said in self.ledger().items():
            heap = self.summary(capture)["by_allocator"][name]
            self.assertAlmostEqual(heap["allocated_bytes"], said["allocated_bytes"],
                                   delta=said["allocated_bytes"] // 20)
            self.assertAlmostEqual(heap["leaked_bytes"], said["leaked_bytes"],
                                   delta=said["leaked_bytes"] // 5)

    def test_a_kill_loses_nothing_that_was_reported(self):
        capture = os.path.join(self.directory, "killed.mlens")
        run = subprocess.Popen([MEMLENS, "run", "-q", "-o", capture, "--", self.program("pools"),
                                "forever"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.kill)
        pid = None
        while pid is None:
            found = subprocess.run(["pgrep", "-P", str(run.pid)], stdout=subprocess.PIPE, text=True)
            pid = next(iter(found.stdout.split()), None)
            time.sleep(0.3)
        os.kill(int(pid), signal.SIGKILL)
        run.wait(timeout=60)
        summary = self.summary(capture)
        heap = summary["by_allocator"]["pool first"]
        self.assertGreater(heap["allocations"], 0)
        self.assertLessEqual(heap["leaked_bytes"], 4096 * 64)
        self.stacks("leaks", capture)


class StartedAndStopped(PoolsTest):
    def parts(self, program, *run):
        environment = dict(os.environ, MEMLENS_PROGRAM=MEMLENS)
        done = subprocess.run([*run, program, "parts", self.directory], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment, cwd=self.directory, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def check_parts(self, done):
        said = [line for line in done.stdout.splitlines() if not line.startswith("{")]
        nested = ("nested: this process is being recorded already; mark what is to be seen with "
                  "memlens_range_begin()")
        each = ["start: none", "enabled: 1", nested, "child: 0", "stop: none", "enabled: 0"]
        self.assertEqual(said[:1 + 2 * len(each)], ["stop: no recording was started here"] + 2 * each)
        self.assertRegex(said[-3], r"again: .*part2\.mlens.* exists")
        self.assertEqual(said[-2:], ["forced: none", "stop: none"])
        ledgers = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertEqual(len(ledgers), 2)
        # The second is recorded over in the end, without a block.
        capture = os.path.join(self.directory, "part1.mlens")
        self.check_exact(capture, self.ledger(ledgers[0]))
        self.assertTrue(self.summary(capture)["complete"])

    def test_two_recordings_within_a_program(self):
        done = self.parts(self.program("pools"))
        self.assertEqual(done.stderr, "")
        self.check_parts(done)

    def test_within_a_program_that_was_started_dormant(self):
        capture = os.path.join(self.directory, "none.mlens")
        self.check_parts(self.parts(self.program("pools"), MEMLENS, "run", "-q", "--dormant", "-o",
                                    capture, "--"))

    def test_within_a_recording_it_says_that_there_is_one(self):
        done = self.parts(self.program("pools"), MEMLENS, "run", "-q", "-o",
                          os.path.join(self.directory, "outer.mlens"), "--")
        self.assertIn("start: this process is being recorded already", done.stdout)

    def test_without_the_program_it_says_so(self):
        done = subprocess.run([self.program("pools"), "parts", self.directory],
                              stdout=subprocess.PIPE, text=True, cwd=self.directory, timeout=60,
                              env={"PATH": self.directory})
        self.assertIn("start: no memlens program on PATH; MEMLENS_PROGRAM may name one", done.stdout)
        self.assertEqual(done.returncode, 0)


class Attached(PoolsTest):
    def attach_to(self, *command):
        program = subprocess.Popen([*command, self.program("pools"), "attached"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   cwd=self.directory)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        pid = program.stdout.readline().strip()
        for number in range(2):
            capture = os.path.join(self.directory, f"attached{number}.mlens")
            attach = subprocess.Popen([MEMLENS, "attach", pid, "-o", capture], text=True,
                                      stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.addCleanup(attach.stderr.close)
            self.addCleanup(attach.kill)
            if command:  # it looks when it calls malloc, and its first round is not recorded whole
                while not os.path.exists(capture) and attach.poll() is None:
                    time.sleep(0.01)
                while "attached" not in self.attach_line(attach, program):
                    pass
            else:
                self.assertIn("attached", attach.stderr.readline())
            program.stdin.write("\n")
            program.stdin.flush()
            said = program.stdout.readline()
            attach.send_signal(signal.SIGINT)
            program.stdin.write("\n")  # a dormant program notices at its next call
            program.stdin.flush()
            program.stdout.readline()
            attach.communicate(timeout=60)
            yield capture, said
        program.stdin.close()
        program.wait(timeout=60)

    def attach_line(self, attach, program):
        program.stdin.write("\n")
        program.stdin.flush()
        program.stdout.readline()
        os.set_blocking(attach.stderr.fileno(), False)
        time.sleep(0.05)
        line = attach.stderr.readline()
        return line or ""

    def test_a_pool_from_before_is_named_in_a_recording_that_begins_later(self):
        for capture, said in self.attach_to():
            heaps = self.summary(capture)["by_allocator"]
            own = json.loads(said)
            self.assertGreaterEqual(heaps["pool first"]["allocations"], own["allocations"])
            self.assertNotIn("pool second", heaps)

    def test_a_dormant_program_is_woken(self):
        for capture, said in self.attach_to(MEMLENS, "run", "-q", "--dormant", "--"):
            heaps = self.summary(capture)["by_allocator"]
            self.assertGreaterEqual(heaps["pool first"]["allocations"], json.loads(said)["allocations"])


class Header(PoolsTest):
    def test_it_compiles_without_a_warning_wherever_it_may_be_included(self):
        main_file = self.script(HEADER_PROGRAM, "main.c")
        other_file = self.script(OTHER_FILE, "other.c")
        shutil.copy(main_file, os.path.join(self.directory, "main.cpp"))
        shutil.copy(other_file, os.path.join(self.directory, "other.cpp"))
        tried = 0
        links = (("-O2", "-flto"), ("-O1", "-no-pie"),
                 ("-O2", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"))
        for compiler, suffix, standard, *more in (
                ("gcc", "c", "c99"), ("gcc", "c", "gnu17"), ("gcc", "c", "c11", *links),
                ("clang", "c", "gnu17"), ("clang", "c", "c11", *links[1:]),
                ("g++", "cpp", "c++11"), ("g++", "cpp", "c++17"), ("g++", "cpp", "c++20", *links),
                ("clang++", "cpp", "c++17"), ("clang++", "cpp", "c++20")):
            if shutil.which(compiler) is None:
                continue
            # (Link-time optimization by clang needs a plugin that not every clang comes with.)
            for flags in (("-O0",), *more):
                with self.subTest(compiler=compiler, standard=standard, flags=flags):
                    program = os.path.join(self.directory, "program")
                    subprocess.run([compiler, "-std=" + standard, "-pedantic", "-Wall", "-Wextra",
                                    "-Werror", *flags, "-I", os.path.join(SOURCE, "include"),
                                    f"main.{suffix}", f"other.{suffix}", "-o", program, "-ldl"],
                                   check=True, cwd=self.directory)
                    subprocess.run([program], check=True)
                    tried += 1
                    if standard not in ("c11", "c++20"):
                        continue
                    heaps = self.summary(self.record([program]))["by_allocator"]
                    self.assertEqual([heaps["pool one"]["allocations"],
                                      heaps["pool two"]["allocations"]], [2, 1])
        if not tried:
            self.skipTest("no compiler is installed")

    def test_a_slabs_scope_ends_however_it_is_left(self):
        include = os.path.join(SOURCE, "include")
        program = os.path.join(self.directory, "left")
        for compiler, name, left in (
                ("gcc", "left.c", "static void* leave(void) { MEMLENS_SLAB(return malloc(7000)); }"),
                ("g++", "left.cpp", """static void* leave() {
  void* slab = nullptr;
  try {
    MEMLENS_SLAB(slab = malloc(7000); throw 1);
  } catch (int) {
  }
  return slab;
}""")):
            source = self.script("""
#include <memlens.h>
static memlens_pool pool = MEMLENS_POOL("left");
static char block[10];
%s
int main(void) {
  void* slab = leave();
  memlens_pool_alloc(&pool, block, 10);
  void* volatile counted = malloc(3000);
  free((void*)counted);
  MEMLENS_SLAB(free(slab));
  return 0;
}
""" % left, name)
            subprocess.run([self.need(compiler), "-I", include, source, "-o", program], check=True)
            heaps = self.summary(self.record([program]))["by_allocator"]
            self.assertEqual(heaps["pool left"]["leaked_bytes"], 10)
            self.assertGreaterEqual(heaps["malloc"]["allocated_bytes"], 3000)
            self.assertLess(heaps["malloc"]["allocated_bytes"] % 72_704, 7000)  # libstdc++'s reserve

    def test_pools_from_python_are_those_of_the_header(self):
        environment = dict(os.environ, PYTHONPATH=os.path.join(SOURCE, "python"))
        script = self.script(PYTHON_POOLS, "pooled.py")
        for options in ((), ("--native",), ("--no-python-allocators",)):
            capture = self.record(["python3", script], *options, env=environment)
            said = json.loads(self.recording.stdout)
            heap = self.summary(capture)["by_allocator"][said.pop("name")]
            self.assertEqual({member: heap[member] for member in said}, said)
            heaps = self.summary(capture)["by_allocator"]
            self.assertEqual(heaps["pool a name that is longer than what a pool's may be, by"]
                             ["leaked_bytes"], 5)
        # A block's stack ends in who told of it, and not in this package.
        leaks = self.stacks("leaks", capture, "--no-native")["stacks"]
        cut = [stack for stack in leaks if functions(stack)[:2] == ["cut", "use"]
               and stack["frames"][0].get("source", "").startswith("pool.alloc(")]
        self.assertEqual(sum(stack["blocks"] for stack in cut), 149)
        # Nothing, where nothing records: also with the library in the process.
        alone = subprocess.run(["python3", "-X", "dev", "-W", "error", script], env=environment,
                               stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(json.loads(alone.stdout)["allocations"], 212)
        self.script("""
import memlens
pool = memlens.Pool("late")
pool.alloc(0x1000, 10)
for number in range(2):
    with memlens.Tracker("late-%d.mlens" % number):
        pool.alloc(0x2000, 30)
    pool.alloc(0x3000, 20)
""", "late.py")
        subprocess.run(["python3", "late.py"], cwd=self.directory, check=True,
                       env={**environment, "MEMLENS_PROGRAM": MEMLENS})
        for number in range(2):
            heap = self.summary(os.path.join(self.directory, "late-%d.mlens" % number))["by_allocator"]
            self.assertEqual(heap["pool late"]["allocated_bytes"], 30)

    def test_a_library_that_is_opened_later_has_pools(self):
        compiler = self.need("gcc")
        flags = [compiler, "-I", os.path.join(SOURCE, "include")]
        library = os.path.join(self.directory, "libpool.so")
        subprocess.run([*flags, "-shared", "-fPIC", self.script("""
#include <memlens.h>
static memlens_pool pool = MEMLENS_POOL("of a library");
void use(void) { memlens_pool_alloc(&pool, &pool, 12); }
""", "pool.c"), "-o", library], check=True)
        program = os.path.join(self.directory, "opens")
        subprocess.run([*flags, self.script("""
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char** argv) {
  for (int i = 0; i < 3; ++i) {
    void* library = dlopen(argv[1], RTLD_NOW);
    for (int j = 0; j < 100; ++j) free(malloc(100));
    ((void (*)(void))dlsym(library, "use"))();
    dlclose(library);
  }
  return 0;
}
""", "opens.c"), "-o", program, "-ldl"], check=True)
        heaps = self.summary(self.record([program, library]))["by_allocator"]
        self.assertEqual(heaps["pool of a library"]["allocated_bytes"], 36)

    def test_a_program_without_a_word_of_memlens_pays_a_load_and_a_branch(self):
        compiler = self.need("gcc")
        source = self.script("""
#include <memlens.h>
void report(memlens_pool* pool, void* block) { memlens_pool_free(pool, block); }
""", "hot.c")
        self.need("objdump")
        built = os.path.join(self.directory, "hot.o")
        subprocess.run([compiler, "-O2", "-fcf-protection=none", "-I", os.path.join(SOURCE, "include"),
                        "-c", source, "-o", built], check=True)
        listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", built],
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
        body = listing[listing.index("<report>:"):]
        instructions = [line.split("\t")[1].split()[0] for line in body.splitlines()[1:6] if "\t" in line]
        self.assertEqual([i for i in instructions[:4]], ["mov", "test", "jne", "ret"], body)


if __name__ == "__main__":
    main()
