"""Allocates from more than a thousand different stacks and writes down what each of them is.

    stacks_program.py EXPECTED [SEED]

Every allocation has a size of its own, which names it: block n has BASE + 16 n bytes, or one byte
more where Python adds a terminator. EXPECTED gets one JSON line a block:
    [n, [[file, line, function], ...]]        innermost frame first
The functions are qualified names from 3.11 on, plain names before, as the interpreter has them.
Each stack is compared with traceback.extract_stack() when it is written.
"""
import asyncio
import contextlib
import ctypes
import functools
import gc
import itertools
import json
import os
import random
import sys
import threading
import traceback

BASE = 700_000
# From 3.15 on the bytes of a bytearray are those of a bytes object, with its header.
BYTEARRAY_HEADER = sys.getsizeof(b"") if sys.version_info >= (3, 15) else 0
expected_fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
counter = itertools.count()
next_id = counter.__next__  # one C call: no lock needed


def size_of(block):
    return BASE + 16 * block


def write_expected(block, frame, write=os.write, dumps=json.dumps, fd=expected_fd,
                   qualified=sys.version_info >= (3, 11), extract=traceback.extract_stack,
                   finalizing=sys.is_finalizing):
    """Everything it needs is in its defaults: at shutdown the module's globals are gone. So may be
    those of traceback and json, in free-threaded builds."""
    stack = []
    plain = []
    outer = frame
    while outer is not None:
        code = outer.f_code
        name = code.co_qualname if qualified else code.co_name
        stack.append([code.co_filename, outer.f_lineno, name])
        plain.append((code.co_filename, outer.f_lineno, code.co_name))
        outer = outer.f_back
    try:
        seen = [(s.filename, s.lineno, s.name) for s in reversed(extract(frame))]
        text = dumps([block, stack])
    except AttributeError:
        if not finalizing():
            raise
        seen = plain
        text = repr([block, stack]).replace("'", '"')
    if seen != plain:
        write(2, b"extract_stack disagrees with the frames\n")
        return
    write(fd, (text + "\n").encode())


def allocate(here=sys._getframe, expect=write_expected, fresh=next_id,
             base=BASE - BYTEARRAY_HEADER, make=bytearray):
    # One line, so that both calls are made from it. The lambda's own frame is not the allocator's.
    n = fresh(); return expect(n, here(0)), make(base + 16 * n)


# ---- C code that allocates with the GIL held, and with the GIL released
holding = ctypes.PyDLL(None)
releasing = ctypes.CDLL(None)
for library in (holding, releasing):
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.free.restype = None


def malloc_holding_the_gil():
    n = next_id(); write_expected(n, sys._getframe(0)); p = holding.malloc(size_of(n))
    holding.free(p)


def malloc_releasing_the_gil():
    n = next_id(); write_expected(n, sys._getframe(0)); p = releasing.malloc(size_of(n))
    releasing.free(p)


# ---- plain calls
def recurse(depth, leaf=allocate):
    return leaf() if depth == 0 else recurse(depth - 1, leaf)


def mutual(depth):
    if depth == 0:
        return allocate()
    return mutual_partner(depth)


def mutual_partner(depth):
    return (
        mutual(
            depth - 1))


in_lambda = lambda: allocate()  # noqa: E731


def with_cell_variables(depth):
    kept = [depth]

    def inner():
        kept.append(allocate())
        return kept

    return inner()


class Everything:
    in_class_body = allocate()

    def __init__(self):
        self.block = allocate()

    def method(self):
        return allocate()

    @property
    def attribute(self):
        return allocate()

    @staticmethod
    def static():
        return allocate()

    @classmethod
    def of_class(cls):
        return allocate()

    def __getattr__(self, name):
        return allocate()

    def __getitem__(self, key):
        return allocate()

    def __call__(self, *arguments, **named):
        return allocate()

    def __enter__(self):
        allocate()
        return self

    def __exit__(self, *exception):
        allocate()

    def __del__(self):
        allocate()

    class Nested:
        in_nested_class_body = allocate()


def calls_of_every_kind():
    thing = Everything()
    thing.method()
    thing.attribute
    Everything.static()
    Everything.of_class()
    thing.missing
    thing[1]
    thing(1, *(2, 3), **{"four": 4})
    with thing:
        allocate()
    functools.partial(allocate)()
    in_lambda()
    with_cell_variables(3)
    del thing


# ---- generators, coroutines, comprehensions
def numbers(count):
    for _ in range(count):
        yield allocate()


def delegating(count):
    yield allocate()
    yield from numbers(count)
    yield (
        count,
        allocate(),
    )


