# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every script of the rig shares. Source it first:
#
#	. "$(dirname "$0")/common.sh"
#
# It gives the places (MCE_TOP, MCE_CACHE, MCE_BUILD) and a few verbs:
#
#	note TEXT		tell the user, on stderr
#	die TEXT		one line that says what is wrong, then leave
#	have PROGRAM		is it installed?
#	need PROGRAM...		die with the way out when one is missing
#	room DIR MB [VARIABLE]	die when DIR's file system is too full; VARIABLE
#				says where else it could be
#	step TITLE LOG CMD...	run CMD with its output in LOG, show progress
#	lock FILE		one at a time; released when the script ends
#	key_of			content key of standard input

set -euo pipefail

MCE_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
MCE_CACHE=${MCE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mce-recovery}
MCE_BUILD=${MCE_BUILD:-$MCE_TOP/build}
MCE_LOG=$MCE_BUILD/log

export MCE_TOP MCE_CACHE MCE_BUILD MCE_LOG
export LC_ALL=C

note()
{
	printf '%s\n' "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit "${MCE_DIE:-1}"
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

need()
{
	local program

	for program; do
		have "$program" ||
			die "$program is not installed; run 'make install-deps' as root or with sudo"
	done
}

room()
{
	local dir=$1 want=$2 variable=${3:-MCE_CACHE} free

	mkdir -p "$dir" 2>/dev/null || die "cannot create $dir (full or read-only disk, or not yours?)"
	free=$(df -Pm "$dir" | awk 'NR == 2 { print $4 }')
	[ "${free:-0}" -ge "$want" ] ||
		die "$dir has $free MB free and this needs $want MB; free some, or set $variable to a place on another disk"
}

key_of()
{
	sha256sum | cut -c1-16
}

# The lock is the open file, so a killed run never leaves one behind.
lock()
{
	local file=$1

	mkdir -p "$(dirname "$file")" 2>/dev/null || die "cannot create $(dirname "$file")"
	exec {MCE_LOCK}>"$file" || die "cannot write $file"
	if ! flock -n "$MCE_LOCK"; then
		note "waiting for another run that holds $file"
		flock "$MCE_LOCK"
	fi
}

# How far a step is: ninja and friends say [n/m] themselves; for the others
# STEP_TOTAL may tell how many lines the log had when it last went well.
step_progress()
{
	local log=$1 pair lines

	pair=$(tail -n 3 "$log" 2>/dev/null | grep -ao '^\[[0-9]*/[0-9]*\]' | tail -n 1 || :)
	if [ -n "$pair" ]; then
		echo "$pair"
	elif [ "${STEP_TOTAL:-0}" -gt 0 ]; then
		lines=$(wc -l <"$log")
		echo "$((lines < STEP_TOTAL ? lines * 100 / STEP_TOTAL : 99))%"
	fi
}

step_clock()
{
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

step_stop()
{
	trap - INT TERM HUP
	kill -TERM -- "-$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
	[ ! -t 2 ] || printf '\n' >&2
	die "interrupted while: $2 (what is done so far is kept; run it again to go on)"
}

# The command gets a process group of its own, so that Ctrl-C and a plain
# kill of the script end all of it.
step()
{
	local title=$1 log=$2 pid start now told status=0

	shift 2
	if ! mkdir -p "$(dirname "$log")" 2>/dev/null || ! : >"$log"; then
		die "cannot write $log"
	fi
	start=$SECONDS told=$SECONDS
	note "  $title (log: $log)"
	set -m
	("$@") </dev/null >"$log" 2>&1 &
	pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "step_stop $pid '${title//\'/}'" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		now=$((SECONDS - start))
		if [ -t 2 ]; then
			printf '\r    %s %s \033[K' "$(step_clock $now)" "$(step_progress "$log")" >&2
		elif [ $((SECONDS - told)) -ge 30 ]; then
			told=$SECONDS
			note "    $(step_clock $now) $(step_progress "$log")"
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM HUP
	[ ! -t 2 ] || printf '\r\033[K' >&2
	now=$((SECONDS - start))
	if [ "$status" -eq 0 ]; then
		[ "$now" -lt 5 ] || note "    done in $(step_clock $now)"
		return 0
	fi
	{
		tail -n +16 <(tac "$log") | tac | grep -aiE '(^|[^a-z_-])(error|fatal):' | head -n 5 || :
		tail -n 15 "$log"
	} | sed 's/^/    | /' >&2 || :
	if grep -aq 'No space left on device' "$log"; then
		die "$title: the disk is full (log: $log)"
	fi
	die "$title: failed with status $status (log: $log)"
}
