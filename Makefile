# SPDX-License-Identifier: GPL-2.0
#
# The one place that knows in which order things happen. `make` alone tells
# what there is to make.

BASE ?= 6.12
MCE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mce-recovery
export MCE_CACHE

.PHONY: help demo check bench debug matrix matrix-picture soak boots lint builds series versions bisect-check rebase shell compose export kernel qemu install-deps clean distclean
.NOTPARALLEL:

help:
	@echo "make demo       watch the stock kernel and ours meet bad memory, side by side"
	@echo "make check      run all tests; the last line is the tally"
	@echo "make debug      run the guest tests on kernels with lockdep, and with KASAN"
	@echo "make bench      what it costs: code, instructions, machine checks, throughput (BENCH=...)"
	@echo "make matrix     every test on stock and ours, side by side: build/matrix/index.html"
	@echo "make boots      does every guest come up on a busy machine? (COUNT=2000)"
	@echo "make soak       poison a busy guest at random (COUNT=200 TIME=600 SEED=1 SOAK='--kernel-data 8')"
	@echo "make shell      an interactive guest (GUEST='--machine amd --kernel stock ...')"
	@echo
	@echo "make compose    put overlay and patches together: build/$(BASE)/linux, a git tree"
	@echo "make export     bring edits made in that tree back to patches/ and the overlay"
	@echo "make lint       checkpatch, sparse, W=1, kernel-doc, shellcheck, patch ownership"
	@echo "make builds     other architectures and configurations: does it build there?"
	@echo "make series     the patches as mails, with a cover letter"
	@echo "make versions   which of the base's versions in Debian the patches apply to"
	@echo "make bisect-check  does each patch build and boot? (BISECT='--every 10')"
	@echo "make rebase     move the patches to another version (TO=6.12.118-1)"
	@echo
	@echo "make clean      remove build/, if it holds no edits that are not exported"
	@echo "make distclean  and what is kept in $(MCE_CACHE)"
	@echo
	@echo "BASE=$(BASE) is the base kernel. A program of your own runs with rig/guest --help."

install-deps:
	@rig/install-deps

qemu: install-deps
	@rig/qemu/build >/dev/null

kernel: install-deps
	@rig/kernel/build $(BASE) stock >/dev/null
	@rig/kernel/build $(BASE) series >/dev/null

demo: qemu kernel
	@rig/selftests-build $(BASE) >/dev/null
	@rig/demo --base $(BASE)

check: qemu kernel
	@rig/selftests-build $(BASE) >/dev/null
	@rig/check --base $(BASE)

debug: qemu
	@BASE=$(BASE) rig/debug

bench: qemu kernel
	@rig/bench --base $(BASE) $(BENCH)

matrix: qemu kernel
	@rig/matrix --base $(BASE) $(MATRIX)

soak: qemu kernel
	@rig/soak --base $(BASE) $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(TIME),--time $(TIME)) $(SOAK)

boots: qemu kernel
	@rig/boots --base $(BASE) $(if $(COUNT),--count $(COUNT)) $(BOOTS)

matrix-picture:
	@rig/report/picture build/matrix rig/report/matrix.png

shell: qemu kernel
	@rig/guest --base $(BASE) $(GUEST) --shell

compose: install-deps
	@rig/kernel/compose $(BASE)

export:
	@rig/kernel/export $(BASE)

lint: install-deps
	@rig/lint $(BASE)

builds: install-deps
	@rig/kernel/anywhere $(BASE)

series: install-deps
	@rig/kernel/series $(BASE)

versions: install-deps
	@rig/kernel/versions $(BASE)

bisect-check: install-deps
	@rig/kernel/bisect $(BASE) $(BISECT)

rebase: install-deps
	@rig/kernel/rebase $(BASE) '$(TO)'

clean:
	@rig/clean

distclean: clean
	@rig/clean --cache