def resumed_from_two_places():
    def first(it):
        return next(it)

    def second(it):
        return (
            next(it))

    shared = delegating(6)
    for step in range(7):
        (first if step % 2 else second)(shared)
    shared.close()


def closed_while_suspended():
    def body():
        try:
            yield allocate()
        finally:
            allocate()

    it = body()
    next(it)
    it.close()
    it = body()
    next(it)
    del it
    it = body()
    next(it)
    with contextlib.suppress(ValueError):
        it.throw(ValueError("thrown in"))


def comprehensions():
    [allocate() for _ in range(2)]
    {i: allocate() for i in range(2)}
    {len(allocate()) for _ in range(2)}
    list(allocate() for _ in range(2))
    [[allocate() for _ in range(2)] for _ in range(2)]
    list(delegating(2))


async def coroutine(depth):
    if depth:
        return await coroutine(depth - 1)
    allocate()
    await asyncio.sleep(0)
    return allocate()


async def async_generator():
    for _ in range(2):
        yield allocate()
        await asyncio.sleep(0)


async def asynchronous():
    await asyncio.gather(coroutine(1), coroutine(3), coroutine(6))
    async for _ in async_generator():
        allocate()
    [allocate() async for _ in async_generator()]
    task = asyncio.ensure_future(coroutine(2))
    await task


# ---- callbacks from C
@functools.total_ordering
class Compared:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        allocate()
        return self.value < other.value

    def __eq__(self, other):
        allocate()
        return self.value == other.value

    def __hash__(self):
        allocate()
        return 1


def callbacks_from_c():
    list(map(lambda _: allocate(), [1, 2]))
    sorted([3, 1, 2], key=lambda value: len(allocate()) + value)
    sorted([Compared(3), Compared(1), Compared(2)])
    functools.reduce(lambda _, __: allocate(), [1, 2, 3])
    max([1, 2], key=lambda value: (allocate(), value)[1])
    {Compared(1): 1, Compared(2): 2}
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(
        lambda a, b: (allocate(), 0)[1])
    array = (ctypes.c_int * 3)(3, 1, 2)
    for library in (holding, releasing):
        library.qsort.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, type(callback)]
        library.qsort(array, 3, ctypes.sizeof(ctypes.c_int), callback)
    class Meta(type):
        def __new__(mcs, name, bases, namespace):
            allocate()
            return super().__new__(mcs, name, bases, namespace)

    class WithMeta(metaclass=Meta):
        allocate()


# ---- lines
def lines_of_every_kind():
    allocated = [
        1,
        allocate(),
        [allocate()
         for _ in (1,)],
        (lambda: (
            allocate()))(),
    ]
    try:
        raise ValueError(allocate())
    except ValueError:
        allocate()
    finally:
        allocate()
    with open(os.devnull):
        allocate()
    for _ in range(3): allocate()
    if allocated and \
            allocate():
        pass
    while allocate() and False:
        pass
    assert allocate()
    f"{allocate() and 1} {len(allocate())}"
    return allocate()


def compiled_code():
    source = "def function():\n\n  return allocate()\nfunction()\n"
    for name in ("<plain>", "", "dir/with space.py", "ex\u00e9cut\u00e9.py", "\u4e2d\u6587.py",
                 "emoji\U0001f600.py", "tab\there", "quote\"'\\.py", "x" * 900, "line\nbreak.py"):
        exec(compile(source, name, "exec"), {"allocate": allocate})
    eval("allocate()", {"allocate": allocate})
    eval("[allocate() for _ in (1, 2)]", {"allocate": allocate})

    class Name(str):
        pass

    exec(compile(source, Name("subclass of str"), "exec"), {"allocate": allocate})
    # Long jumps, long lines, long tables: extended arguments and entries.
    long = ("def long_function():\n"
            + "".join("  v%d = %d\n" % (i, i + 1000) for i in range(700))
            + "  allocate()\n" + "\n" * 400 + "  allocate()\n"
            + "".join("  v%d = (v%d +\n\n v%d)\n" % (i, i, i) for i in range(300))
            + "  allocate(); " + "v1 = v2; " * 200 + "allocate()\n"
            + "  for i in range(2):\n" + "".join("    v%d = v1\n" % i for i in range(300))
            + "    allocate()\nlong_function()\n")
    exec(compile(long, "long.py", "exec"), {"allocate": allocate})
    # A negative line step, from a call's arguments standing after its name.
    exec(compile("def f(*a): return allocate()\n\n\n\nf(\n  f(),\n  f(\n\n   f()))\n", "steps.py",
                 "exec"), {"allocate": allocate})


