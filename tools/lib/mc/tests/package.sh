#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2046,SC2086
#
# Look at libmc as a packager does: install it into a directory, and build programs
# against what lies there. TAP.
#
#	tests/package.sh SOURCE		(as make check does)

src=$(cd "$1" && pwd) || exit 1
make=${MAKE:-make}
cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
root=$work/root
lib=$root/usr/lib/test
n=0
failed=0

echo TAP version 13

result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		failed=1
		echo "not ok $n $2"
		sed 's/^/# /' "$work/out"
	fi
}

# check NAME CMD...: fails if CMD does.
check()
{
	name=$1
	shift
	"$@" >"$work/out" 2>&1
	result $? "$name"
}

pc()
{
	PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/pkgconfig pkg-config "$@" libmc
}

symbols()
{
	nm -D --defined-only "$lib/libmc.so.1" | sed -n 's/.* T \([a-z0-9_]*\)@@LIBMC_1.0$/\1/p' | sort
}

cat >"$work/prog.c" <<'END'
#include <mc.h>
#include <stdio.h>

int main(void)
{
	char a[300] = "x", b[300];

	return mc_init(0) || mc_memcpy(b, a, sizeof(a)) || b[0] != 'x' || mc_exit();
}
END
cat >"$work/prog.cc" <<'END'
#include <cstdlib>
#include <mc.h>

MC_REGISTER_TABLE();

static int callback(const mc_fault *fault, void *)
{
	return fault->kind == MC_ERROR ? MC_UNWIND : MC_PASS;
}

static void nothing(void *)
{
}

int main()
{
	struct mc_block block;
	static char region[100];
	uint64_t val;
	mc_entry entry;

	if (mc_init(0) || mc_region_add(region, sizeof(region), callback, nullptr))
		return 1;
	if (mc_try(&block))
		mc_leave(&block);
	else
		std::abort();
	if (mc_entry_set(&entry, &entry, &entry + 1, &entry, MC_KIND_IN(3) | MC_ADDR_IN(15)))
		return 1;
	return mc_call(nothing, nullptr, nullptr) || mc_load64(region, &val);
}
END
cat >"$work/regions.c" <<'END'
#include <mc.h>

static int f(const struct mc_fault *fault, void *arg) { (void)fault; (void)arg; return MC_PASS; }

int main(void)
{
	return mc_init(0) || mc_region_add((void *)f, 1, f, 0);
}
END

# The caller's make has variables of its own.
unset MAKEFLAGS MAKELEVEL MFLAGS
check "make install with DESTDIR" $make -C "$src" OUTPUT="$work/build/" DESTDIR="$root" prefix=/usr libdir=/usr/lib/test install
check "nothing was installed beside it" sh -c "[ \"\$(ls '$root')\" = usr ] && [ \"\$(ls '$root/usr' | tr '\n' ' ')\" = 'include lib share ' ]"
check "links of the shared object" sh -c "[ \"\$(readlink '$lib/libmc.so')\" = libmc.so.1 ] && [ -e '$lib/libmc.so' ]"
check "soname" sh -c "readelf -d '$lib/libmc.so' | grep -q 'SONAME.*\[libmc.so.1\]'"
check "needs libc only" sh -c "[ \"\$(readelf -d '$lib/libmc.so' | grep NEEDED | sed 's/.*\[//; s/\].*//' | tr '\n' ' ')\" = 'libc.so.6 ' ]"
check "no executable stack, read-only relocations, bound at once, stays" sh -c "
	readelf -lW '$lib/libmc.so' | grep -q 'GNU_STACK.* RW ' &&
	readelf -lW '$lib/libmc.so' | grep -q GNU_RELRO &&
	readelf -dW '$lib/libmc.so' | grep -q 'NOW' &&
	readelf -dW '$lib/libmc.so' | grep -q 'NODELETE' &&
	! readelf -dW '$lib/libmc.so' | grep -q TEXTREL"
check "little thread-local memory, of the static kind" sh -c "
	[ \$((\$(readelf -lW '$lib/libmc.so' | awk '\$1 == \"TLS\" { print \$6 }'))) -le 256 ] &&
	! readelf -rW '$lib/libmc.so' | grep -q 'DTPMOD\|TLSDESC'"
