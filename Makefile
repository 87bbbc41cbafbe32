# SPDX-License-Identifier: GPL-2.0
# Thin: every command is a script below tools/. Kbuild reads the file Kbuild, not this one.
# docs/testing.md explains the variables.

KERNEL_SERIES ?= 7.3
KDIR ?=
export KERNEL_SERIES KDIR

# Another prepared kernel: make LANE=rt, or make ARCH=arm64 (docs/lanes.md).
ifdef LANE
export LANE
endif
ifdef ARCH
export ARCH
endif
# Only if they are set: an empty one would mean something.
ifdef WG_CACHE
export WG_CACHE
endif
ifdef WG_MODULE
export WG_MODULE
endif
ifdef WG_PATIENCE
export WG_PATIENCE
endif

ifeq ($(KDIR),)
setup := setup-root
endif

all: $(setup) ## build wireguard.ko (KDIR=… for a kernel of your own)
	@tools/build.sh modules

run: ## set up what is missing, build, and show a tunnel at work in a virtual machine
	@tools/run.sh

test: ## all that a change must pass; PART=…, CASE=… and LANE=… choose
	@$(if $(LANE),LANE= tools/lanes/run.sh $(filter-out all,$(LANE)),$(if $(PART),tools/test/part.sh "$(PART)" $(CASE),tools/test.sh))

test-vm: setup-root ## selftests in virtual machines; TEST="name …" for these
	@tools/test-vm.sh $(TEST)

check: setup-root ## static checks; CASE="name …" for these
	@tools/check.sh $(CASE)

bench: setup-root ## speed beside the C module's; PART=quick, cpu or profile; CASE="word …"
	@$(if $(filter profile,$(PART)),tools/profile/run,$(if $(filter cpu,$(PART)),tools/bench/clock,tools/bench/run) \
		$(foreach word,$(CASE),$(if $(findstring =,$(word)),$(word))) $(filter quick,$(PART)) \
		$(foreach word,$(CASE),$(if $(findstring =,$(word)),,$(word))))

shell: setup-root ## a virtual machine with the module loaded, to try things in
	@tools/shell.sh

doc: setup-root ## API documentation of the crates, in doc/
	@tools/doc.sh

install: ## install wireguard.ko for one kernel (KDIR, DESTDIR, SIGN_KEY and SIGN_CERT)
	@tools/install.sh install

uninstall: ## take it out again: the C module is back
	@tools/install.sh uninstall

dkms-install: ## install by DKMS, for every installed kernel and those to come; PART=deb makes a package
	@$(if $(filter deb,$(PART)),tools/setup.sh && tools/deb/build.sh,tools/dkms/install.sh install)

dkms-remove: ## take it out of DKMS again: the C module is back
	@tools/dkms/install.sh remove

which: ## say which implementation is loaded, and which one modprobe takes
	@tools/which.sh

setup: ## root and kernel only; PART=update adopts the newest one, PART=editor writes rust-project.json
	@tools/setup.sh $(if $(filter update,$(PART)),--update)
	@$(if $(filter update,$(PART)),LANE= tools/lanes/run.sh next)
	@$(if $(filter editor,$(PART)),tools/build/rust-analyzer.sh)

clean: ## remove what was built here; PART=cache removes root and kernels, too
	@tools/clean.sh $(if $(filter cache,$(PART)),--cache)

help:
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 21
	@echo "docs/testing.md has the parts, the variables and examples."

setup-root:
	@tools/setup.sh

# make test-NAME is make test PART=NAME.
test-%: setup-root
	@tools/test/part.sh "$*" $(CASE)

.PHONY: all run test test-vm check bench shell doc install uninstall dkms-install dkms-remove which setup clean help \
	setup-root
