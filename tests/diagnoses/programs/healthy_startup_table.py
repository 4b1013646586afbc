# expect: healthy
import time
def load():
    return {i: str(i) * 20 for i in range(50_000)}
def main():
    table = load()
    time.sleep(1.2)
    return len(table)
main()
