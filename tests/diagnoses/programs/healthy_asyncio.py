# expect: healthy
import asyncio
async def echo(reader, writer):
    data = await reader.read(1000)
    while data:
        writer.write(data)
        await writer.drain()
        data = await reader.read(1000)
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(40):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(10):
            writer.write(b"x" * 500)
            await reader.read(500)
        writer.close()
    server.close()
asyncio.run(main())
