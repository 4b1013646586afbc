"""The line a report names is the program's own, whatever language it is written in."""
import os
import subprocess
import sys
import textwrap

from memlens_testing import MemlensTest, main

RUST = """
#[inline(never)]
fn build(count: usize) -> Vec<Vec<u8>> { (0..count).map(|i| vec![i as u8; 100]).collect() }
fn main() { let rows = build(20000); println!("{}", rows.len()); std::mem::forget(rows); }
"""

CPP = """
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>
static std::vector<std::string> rows;
static std::map<int, std::shared_ptr<std::string>> by_number;
__attribute__((noinline)) void load(int n) {
  for (int i = 0; i < n; i++) rows.push_back(std::string(200, 'x'));
}
__attribute__((noinline)) void index_rows(int n) {
  for (int i = 0; i < n; i++) by_number.emplace(i, std::make_shared<std::string>(300, 'y'));
}
int main() {
  load(20000);
  std::function<void()> later = [] { index_rows(10000); };
  later();
  _exit(0);
}
"""

GO = """
package main
/*
#include <stdlib.h>
static void *keep(size_t n) { return malloc(n); }
*/
import "C"
func main() {
	for i := 0; i < 100; i++ {
		C.keep(1000000)
	}
}
"""

JAVA = """
public class Keep {
  public static void main(String[] arguments) {
    java.nio.ByteBuffer[] kept = new java.nio.ByteBuffer[20];
    for (int i = 0; i < kept.length; i++) kept[i] = java.nio.ByteBuffer.allocateDirect(1000000);
    System.out.println(kept.length);
    Runtime.getRuntime().halt(0);
  }
}
"""

PACKAGE = """
def read(count):
    return [bytearray(1000) for _ in range(count)]
"""

SCRIPT = """
import json
import installed
rows = installed.read(5000)
text = json.loads('[' + ','.join(['"' + 'x' * 1000 + '"'] * 3000) + ']')
"""