def same_address_again():
    """Code objects freed and made again at the same address must not inherit names or lines."""
    for i in range(40):
        exec(compile("\n" * i + "allocate()", "evaluated-%d.py" % (i % 7), "exec"),
             {"allocate": allocate})
        make = eval("lambda: allocate()", {"allocate": allocate})
        make()


# ---- many stacks at random
def random_call(depth):
    return random_stack(depth - 1)


def random_map(depth):
    return list(map(random_stack, [depth - 1]))


def random_comprehension(depth):
    return [random_stack(depth - 1) for _ in (1,)]


def random_generator(depth):
    return next(random_stack(depth - 1) for _ in (1,))


def random_gil(depth):
    malloc_releasing_the_gil()
    return random_stack(depth - 1)


class RandomMethod:
    def go(self, depth):
        return random_stack(depth - 1)


def random_method(depth):
    return RandomMethod().go(depth)


def random_stack(depth):
    if depth <= 0:
        return random.choice((allocate, malloc_holding_the_gil, malloc_releasing_the_gil))()
    if depth % 7 == 0:
        allocate()
    return random.choice((random_call, random_map, random_comprehension, random_generator,
                          random_gil, random_method))(depth)


# ---- threads
releasing.pthread_create.argtypes = [ctypes.c_void_p] * 4
releasing.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]


def run_native_thread(function, argument):
    thread = ctypes.c_ulong()
    releasing.pthread_create(ctypes.addressof(thread), None, function, argument)
    releasing.pthread_join(thread, None)


def threads():
    stop = []

    def spin(depth):
        return depth if depth == 0 else spin(depth - 1)

    def keep_the_gil_busy():
        while not stop:
            spin(20)

    def work():
        for i in range(30):
            malloc_releasing_the_gil()
            allocate()
            recurse(i % 10, malloc_releasing_the_gil)

    busy = [threading.Thread(target=keep_the_gil_busy) for _ in range(2)]
    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in busy + workers:
        thread.start()
    # Threads that Python has never heard of, while others hold the GIL.
    for _ in range(5):
        n = next_id()
        os.write(expected_fd, (json.dumps([n, []]) + "\n").encode())
        run_native_thread(ctypes.cast(releasing.malloc, ctypes.c_void_p), size_of(n))
    for thread in workers:
        thread.join()
    stop.append(True)
    for thread in busy:
        thread.join()
    # One that calls back into Python.
    callback = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: (recurse(3), None)[1])
    run_native_thread(ctypes.cast(callback, ctypes.c_void_p), None)


def sub_interpreters():
    interpreters = None
    for name in ("_interpreters", "_xxsubinterpreters"):
        with contextlib.suppress(ImportError):
            interpreters = __import__(name)
            break
    if interpreters is None:
        return
    n = next_id()
    source = """
import os, sys
def function():
    write(sys._getframe(0)); return bytearray(%d)
def write(frame):
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append([code.co_filename, frame.f_lineno,
                      code.co_qualname if sys.version_info >= (3, 11) else code.co_name])
        frame = frame.f_back
    os.write(%d, ('[%d, %%s]\\n' %% repr(stack).replace("'", '"')).encode())
function()
""" % (size_of(n) - BYTEARRAY_HEADER, expected_fd, n)
    interpreter = interpreters.create()
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    run(interpreter, source)
    interpreters.destroy(interpreter)
    allocate()


class Cycle:
    def __init__(self):
        self.me = self

    def __del__(self, allocate=allocate):
        allocate()


def collected():
    for _ in range(3):
        Cycle()
        gc.collect()
    Everything()  # dropped at once
    things = [Everything() for _ in range(3)]
    things.clear()


class UntilShutdown:
    """Freed while the interpreter shuts down; allocates then."""

    def __init__(self, name):
        self.name = name

    def __del__(self, allocate=allocate):
        allocate()

        def deeper():
            return [allocate() for _ in (1,)]

        deeper()


def main():
    random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    allocate()
    for depth in (0, 1, 40, 150, 600, 39):
        recurse(depth)
        recurse(depth, malloc_releasing_the_gil)
    mutual(20)
    for _ in range(2):  # the second time with code warmed up and specialised
        calls_of_every_kind()
        comprehensions()
        callbacks_from_c()
        lines_of_every_kind()
        resumed_from_two_places()
        closed_while_suspended()
    asyncio.run(asynchronous())
    compiled_code()
    same_address_again()
    for _ in range(300):
        random_stack(random.randrange(25))
    threads()
    sub_interpreters()
    collected()


main()
for repeat in range(60):  # hot loops: what is specialised or traced by now
    allocate()
    in_lambda()
    [allocate() for _ in (1,)]
at_shutdown = UntilShutdown("global")
at_shutdown_in_a_cycle = Cycle()