symbols >"$work/symbols"
sed -n 's/^\t\t\(mc_[a-z0-9_]*\);$/\1/p' "$src/libmc.map" | sort >"$work/map"
sed -n 's/^MC_API.*[ *]\(mc_[a-z0-9_]*\)(.*/\1/p' "$root/usr/include/mc.h" | sort >"$work/header"
check "exports what the map names" diff "$work/map" "$work/symbols"
check "which is what the header declares" diff "$work/header" "$work/symbols"
check "no other dynamic symbols" sh -c "! nm -D --defined-only '$lib/libmc.so' | grep -v ' A LIBMC_1.0\| T mc_[a-z0-9_]*@@LIBMC_1.0'"
check "static: nothing visible but mc_*" sh -c "! nm -g --defined-only '$lib/libmc.a' | grep ' [A-TV-Z] ' | grep -v ' mc_'"
check "a man page for each" sh -c "while read -r s; do [ -f '$root/usr/share/man/man3/'\$s.3 ] || { echo \$s; exit 1; }; done <'$work/symbols'"
skip=
command -v man >/dev/null && command -v col >/dev/null || skip=yes
[ -n "$skip" ] || check "man pages without a warning" sh -c "
	cd '$root/usr/share/man' && for f in man3/* man7/*; do
		LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z \$f 2>&1 >/dev/null
	done >'$work/warnings'; cat '$work/warnings'; ! [ -s '$work/warnings' ]"
check "pkg-config" sh -c "[ \"$(pc --modversion)\" = 1.0.0 ] && echo '$(pc --libs)' | grep -q -- '-lmc'"
check "C11, pedantic, shared" $cc -std=c11 -pedantic -Wall -Wextra -Werror -o "$work/shared" "$work/prog.c" $(pc --cflags --libs)
check "runs" env LD_LIBRARY_PATH="$lib" "$work/shared"
check "a program written from the man pages" $cc -Wall -Wextra -Werror -O2 -o "$work/manual" "$src/tests/manual.c" -pthread $(pc --cflags --libs)
check "runs" env LD_LIBRARY_PATH="$lib" "$work/manual"
if [ -z "$skip" ]; then
	# The example of libmc(7), as it is printed.
	MANWIDTH=100 man -E ascii -l "$root/usr/share/man/man7/libmc.7" 2>/dev/null | col -b | sed -n '/#include <fcntl.h>/,/^NOTES/p' | grep -v '^NOTES' >"$work/example.c"
	check "the example of libmc(7)" $cc -Wall -Werror -O2 -o "$work/example" "$work/example.c" $(pc --cflags --libs)
	check "runs" sh -c "[ \"\$(LD_LIBRARY_PATH='$lib' '$work/example' '$src/mc.h')\" = '$(wc -c <"$src/mc.h") of $(wc -c <"$src/mc.h") bytes can be read' ]"
fi
check "static" $cc -static -o "$work/static" "$work/prog.c" $(pc --static --cflags --libs)
check "runs" "$work/static"
check "static, without a copy in it" $cc -static -o "$work/regions" "$work/regions.c" $(pc --static --cflags --libs)
check "runs" "$work/regions"
if command -v "$cxx" >/dev/null; then
	check "C++11" $cxx -std=c++11 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$work/cxx" "$work/prog.cc" $(pc --cflags --libs)
	check "runs" env LD_LIBRARY_PATH="$lib" "$work/cxx"
fi
if command -v clang >/dev/null; then
	check "clang" $make -C "$src" OUTPUT="$work/clang/" CC=clang CFLAGS='-O2 -Werror' all
	check "clang, C11" clang -std=c11 -pedantic -Weverything -Wno-unknown-warning-option -Wno-documentation-unknown-command -Wno-unsafe-buffer-usage -Wno-padded -Wno-reserved-identifier -Wno-reserved-id-macro -Wno-declaration-after-statement -Wno-poison-system-directories -Werror -fsyntax-only "$work/prog.c" $(pc --cflags)
fi
check "hardened" $make -C "$src" OUTPUT="$work/hard/" CFLAGS='-O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -Wformat -Werror=format-security -Werror' LDFLAGS='-Wl,-z,relro' all
# The linker keeps the note only if libc's own start files have it.
check "CET: branch tracking and shadow stacks" sh -c "
	for f in '$work'/hard/shared/*.o '$work'/hard/shared/arch/*.o; do
		readelf -n \$f | grep -q 'IBT, SHSTK' || { echo \$f; exit 1; }
	done"
check "the same file twice" sh -c "
	$make -C '$src' OUTPUT='$work/again/' CFLAGS='-O2 -g -ffile-prefix-map=$work/again=.' all &&
	$make -C '$src' OUTPUT='$work/again2/' CFLAGS='-O2 -g -ffile-prefix-map=$work/again2=.' all &&
	cmp '$work/again/libmc.so.1.0.0' '$work/again2/libmc.so.1.0.0'"
echo '#include "arch/arch.h"' >"$work/arch.c"
check "another architecture is told so" sh -c "! $cc -U__x86_64__ -I'$src' -E '$work/arch.c' >/dev/null 2>'$work/error' && grep -q 'no support for this architecture' '$work/error'"
check "make, and another prefix at make install" sh -c "
	$make -C '$src' OUTPUT='$work/later/' all &&
	$make -C '$src' OUTPUT='$work/later/' DESTDIR='$work/later/root' prefix=/usr install &&
	grep -qx prefix=/usr '$work/later/root/usr/lib/pkgconfig/libmc.pc'"
check "make uninstall" sh -c "$make -C '$src' OUTPUT='$work/build/' DESTDIR='$root' prefix=/usr libdir=/usr/lib/test uninstall && ! find '$root' -not -type d | grep ."
echo "1..$n"
exit $failed
