# expect: leak emit
import logging, time
class Keeper(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
    def emit(self, record):
        self.lines.append(record.getMessage() * 50)
log = logging.getLogger("app")
log.addHandler(Keeper())
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    log.warning("request %d was served", number)
    number += 1
    time.sleep(0.003)
