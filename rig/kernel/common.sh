# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the kernel scripts share: which base, where its composed tree is, and
# how a series is read.

# shellcheck source=rig/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

KERNEL=$MCE_TOP/rig/kernel

# Sets base, base_package, base_version, base_sum, base_suites, tree, patches.
use_base()
{
	base=${1:-}
	base_package='' base_version='' base_sum='' base_suites=''
	# shellcheck disable=SC2034
	read -r base_package base_version base_sum base_suites < \
		<(awk -v base="$base" '$1 == base { $1 = ""; print }' "$KERNEL/bases") || :
	[ -n "$base_suites" ] ||
		MCE_DIE=2 die "no such base: '$base' (there is: $(bases | tr '\n' ' ' | sed 's/ $//'))"
	# shellcheck disable=SC2034
	tree=$MCE_BUILD/$base/linux
	patches=$MCE_TOP/patches/$base
}

bases()
{
	sed -n 's/^\([0-9][0-9.]*\)[[:space:]].*/\1/p' "$KERNEL/bases"
}

right_sum()
{
	[ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

# offers SUITE [as-is]: "VERSION SHA256 SUITE" of each version of the base that
# the suite has; as-is, without a look at the network.
offers()
{
	"$MCE_TOP/rig/debian" list "$base_package" "$@" | sed "s/\$/ $1/"
}

# Of "VERSION ..." lines, the one with the highest version first.
newest_first()
{
	sort -s -k 1,1Vr
}

kernel_version_of()
{
	awk '$1 == "VERSION" { v = $3 } $1 == "PATCHLEVEL" { p = $3 }
	     END { print v "." p }' "$1/Makefile" 2>/dev/null
}

# The names of the patches, in order.
series_of()
{
	[ ! -f "$1/series" ] || sed 's/#.*//; s/[[:space:]]*$//' "$1/series" | grep -v '^$' || :
}

# The parts of a patch file. Everything above "---" or the first diff is the
# header, and New-file: lines in it are not part of the message.
patch_header()
{
	awk '/^---$/ || /^diff --git / { exit } { print }' "$1"
}

patch_subject()
{
	patch_header "$1" | sed -n 's/^Subject:[[:space:]]*//p' | head -n 1 |
		sed 's/^\[[^]]*\][[:space:]]*//'
}

patch_message()
{
	patch_subject "$1"
	echo
	patch_header "$1" | sed '/^Subject:/d; /^New-file:/d' | sed -e '/./,$!d' | cat -s |
		sed -e ':a' -e '/^\n*$/{$d;N;ba' -e '}'
}

# A name that ends in a slash stands for all that the overlay has below it.
patch_new_files()
{
	local name

	patch_header "$1" | sed -n 's/^New-file:[[:space:]]*\([^[:space:]]*\).*/\1/p' |
		while read -r name; do
			case $name in
			*/) overlay_files | grep "^$name" || : ;;
			*) echo "$name" ;;
			esac
		done
}

# All files of this repository below the given directories, those included that
# nobody added yet. Works in an unpacked archive too.
our_files()
{
	local file

	cd "$MCE_TOP"
	{
		git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null ||
			find "$@" -type f -not -path './build/*' 2>/dev/null || :
	} | sort -u | while read -r file; do
		[ ! -f "$file" ] || echo "${file#./}"
	done
}

# The new kernel files that lie at the top of the repository, at the path that
# they have in the kernel.
overlay_files()
{
	(our_files arch block drivers fs include init io_uring ipc kernel lib mm net security virt \
		Documentation tools)
}

# The composed tree's git, with nobody's personal settings.
tgit()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		git -c safe.directory='*' -c core.abbrev=12 -c core.autocrlf=false \
		-c gc.auto=0 -c core.hooksPath=/dev/null -C "$tree" "$@"
}

# commit TREE PARENT STEP <MESSAGE: the same input gives the same commit.
neutral_commit()
{
	local when=$((1767225600 + $3 * 60))

	GIT_AUTHOR_NAME=mce-recovery GIT_AUTHOR_EMAIL=mce-recovery@invalid \
		GIT_COMMITTER_NAME=mce-recovery GIT_COMMITTER_EMAIL=mce-recovery@invalid \
		GIT_AUTHOR_DATE="$when +0000" GIT_COMMITTER_DATE="$when +0000" \
		tgit commit-tree "$1" ${2:+-p "$2"}
}

tag_of()
{
	tr '~:' '--' <<<"$1"
}

# Debian's .gitignore hides everything, even from `git status`; that part goes.
open_gitignore()
{
	sed -i '\,^/\*$,d; \,^!/debian/$,d' "$1"
}

# base_commit VERSION <TREE: the base from now on
base_commit()
{
	local tree_id commit

	read -r tree_id
	commit=$(echo "Linux $base, as in Debian's $1" | neutral_commit "$tree_id" "" 0)
	tgit tag -f base "$commit" >/dev/null
	tgit tag -f "$(tag_of "$1")" "$commit" >/dev/null
	echo "$commit"
}

# What the composed tree is made from.
compose_key()
{
	{
		cat "$MCE_BUILD/$base/version"
		cd "$MCE_TOP"
		series_of "$patches" | sed "s,^,patches/$base/," | xargs -r sha256sum
		overlay_files | xargs -r sha256sum
	} | key_of
}

# Where compose and export note what they last agreed on.
state()
{
	cat "$tree/.git/mce/$1" 2>/dev/null || :
}

save_state()
{
	rm -rf "$tree/.git/mce/new"
	mkdir -p "$tree/.git/mce/new"
	tgit rev-parse HEAD >"$tree/.git/mce/new/head"
	compose_key >"$tree/.git/mce/new/key"
	if [ -d "$patches" ]; then
		cp -r "$patches" "$tree/.git/mce/new/patches"
	fi
	rm -rf "$tree/.git/mce/head" "$tree/.git/mce/key" "$tree/.git/mce/patches" "$tree/.git/mce/from"
	mv "$tree/.git/mce/new"/* "$tree/.git/mce/"
	rmdir "$tree/.git/mce/new"
}
