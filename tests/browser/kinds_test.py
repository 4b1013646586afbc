"""Which function made a block: every kind there is has its name, and only mappings are shown as such."""

import page_testing
from page_testing import PageTest

MAPS = {"mmap", "mremap", "brk"}


class Kinds(PageTest):
    def test_every_kind_has_its_name_and_only_maps_are_maps(self):
        self.open()
        kinds = self.run_script("""
            const { capture } = memlens;
            const seen = new Map();
            for (let site = 0; site < capture.siteCount; ++site) {
              const kind = capture.siteKind[site];
              const name = capture.allocationKindName(kind);
              const isMap = capture.siteIsKernelMap[site];
              seen.set(`${kind} ${name} ${isMap}`, [kind, name, isMap]);
            }
            return Array.from(seen.values());""")
        names = [name for _, name, _ in sorted(kinds)]
        # One entry a value: none has two names, or is a map on one site and none on another.
        self.assertEqual([kind for kind, _, _ in sorted(kinds)], list(range(len(kinds))))
        self.assertEqual(names[0], "malloc")
        self.assertIn("operator new", names)
        self.assertEqual(names.pop(), "unknown")  # the one that no version knows
        self.assertNotIn("unknown", names)
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual({name for _, name, is_map in kinds if is_map}, MAPS)


if __name__ == "__main__":
    page_testing.main()
