# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# How a kernel is made, for those who do it: from $source, in $objects, as
# $flavour, with the configuration of $fragments. Source it after common.sh.

# One fixed name, time and place, and paths relative to the object directory:
# then the compiler cache sees one tree in all of them.
export KBUILD_BUILD_TIMESTAMP='2026-01-01 00:00:00 UTC' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_USER=rig KBUILD_BUILD_HOST=poison-pc
export CCACHE_DIR=$MCE_CACHE/ccache CCACHE_MAXSIZE=4G CCACHE_COMPILERCHECK=content
export CCACHE_DEPEND=1 CCACHE_NOHASHDIR=1
unset MAKEFLAGS MFLAGS MAKELEVEL
compiler=gcc
! have ccache || compiler=$KERNEL/cc

kmake()
{
	make -C "$source" O="$objects" CC="$compiler" HOSTCC="$compiler" \
		LOCALVERSION="-$flavour" "$@"
}

# From $fragments, if they or a Kconfig file have changed
configure()
{
	cat "${fragments[@]}" >"$objects/fragments.new"
	if cmp -s "$objects/fragments.new" "$objects/fragments" && [ -f "$objects/.config" ] &&
		[ -z "$(find "$source" -name 'Kconfig*' -newer "$objects/fragments" -print -quit)" ]; then
		return
	fi
	kmake KCONFIG_ALLCONFIG=fragments.new allnoconfig
	mv "$objects/fragments.new" "$objects/fragments"
}
