"""Allocates in asyncio tasks of every kind, and writes down whose each block is.

    tasks_program.py EXPECTED.jsonl

A line a block: [number, task or null, frames out to the task or to the whole stack's end], where a
task is [name or null, coroutine function] and block NUMBER has BASE + 16 * NUMBER bytes.
"""
import asyncio
import json
import sys
import threading

BASE = 900_000
FUNCTION_NAMED = sys.version_info >= (3, 11)
EAGER = sys.version_info >= (3, 12)

lock = threading.Lock()
count = 0
expected = []
kept = []
HEADER = sys.getsizeof(b"")


def name_of(code):
    return code.co_qualname if FUNCTION_NAMED else code.co_name


def current():
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None


def allocate():
    global count
    with lock:
        number = count
        count += 1
    task = current()
    described = None
    outermost = None
    if task is not None:
        coroutine = task.get_coro()
        name = task.get_name()
        default = name.startswith("Task-") and name[5:].isdigit()
        described = [None if default else name, name_of(coroutine.cr_code)]
        outermost = coroutine.cr_frame
    frame = sys._getframe()
    frames = []
    while frame is not None:
        frames.append(name_of(frame.f_code))
        if frame is outermost:
            break
        frame = frame.f_back
    del frame, outermost
    # Nothing is allocated between this and the block.
    size = BASE + 16 * number - HEADER
    block = bytes(size)
    with lock:
        expected.append([number, described, frames])
        kept.append(block)


async def leaf():
    allocate()
    await asyncio.sleep(0)
    allocate()


async def middle():
    allocate()
    await leaf()
    allocate()


async def worker(times):
    for _ in range(times):
        allocate()
        await middle()
        kept.append(bytes(100))


async def generator(times):
    for i in range(times):
        allocate()
        yield i
        await asyncio.sleep(0)
        allocate()


async def reader():
    async for _ in generator(4):
        allocate()
    allocate()


def plain_generator():
    for i in range(3):
        allocate()
        yield i


async def with_plain_generator():
    for _ in plain_generator():
        await asyncio.sleep(0)
        allocate()


async def renames_itself():
    allocate()
    task = asyncio.current_task()
    task.set_name("first name")
    allocate()
    allocate()
    task.set_name("second name")
    allocate()
    await asyncio.sleep(0)
    allocate()
    task.set_name("Task-7")  # as if nobody had given one
    allocate()


async def waits_for_a_future(future):
    allocate()
    allocate_in_result = await future
    allocate()
    assert allocate_in_result == 5


async def one_after_the_other():
    # Tasks, coroutines and names that take each other's places in memory.
    for i in range(30):
        await asyncio.get_running_loop().create_task(leaf(), name=None if i % 5 == 0 else f"job {i % 7}")
        allocate()


async def cancelled():
    allocate()
    try:
        await asyncio.sleep(100)
    finally:
        allocate()


async def times_out():
    allocate()
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.01)
    except asyncio.TimeoutError:
        allocate()


async def odd_names():
    for name in ("héllo \N{SNOWMAN}", "x" * 100, "Task-", "Task-1a", "Taskforce-1"):
        await asyncio.get_running_loop().create_task(leaf(), name=name)


async def in_a_class_method():
    class Session:
        async def handle(self):
            allocate()
            await leaf()

    await asyncio.gather(*(asyncio.get_running_loop().create_task(Session().handle()) for _ in range(3)))


async def main():
    loop = asyncio.get_running_loop()
    allocate()
    future = loop.create_future()
    waiting = loop.create_task(waits_for_a_future(future))
    named = [loop.create_task(worker(3), name=f"worker {i}") for i in range(3)]
    unnamed = [loop.create_task(worker(2)) for _ in range(3)]
    loop.call_soon(allocate)
    loop.call_later(0.001, allocate)
    other = [loop.create_task(function()) for function in
             (reader, with_plain_generator, renames_itself, one_after_the_other, times_out,
              odd_names, in_a_class_method)]
    victim = loop.create_task(cancelled())
    await asyncio.sleep(0)
    victim.cancel()
    future.set_result(5)
    await asyncio.gather(waiting, *named, *unnamed, *other)
    await asyncio.gather(victim, return_exceptions=True)
    await loop.run_in_executor(None, allocate)
    allocate()


class OwnTask(asyncio.Task):
    pass


async def own_class():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, coroutine, **options: OwnTask(coroutine, loop=loop, **options))
    await asyncio.gather(*(loop.create_task(worker(2), name=f"own {i}") for i in range(3)))
    allocate()


async def eager():
    # Their first step runs where they are made.
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await asyncio.gather(*(asyncio.create_task(worker(2), name=f"eager {i}") for i in range(3)))
    allocate()


def thread():
    asyncio.run(main())


allocate()
asyncio.run(main())
asyncio.run(own_class())
threads = [threading.Thread(target=thread) for _ in range(3)]
for each in threads:
    each.start()
for each in threads:
    each.join()
if EAGER and "eager" in sys.argv[2:]:
    asyncio.run(eager())
allocate()
with open(sys.argv[1], "w", encoding="utf-8") as file:
    for line in expected:
        file.write(json.dumps(line) + "\n")
