"""An asyncio server on the loopback interface, and its clients: lines of JSON, answered one by one."""
import asyncio
import json

CLIENTS, REQUESTS = 20, 300


async def answer(reader, writer):
    while line := await reader.readline():
        request = json.loads(line)
        rows = [{"id": i, "name": f"row {i}"} for i in range(request["rows"])]
        writer.write(json.dumps({"rows": rows}).encode() + b"\n")
        await writer.drain()
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    count = 0
    for number in range(REQUESTS):
        writer.write(json.dumps({"rows": number % 40}).encode() + b"\n")
        count += len(json.loads(await reader.readline())["rows"])
    writer.close()
    return count


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sum(await asyncio.gather(*(client(port) for _ in range(CLIENTS)))))
    server.close()


asyncio.run(main())
