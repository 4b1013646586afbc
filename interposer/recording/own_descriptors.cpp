#include "interposer/recording/own_descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace memlens::recording {

OwnDescriptors::OwnDescriptors() {
  // What is opened next would take their numbers, and our messages would go into it. The program
  // finds them closed, as it would have.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR | O_CLOEXEC);
  }
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    const int fd = atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != dirfd(directory)) open_.push_back(fd);
  }
  closedir(directory);
}

void OwnDescriptors::close_in_this_process() const {
  for (const int fd : open_) close(fd);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  if (null > STDERR_FILENO) close(null);
}

}  // namespace memlens::recording
