// The program's file.
#pragma once

#include <cstddef>

namespace memlens::interposer {

// Its absolute path, without a NUL; returns the length, 0 when it cannot be told. A link's name
// when that is what was run and says something else than the file's: redis-server, not the
// redis-check-rdb that Debian links it to; but python3.11, not python3. No allocation.
size_t program_path(char* buffer, size_t bytes);

}  // namespace memlens::interposer
