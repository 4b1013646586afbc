"""Ranges of time on pages of real captures, against the records of `dump`."""

import re

import capture_testing
from capture_testing import CapturePageTest
from memlens_testing import VIEWS


class AgainstDump(CapturePageTest):
    """Ranges, worked out here from the file's records by plain code."""

    def events(self, capture):
        lines = self.memlens("dump", capture).stdout.splitlines()
        sequences, events, times = {}, [], []
        for position, line in enumerate(lines):
            offset, owner, kind, *fields = line.split(" ")
            values = dict(field.split("=", 1) for field in fields if "=" in field)
            if kind == "frame":
                sequences[offset] = int(values["sequence"])
            elif kind == "time":
                times.append((int(values["ticks"]), float(values["seconds"])))
            elif kind == "process_end":
                end_ticks = int(re.search(r'ticks\\":(\d+)', line).group(1))
            elif kind in ("allocate", "free", "map", "unmap", "shutdown"):
                events.append((sequences[offset], position, owner, kind, values))
        self.assertEqual(len({owner for _, _, owner, _, _ in events}), 1, "one thread only")
        (first_ticks, first), (last_ticks, last) = min(times), max(times)
        rate = (last - first) / (last_ticks - first_ticks)
        end = first + (end_ticks - first_ticks) * rate
        return [event[3:] for event in sorted(events, key=lambda event: event[:2])] + [
            ("process_end", {"seconds": end})]

    def temporary(self, events, start, end):
        """Bytes of blocks allocated inside and freed before the thread's next allocation."""
        newest = None
        total = 0
        for kind, values in events:
            if kind in ("allocate", "map"):
                seconds = float(values["seconds"])
                inside = seconds >= start and (end is None or seconds < end)
                newest = (values["address"], int(values["bytes"]), inside)
            elif kind == "shutdown":
                newest = None  # what was there before is never counted as freed
            elif newest and kind in ("free", "unmap") and values["address"] == newest[0]:
                total += newest[1] if newest[2] else 0
                newest = None
        return total

    def answers(self, events, start, end):
        """(allocated inside, retained, peak inside) in bytes; `end` None: to the last event."""
        live, born_inside, retained_anyway = {}, set(), 0
        allocated = level = peak = 0
        entered = shut_down = False
        for number, (kind, values) in enumerate(events):
            seconds = float(values["seconds"])
            if not entered and seconds >= start:
                entered, peak = True, level
            if end is not None and seconds >= end:
                break
            if kind == "process_end":
                level = 0
            elif kind == "shutdown":
                shut_down = values["began"] == "1"
            elif kind in ("allocate", "map"):
                size = int(values["bytes"])
                live[values["address"]] = (size, number, shut_down)
                level += size
                if seconds >= start:
                    allocated += size
                    born_inside.add(number)
                if entered:
                    peak = max(peak, level)
            elif values["address"] in live:
                size, birth, born_late = live.pop(values["address"])
                level -= size
                if shut_down and not born_late and birth in born_inside:
                    retained_anyway += size
        if not entered:
            peak = level
        retained = sum(size for size, birth, _ in live.values() if birth in born_inside)
        return allocated, retained + retained_anyway, peak

    def test_any_range_equals_a_replay_of_the_records(self):
        capture = self.record_program()
        events = self.events(capture)
        self.open(self.page(capture))
        buckets = self.run_script("return memlens.capture.bucketCount")
        self.assertGreaterEqual(buckets, 64)
        for first, end in ((0, buckets), (0, buckets // 2), (buckets // 2, buckets),
                           (buckets // 3, buckets // 2), (buckets // 4, buckets // 4 + 1),
                           (buckets - 9, buckets - 2)):
            with self.subTest(first=first, end=end, of=buckets):
                start, stop = self.run_script(
                    "return [...arguments].map((b) => memlens.capture.bucketStartSeconds(b))",
                    first, end)
                span = (start if first > 0 else 0, stop if end < buckets else None)
                allocated, retained, peak = self.answers(events, *span)
                shown = {}
                for view in VIEWS:
                    shown[view] = self.run_script("""
                        memlens.update({ view: arguments[0], range: [arguments[1], arguments[2]] });
                        return memlens.callTree.total(0);""", view, first, end)
                self.assertEqual(shown, {"allocations": allocated, "leaks": retained, "peak": peak,
                                         "temporary": self.temporary(events, *span)})


if __name__ == "__main__":
    capture_testing.main()
