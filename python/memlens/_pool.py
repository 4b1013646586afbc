"""memlens.Pool: an allocator of the program's own, as a heap of its own in every report."""
import ctypes
import functools
import struct
import sys

from . import _recording

#: memlens_pool of memlens.h: two words of memlens's, the name.
_LAYOUT = struct.Struct("=QI52s")
_LONGEST_NAME = 51


class Pool:
    """Blocks that the program hands out itself: of an arena, of a device, of a library's slab.

        pool = memlens.Pool("frame arena")
        pool.alloc(address, size)          after the block has been made
        pool.free(address)                 before it is given to somebody else
        pool.resize(address, to, size)     moved or not
        pool.reset()                       all of its blocks are freed, at once

    As memlens_pool of memlens.h, with the same names: blocks are counted with the stack that calls
    these, in a heap "pool NAME". Addresses are numbers and the pool's own: the memory they are cut
    from is counted beside them where memlens sees it allocated. Pools of one name are one heap; of
    a name, the first 51 bytes count. A pool that is deleted is reset. Where nothing records, these
    do nothing.
    """

    def __init__(self, name):
        self.name = str(name)
        text = self.name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
        # Not moved or copied: memlens knows the pool by its address.
        self._memory = ctypes.create_string_buffer(_LAYOUT.pack(0, 0, text.encode("utf-8")),
                                                   _LAYOUT.size)
        self._bind()

    def __repr__(self):
        return "<memlens.Pool %r>" % self.name

    def _bind(self):
        """Puts the library's functions in the place of these methods, so that the stack of a block
        ends in who called them. None: it is not in this process."""
        functions = _recording.pool_functions()
        if functions is not None:
            for name, function in functions.items():
                setattr(self, name, functools.partial(function, self._memory))
        return functions

    def alloc(self, block, bytes):
        if self._bind():
            self.alloc(block, bytes)

    def free(self, block):
        if self._bind():
            self.free(block)

    def resize(self, block, to, bytes):
        if self._bind():
            self.resize(block, to, bytes)

    def reset(self):
        if self._bind():
            self.reset()

    def __del__(self):
        # What is there when the program ends is still allocated.
        if not sys.is_finalizing() and "_memory" in self.__dict__:
            self.reset()
