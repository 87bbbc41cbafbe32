# SPDX-License-Identifier: GPL-2.0
# Thin: every command is a script below tools/. Kbuild reads the file Kbuild, not this one.

# The kernel series whose newest patch version in Debian's backports everything runs on.
KERNEL_SERIES ?= 7.3
export KERNEL_SERIES

# The kernel to build for; empty: the prepared stock tree. For one's own: KDIR=/lib/modules/$(uname -r)/build
KDIR ?=
export KDIR

# Where the trixie root, the kernels and cargo's files lie; empty: ~/.cache/wireguard-rust
ifdef WG_CACHE
export WG_CACHE
endif

ifeq ($(KDIR),)
setup := setup
endif

all: $(setup) ## build wireguard.ko (KDIR=… for a kernel of your own)
	@tools/build.sh modules

run: ## set up what is missing, build, and show a tunnel at work in a virtual machine
	@tools/run.sh

test: ## static checks, host tests, fuzzing, selftests in virtual machines (ALSO="part …": see tools/test.sh)
	@tools/test.sh $(ALSO)

test-all: ## these, and what takes long: other programs, topologies, installing, comparison with the C driver
	@tools/test.sh all

check: setup ## static checks only
	@tools/check.sh

test-host: setup ## tests of the protocol core on the host only
	@tools/test-host.sh

test-vm: setup ## selftests only; TEST=name (or several) for these
	@tools/test-vm.sh $(TEST)

test-diff: setup ## the same netlink requests to ours and to the C driver (SEED=… COUNT=…)
	@tools/diff/run

test-planted: setup ## faults planted in a copy of the driver, which the tests must find (CASE="name …")
	@tools/test-planted.sh $(CASE)

test-paths: setup ## the paths that packets take, ours beside the C driver (PATHS="name …", MODE=smp4)
	@tools/test-paths.sh $(PATHS)

test-upstream: setup ## the selftest of the kernel source, netns.sh
	@tools/test-vm.sh upstream

test-two-vms: setup ## our module in one virtual machine, the C module in another one
	@tools/test-two-vms.sh

test-install: setup ## installing, DKMS over a kernel upgrade, the package, Secure Boot: in virtual machines (PART="plain secureboot dkms deb intree")
	@tools/test-install.sh $(PART)

install: ## install wireguard.ko for one kernel (KDIR, DESTDIR, SIGN_KEY and SIGN_CERT)
	@tools/install.sh install

uninstall: ## take it out again: the C module is back
	@tools/install.sh uninstall

dkms-install: ## install by DKMS, for every installed kernel and those to come
	@tools/dkms/install.sh install

dkms-remove: ## take it out of DKMS again: the C module is back
	@tools/dkms/install.sh remove

deb: setup ## a Debian package for DKMS: out/deb/wireguard-rust-dkms_VERSION_all.deb
	@tools/deb/build.sh

which: ## say which implementation is loaded, and which one modprobe takes
	@tools/which.sh

test-debug: setup ## selftests on kernels built for debugging (memory, locks, faults); PART=um or x86
	@tools/test-debug.sh $(PART)

bench: setup ## speed beside the C module's in instruction-counted time, or with CLOCK=cpu in CPU time (QUICK=1: only the core; CASE="word …")
	@tools/bench/$(if $(filter cpu,$(CLOCK)),clock,run) $(if $(QUICK),quick) $(CASE)

profile: setup ## instructions per packet by what they are for, ours and the C module's side by side
	@tools/profile/run

shell: setup ## a virtual machine with the module loaded, to try things in
	@tools/shell.sh

doc: setup ## API documentation of the crates, in doc/
	@tools/doc.sh

rust-analyzer: setup ## rust-project.json for editors
	@tools/rust-analyzer.sh

setup: ## trixie root and prepared kernel only
	@tools/setup.sh

update: ## ask the Debian archive for a newer kernel now (otherwise once a day)
	@tools/setup.sh --update

clean: ## remove what was built here (the cache stays)
	@tools/clean.sh

distclean: ## remove the cache too
	@tools/clean.sh --cache

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: all run test test-all check test-host test-vm test-diff test-planted test-paths test-upstream test-two-vms test-install test-debug bench install uninstall \
	dkms-install dkms-remove deb which shell doc rust-analyzer setup update clean distclean help
