# expect: leak serve|answer
import asyncio
sessions = {}
async def answer(number):
    sessions[number] = {"buffer": bytearray(8000), "number": number}
    await asyncio.sleep(0)
async def serve():
    loop = asyncio.get_running_loop()
    end, number = loop.time() + 1.6, 0
    while loop.time() < end:
        await answer(number)
        number += 1
        await asyncio.sleep(0.003)
asyncio.run(serve())