class OwnCode(MemlensTest):
    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def build(self, *command):
        environment = dict(os.environ, GOCACHE=os.path.join(self.directory, "cache"),
                           GOFLAGS="-mod=mod", GO111MODULE="off")
        subprocess.run(command, cwd=self.directory, check=True, env=environment,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def places(self, capture, view="leaks", *options):
        """The lines of one view of the summary, the heaviest first."""
        return self.summary(capture, "-n", 0, *options)["top_locations"][view]

    def assert_covers(self, places, functions, share=0.9):
        """Lines of these functions hold nearly everything."""
        own = sum(p["bytes"] for p in places
                  if any(name in p["function"] for name in functions))
        whole = sum(p["bytes"] for p in places)
        self.assertGreater(own, share * whole, places[:5])

    def test_rust_is_not_its_standard_library(self):
        rustc = self.need("rustc")
        self.write("rows.rs", RUST)
        for name, options in (("debug", ["-g"]), ("plain", []), ("slow", ["-g", "-Copt-level=0"])):
            with self.subTest(name):
                self.build(rustc, "-Copt-level=2", *options, "rows.rs", "-o", name)
                places = self.places(self.record([os.path.join(self.directory, name)]))
                self.assert_covers(places, ["build"])
                if "-g" in options:
                    self.assertTrue(places[0]["file"].endswith("rows.rs"), places[0])

    def test_cpp_is_not_its_containers(self):
        for compiler, options in (("g++", []), ("clang++", ["-stdlib=libc++"])):
            with self.subTest(compiler):
                path = self.need(compiler)
                self.write("rows.cpp", CPP)
                for level in ("-O0", "-O2"):
                    try:
                        self.build(path, "-g", level, *options, "rows.cpp", "-o", "rows")
                    except subprocess.CalledProcessError as error:
                        if options and b"not found" in error.stdout:
                            self.skipTest("libc++ is not installed")
                        raise
                    places = self.places(self.record([os.path.join(self.directory, "rows")]))
                    self.assert_covers(places, ["load", "index_rows", "main"])
                    self.assertTrue(places[0]["file"].endswith("rows.cpp"), places[0])

    def test_go_names_the_c_code_it_calls(self):
        go = self.need("go")
        self.write("app/keep.go", GO)
        self.build(go, "build", "-o", "keep", "./app")
        places = self.places(self.record([os.path.join(self.directory, "keep")]))
        self.assertEqual(next(p["function"] for p in places if p["bytes"] == 100_000_000), "keep")

    def test_an_installed_program_is_more_than_its_executable(self):
        clang = self.need("clang")
        source = self.write("a.cpp", "#include <vector>\n#include <map>\n#include <string>\n"
                                     "std::map<int, std::vector<std::string>> f() { return {}; }\n")
        capture = self.record([clang, "-O2", "-c", "-o", "/dev/null", source])
        peak = self.places(capture, "peak")
        whole = sum(p["bytes"] for p in peak)
        held = sum(p["bytes"] for p in peak if p["function"].startswith(("cc1_main", "main")))
        self.assertLess(held, 0.5 * whole, peak[:4])

    def test_an_interpreter_of_another_language_is_no_end_of_it(self):
        """Where there is nothing else, the interpreter's functions are named, not libc's."""
        node = self.need("node")
        capture = self.record([node, "-e", "const kept = [];"
                               "for (let i = 0; i < 20; i++) kept.push(Buffer.alloc(1000000, 1));"
                               "process.reallyExit(0)"])
        self.assertNotIn(self.places(capture, "peak")[0]["function"], ("malloc", "calloc", "start_thread"))

    def test_java_is_recorded_as_what_its_machine_asks_for(self):
        java, javac = self.need("java", "javac")
        self.write("Keep.java", JAVA)
        self.build(javac, "Keep.java")
        capture = self.record([java, "-Xint", "-cp", self.directory, "Keep"])
        place = self.places(capture, "peak")[0]
        self.assertNotIn(place["function"], ("malloc", "mmap", "os::malloc", "start_thread"))


class PythonCode(MemlensTest):
    def record_script(self):
        python = sys.executable
        folder = os.path.join(self.directory, "lib", "python3.99", "site-packages", "installed")
        os.makedirs(folder)
        for name, text in ((os.path.join(folder, "__init__.py"), PACKAGE),
                           (os.path.join(self.directory, "app.py"), SCRIPT)):
            with open(name, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))
        return self.record([python, "app.py"], "--no-native", cwd=self.directory,
                           env={**os.environ, "PYTHONPATH": os.path.dirname(folder)})

    def first(self, capture, *options):
        place = self.summary(capture, *options)["top_locations"]["leaks"][0]
        return os.path.basename(place["file"]), place["line"]

    def test_the_project_comes_before_packages_and_those_before_the_standard_library(self):
        capture = self.record_script()
        self.assertEqual(self.first(capture), ("app.py", 4))
        self.assertEqual(self.first(capture, "--own", "packages"), ("__init__.py", 3))
        self.assertEqual(self.first(capture, "--project", self.directory), ("app.py", 4))
        package = os.path.join(self.directory, "lib", "python3.99", "site-packages", "installed")
        self.assertEqual(self.first(capture, "--project", package), ("__init__.py", 3))
        lines = {(os.path.basename(p["file"]), p["line"])
                 for p in self.summary(capture, "-n", 0)["top_locations"]["leaks"]}
        self.assertIn(("app.py", 5), lines)  # what json made
        self.memlens("summary", capture, "--own", "mine", code=2)

    def test_what_pth_files_import_is_start_up(self):
        """Whatever a .pth file of site-packages imports is not the program's."""
        venv = os.path.join(self.directory, "venv")
        made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here")
        python = os.path.join(venv, "bin", "python3")
        packages = subprocess.run([python, "-c", "import site; print(site.getsitepackages()[0])"],
                                  stdout=subprocess.PIPE, text=True).stdout.strip()
        with open(os.path.join(packages, "early.py"), "w", encoding="utf-8") as file:
            file.write("kept = [bytearray(1000) for _ in range(9000)]\n")
        with open(os.path.join(packages, "early.pth"), "w", encoding="utf-8") as file:
            file.write("import early\n")
        script = self.script("rows = [bytearray(1000) for _ in range(100)]\n")
        place = self.summary(self.record([python, script], "--no-native"))["top_locations"]["leaks"][0]
        self.assertGreater(place["bytes"], 9_000_000)
        self.assertTrue(place["file"].endswith(("site.py", "<frozen site>")), place)


if __name__ == "__main__":
    main()
