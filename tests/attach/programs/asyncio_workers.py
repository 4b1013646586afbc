"""An event loop that serves itself while worker threads allocate. Any exception ends it with 1."""
import asyncio
import json
import os
import sys
import threading


def worker():
    n = 0
    while True:
        n += 1
        data = [{"n": i, "text": "x" * (i % 700)} for i in range(50)]
        assert len(json.loads(json.dumps(data))) == 50
        code = compile(f"a = {n % 100}", "generated", "exec")
        names = {}
        exec(code, names)
        assert names["a"] == n % 100


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(b"hello %s\n" % os.urandom(8).hex().encode())
        answer = await reader.readline()
        assert answer.startswith(b"HELLO"), answer
        await asyncio.sleep(0.001)


async def run():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print("ready", flush=True)
    await asyncio.gather(*(client(port) for _ in range(4)))


def fail(kind, value, *_):
    sys.__excepthook__(kind, value, None)
    os._exit(1)


threading.excepthook = lambda args: fail(args.exc_type, args.exc_value)
sys.excepthook = fail
for _ in range(2):
    threading.Thread(target=worker, daemon=True).start()
asyncio.run(run())
