"""redis-server under redis-benchmark: a server that is loaded from outside while it is recorded.

Wall time is the time until the load is served, so it includes redis-benchmark's own.
"""
import os
import shutil
import subprocess
import time

NAME = "redis-server"
REQUESTS = 100_000


def is_there():
    return all(map(shutil.which, ("redis-server", "redis-benchmark", "redis-cli")))


def command(directory):
    return ["redis-server", "--port", "0", "--unixsocket", socket(directory), "--save", "",
            "--appendonly", "no"]


def socket(directory):
    return os.path.join(directory, "redis.socket")


def load(directory):
    """A function that loads the server of `directory` and has it end."""
    address = ["-s", socket(directory)]

    def run(_process):
        while subprocess.run(["redis-cli"] + address + ["ping"], capture_output=True,
                             text=True).stdout.strip() != "PONG":
            time.sleep(0.01)
        subprocess.run(["redis-benchmark"] + address +
                       ["-q", "-n", str(REQUESTS), "-r", "20000", "-d", "100", "-P", "16",
                        "-t", "set,get,lpush,hset"],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["redis-cli"] + address + ["shutdown", "nosave"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)

    return run
