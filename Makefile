# The short way in. CMake does the work: see CMakePresets.json for the ways to build.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DEMO_CAPTURE = build/demo.mlens
DEMO_REPORT = demo-report.html

.PHONY: help build demo test install wheel deb bench lint format clean packages packages-test packages-ci

help:
	@echo 'make demo      build, record an example program, write its flame graph to $(DEMO_REPORT)'
	@echo 'make test      build and run every test'
	@echo 'make build     build/bin/memlens and build/lib/libmemlens.so'
	@echo 'make install   into PREFIX=$(PREFIX)'
	@echo 'make wheel     dist/memlens-*.whl, for every Python and glibc 2.17 or newer'
	@echo 'make deb       dist/memlens_*.deb, for Debian 10 and later'
	@echo 'make bench     time recording and reading'
	@echo 'make lint      formatting, linter and house rules, as continuous integration does'
	@echo 'make format    clang-format every source in place'
	@echo 'make clean     remove what the build made'

build: packages
	@cmake --preset release -Wno-dev > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build build -j $(JOBS)

demo: build
	@examples/run_demo.sh build/bin/memlens $(DEMO_CAPTURE) $(DEMO_REPORT)

test: packages-test build
	@ctest --test-dir build --output-on-failure -j $(JOBS)

install: build
	@cmake --install build --prefix $(PREFIX)

wheel: build
	@cmake --build build --target portable memlens_shell
	@python3 python/make_wheel.py build dist

deb: build
	@cmake --build build --target deb_files
	@cpack --config build/CPackConfig.cmake -B dist

bench: build
	@python3 bench/run.py

lint: packages-ci build
	@.ci/lint

format: packages-ci
	@git ls-files '*.h' '*.cpp' '*.c' | xargs clang-format -i

clean:
	@rm -rf build build-dev build-asan build-tidy dist $(DEMO_REPORT)

packages:
	@third_party/install-debian.sh build

packages-test:
	@third_party/install-debian.sh test

packages-ci:
	@third_party/install-debian.sh ci
