#include "interposer/exec/exec_target.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

using namespace memlens::interposer;

namespace {

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/memlens-exec-target-XXXXXX";
    path_ = mkdtemp(pattern);
  }
  ~Folder() { [[maybe_unused]] int status = std::system(("rm -rf " + path_).c_str()); }
  std::string write(const std::string& name, const std::string& content, mode_t mode = 0755) {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << content;
    chmod(file.c_str(), mode);
    return file;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An executable of nothing but headers; `loader` empty: static.
std::string elf(unsigned char elf_class, unsigned machine, const std::string& loader) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = elf_class;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = static_cast<Elf64_Half>(machine);
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = loader.empty() ? 1 : 2;
  Elf64_Phdr segments[2]{};
  segments[0].p_type = PT_LOAD;
  segments[1].p_type = PT_INTERP;
  segments[1].p_offset = sizeof header + sizeof segments;
  segments[1].p_filesz = loader.size() + 1;
  std::string file(reinterpret_cast<char*>(&header), sizeof header);
  file.append(reinterpret_cast<char*>(segments), sizeof segments);
  return file + loader + '\0';
}

#if defined(__x86_64__)
constexpr unsigned kOwn = EM_X86_64, kOther = EM_AARCH64;
#else
constexpr unsigned kOwn = EM_AARCH64, kOther = EM_X86_64;
#endif
const std::string kGlibc = "/lib64/ld-linux-x86-64.so.2";

Obstacle inspect(const std::string& path) { return inspect_program(AT_FDCWD, path.c_str()); }

}  // namespace

TEST_CASE("a program with glibc's loader can be recorded") {
  Folder folder;
  CHECK(inspect(folder.write("p", elf(ELFCLASS64, kOwn, kGlibc))) == Obstacle::kNone);
  CHECK(inspect("/proc/self/exe") == Obstacle::kNone);
}

TEST_CASE("other word sizes and processors, other libcs and static programs cannot") {
  Folder folder;
  CHECK(inspect(folder.write("a", elf(ELFCLASS64, kOther, kGlibc))) == Obstacle::kOtherMachine);
  CHECK(inspect(folder.write("b", elf(ELFCLASS32, EM_386, ""))) == Obstacle::kOtherMachine);
  CHECK(inspect(folder.write("c", elf(ELFCLASS64, kOwn, "/lib/ld-musl-x86_64.so.1"))) ==
        Obstacle::kOtherLibc);
  CHECK(inspect(folder.write("d", elf(ELFCLASS64, kOwn, "/system/bin/linker64"))) ==
        Obstacle::kOtherLibc);
  CHECK(inspect(folder.write("e", elf(ELFCLASS64, kOwn, ""))) == Obstacle::kStatic);
}

TEST_CASE("the loader started as a program preloads like any other") {
  CHECK(inspect(kGlibc) == Obstacle::kNone);
}

TEST_CASE("a script is what its last interpreter is") {
  Folder folder;
  const std::string fine = folder.write("fine", elf(ELFCLASS64, kOwn, kGlibc));
  const std::string fixed = folder.write("fixed", elf(ELFCLASS64, kOwn, ""));
  CHECK(inspect(folder.write("s1", "#!" + fine + "\n")) == Obstacle::kNone);
  const std::string script = folder.write("s2", "#! \t" + fixed + " -x\nbody\n");
  CHECK(inspect(script) == Obstacle::kStatic);
  CHECK(inspect(folder.write("s3", "#!" + script + "\n")) == Obstacle::kStatic);
  CHECK(inspect(folder.write("s4", "#!" + fixed)) == Obstacle::kStatic);
}

TEST_CASE("scripts that lead nowhere, or in circles, are left to the kernel") {
  Folder folder;
  CHECK(inspect(folder.write("a", "#!\n")) == Obstacle::kNone);
  CHECK(inspect(folder.write("b", "#!   ")) == Obstacle::kNone);
  CHECK(inspect(folder.write("c", "#!/no/such/interpreter\n")) == Obstacle::kNone);
  CHECK(inspect(folder.write("d", "#!" + folder.path() + "/d\n")) == Obstacle::kNone);
  CHECK(inspect(folder.write("e", "#!" + std::string(1000, 'x') + "\n")) == Obstacle::kNone);
}

TEST_CASE("files that are no programs, damaged or missing are left to the kernel") {
  Folder folder;
  CHECK(inspect(folder.path() + "/missing") == Obstacle::kNone);
  CHECK(inspect(folder.path()) == Obstacle::kNone);
  CHECK(inspect(folder.write("empty", "")) == Obstacle::kNone);
  CHECK(inspect(folder.write("text", "echo hi\n")) == Obstacle::kNone);
  const std::string whole = elf(ELFCLASS64, kOwn, kGlibc);
  for (size_t bytes = sizeof(Elf64_Ehdr); bytes < whole.size(); ++bytes) {
    inspect(folder.write("cut", whole.substr(0, bytes)));
  }
}

TEST_CASE("a program that changes its user is privileged for everyone but that user") {
  Folder folder;
  const std::string file = folder.write("p", elf(ELFCLASS64, kOwn, kGlibc), 04755);
  CHECK(inspect(file) == Obstacle::kNone);  // ours
  if (geteuid() != 0) return;
  REQUIRE(chown(file.c_str(), 12345, 0) == 0);
  chmod(file.c_str(), 04755);
  CHECK(inspect(file) == Obstacle::kPrivileged);
  chmod(file.c_str(), 0755);
  CHECK(inspect(file) == Obstacle::kNone);
  REQUIRE(chown(file.c_str(), 0, 12345) == 0);
  chmod(file.c_str(), 02755);
  CHECK(inspect(file) == Obstacle::kPrivileged);
  chmod(file.c_str(), 02745);  // without group execution it means something else
  CHECK(inspect(file) == Obstacle::kNone);
}

TEST_CASE("programs are found by PATH as execvp finds them") {
  Folder folder;
  folder.write("tool", "x");
  folder.write("data", "x", 0644);
  char buffer[256];
  const std::string search = "/nowhere:" + folder.path() + ":/bin";
  const char* old = getenv("PATH");
  const std::string saved = old == nullptr ? "" : old;
  setenv("PATH", search.c_str(), 1);
  CHECK(find_program("tool", buffer, sizeof buffer) == folder.path() + "/tool");
  CHECK(find_program("data", buffer, sizeof buffer) == nullptr);
  CHECK(find_program("no-such-tool", buffer, sizeof buffer) == nullptr);
  CHECK(std::string(find_program("./tool", buffer, sizeof buffer)) == "./tool");
  CHECK(find_program("tool", buffer, 8) == nullptr);  // does not fit
  unsetenv("PATH");
  CHECK(std::string(find_program("sh", buffer, sizeof buffer)) == "/bin/sh");
  setenv("PATH", saved.c_str(), 1);
}
