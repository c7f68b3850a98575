# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034
#
# What rig/check and rig/demo share: the rows of rig/cases, guests that run
# tests two at a time, and what came out of them. Source rig/common.sh first.
#
# A guest is a name, with files in build/log: NAME.tests (a line a test:
# program, test, environment), NAME.log (what the tests said), NAME.console (what
# the kernel said), NAME.status, NAME.seconds and NAME.results (a line a test:
# state, program, test, reason, outcome, separated by the character 0x1f).

MACHINES='intel-lmce intel-broadcast amd'
BASE=${BASE:-6.12}
COPIES='fsrm erms plain'
SELFTESTS=$MCE_BUILD/selftests
PANIC=240
US=$'\x1f'

# Set it to have a test a call, and none after one that the kernel complained of.
ALONE=

# The rules under which Linux gives up on a load in the kernel: Intel, AMD.
RULES='Data load in unrecoverable area of kernel|Uncorrected unrecoverable error in kernel context'

# What a kernel says when it has a problem of its own, other than poison.
COMPLAINTS='BUG: |WARNING: |Oops|kernel BUG|general protection fault|INFO: task .* blocked|rcu: INFO|Bad page (state|map)|soft lockup|Disabling lock debugging|turning off the locking correctness validator'

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
	TTY=yes RED=$'\e[31m' GREEN=$'\e[32m' YELLOW=$'\e[33m' BOLD=$'\e[1m' PLAIN=$'\e[m'
else
	TTY='' RED='' GREEN='' YELLOW='' BOLD='' PLAIN=''
fi

clock()
{
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# A path as one would type it from here.
near()
{
	printf '%s' "${1#"$PWD"/}"
}

# --- rows -------------------------------------------------------------------

row_program=() row_test=() row_stock=() row_on=() row_env=() row_series=() row_series_env=() row_demo=()

# Read rig/cases. Its lines are words as a shell would split them.
read_rows()
{
	local line number=0 word words

	set -f
	while IFS= read -r line; do
		number=$((number + 1))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		[[ $line != *[\$\`\;\&\|]* ]] || die "rig/cases:$number: odd characters"
		eval "words=($line)"
		[ ${#words[@]} -ge 3 ] || die "rig/cases:$number: PROGRAM TEST stock=OUTCOME expected"
		row_program+=("${words[0]}")
		row_test+=("${words[1]}")
		row_stock+=(-) row_on+=('intel-lmce/fsrm') row_env+=('') row_series+=(pass)
		row_series_env+=('') row_demo+=('')
		for word in "${words[@]:2}"; do
			case $word in
			stock=- | stock=pass | stock=panic | stock=panic:?* | stock=fail:?*)
				row_stock[-1]=${word#*=} ;;
			on=?*)		row_on[-1]=${word#*=} ;;
			env=?*:?*)	row_env[-1]=${word#*=} ;;
			series-env=?*:?*) row_series_env[-1]=${word#*=} ;;
			series=gap:?* | series=sometimes:?* | series=panic:?*)
				row_series[-1]=${word#*=} ;;
			demo=?*)	row_demo[-1]=${word#*=} ;;
			*) die "rig/cases:$number: '$word' is not understood" ;;
			esac
		done
	done <"$MCE_TOP/rig/cases"
	set +f
}

# The names of a program's tests, from the table that it prints with -l.
tests_of()
{
	{ "$SELFTESTS/$1" -l 2>&1 || :; } | awk -v program="$1" '
		function trim(s) { gsub(/^ +| +$/, "", s); return s }
		function finish(  i, j) {
			if (!nv) variant[++nv] = ""
			for (i = 1; i <= nv; i++)
				for (j = 1; j <= nt; j++)
					print program, fixture (variant[i] == "" ? "" : ".") variant[i] "." test[j]
			nv = nt = 0; fixture = ""
		}
		/^# FIXTURE/ { next }
		/^---/ { finish(); next }
		{
			if (trim(substr($0, 1, 20)) != "") fixture = trim(substr($0, 1, 20))
			if (trim(substr($0, 22, 25)) != "") variant[++nv] = trim(substr($0, 22, 25))
			if (trim(substr($0, 48)) != "") test[++nt] = trim(substr($0, 48))
		}
		END { finish() }'
}

# "PROGRAM TEST" lines of everything that is built.
all_tests()
{
	local path

	for path in "$SELFTESTS"/mce_*; do
		[ ! -x "$path" ] || tests_of "${path##*/}"
	done
}

# Which row speaks about a test: row_of[PROGRAM TEST], empty if none does.
# The harness calls tests outside of a fixture "global.NAME".
declare -A row_of=()
match_rows()
{
	local program test i

	while read -r program test; do
		row_of[$program $test]=''
		for i in "${!row_test[@]}"; do
			# shellcheck disable=SC2053
			if [ "$program" = "${row_program[i]}" ] && [[ ${test#global.} == ${row_test[i]} ]]; then
				row_of[$program $test]=$i
				break
			fi
		done
	done
}

# runs_on ROW MACHINE COPY: does the stock kernel run that there?
runs_on()
{
	local pattern

	while read -r -d , pattern; do
		[ "$pattern" != '*' ] || pattern='*/*'
		# shellcheck disable=SC2053
		[[ $2/$3 != $pattern ]] || return 0
	done <<<"${row_on[$1]},"
	return 1
}

# env_for SPEC COPY: NAME:A/B/C becomes NAME=B on erms.
env_for()
{
	local values

	[ -n "$1" ] || return 0
	IFS=/ read -r -a values <<<"${1#*:}"
	[ ${#values[@]} -eq 3 ] || values=("${values[0]}" "${values[0]}" "${values[0]}")
	case $2 in
	fsrm)	echo "${1%%:*}=${values[0]}" ;;
	erms)	echo "${1%%:*}=${values[1]}" ;;
	plain)	echo "${1%%:*}=${values[2]}" ;;
	esac
}

# --- guests -----------------------------------------------------------------

guests=()
declare -A guest_kernel=() guest_machine=() guest_copy=() guest_timeout=() guest_options=()

# new_guest NAME KERNEL MACHINE COPY TIMEOUT [OPTION OF RIG/GUEST]... <TESTS
# A line of TESTS is "program test environment".
new_guest()
{
	mkdir -p "$(dirname "$MCE_LOG/$1")"
	cat >"$MCE_LOG/$1.tests" || die "cannot write $MCE_LOG/$1.tests"
	[ -s "$MCE_LOG/$1.tests" ] || return 0
	guests+=("$1")
	guest_kernel[$1]=$2 guest_machine[$1]=$3 guest_copy[$1]=$4 guest_timeout[$1]=$5
	guest_options[$1]=${*:6}
}

# The host's mkfs.xfs with its libraries: the guest has none.
carry_mkfs_xfs()
{
	local program path

	program=$(PATH=$PATH:/sbin:/usr/sbin command -v mkfs.xfs) ||
		die "mkfs.xfs is not installed; run 'make install-deps'"
	mkdir "$1/lib"
	cp "$program" "$1/mkfs.xfs"
	ldd "$program" | grep -o '/[^ ]*' | while read -r path; do
		case ${path##*/} in
		ld-*)	cp "$path" "$1/lib/ld.so" ;;
		*)	cp "$path" "$1/lib/" ;;
		esac
	done
}

# Group a guest's tests into as few calls of the programs as their environments
# allow.
make_plan()
{
	awk -v alone="$ALONE" '{ key = $1 " " $3 }
	     alone || key != last { if (last != "") printf "\n"; printf "%s ./%s", $3, $1; last = key }
	     { printf " -r %s", $2 }
	     END { printf "\n" }' "$1"
}

# A developer's own build: MCE_STOCK, MCE_SERIES name directories with a bzImage.
given_kernel()
{
	case $1 in
	stock)	echo "${MCE_STOCK:-}" ;;
	series)	echo "${MCE_SERIES:-}" ;;
	esac
}

need_kernel()
{
	[ -n "$(given_kernel "$2")" ] || "$MCE_TOP/rig/kernel/build" "$1" "$2" >/dev/null ||
		die "there is no $2 kernel (see above)"
}

need_qemu()
{
	[ -n "${MCE_QEMU:-}" ] || "$MCE_TOP/rig/qemu/build" >/dev/null ||
		die "there is no QEMU (see above)"
}

# The test modules that belong to a guest's programs, built for its kernel.
carry_modules()
{
	local program kernel modules=''

	# shellcheck disable=SC2013
	for program in $(cut -d ' ' -f 1 "$3" | sort -u); do
		[ -f "$MCE_TOP/tools/testing/selftests/mce/test_modules/$program.c" ] || continue
		kernel=${2:-$("$MCE_TOP/rig/kernel/build" "$BASE" "${guest_kernel[$4]}")} &&
			modules=${modules:-$("$MCE_TOP/rig/modules-build" "$kernel")} &&
			# A stock kernel may have nothing to build it for.
			[ ! -f "$modules/$program.ko" ] ||
				cp "$modules/$program.ko" "$1/" || return 1
	done
}

# In a process of its own: boot it, and leave everything in files.
run_guest()
{
	local name=$1 log=$MCE_LOG/$1 carry program kernel status=0 start=$SECONDS options=()

	rm -f "$log.results" "$log.status" "$log.console" "$log.console".*

	carry=$(mktemp -d "$MCE_BUILD/carry.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$carry'" EXIT
	# shellcheck disable=SC2013
	for program in $(cut -d ' ' -f 1 "$log.tests" | sort -u); do
		cp "$SELFTESTS/$program" "$carry/"
	done
	! grep -q xfs "$log.tests" || carry_mkfs_xfs "$carry"
	cp "$MCE_TOP/rig/guest-run" "$carry/run"
	make_plan "$log.tests" >"$carry/plan"
	[ -z "${ALONE:-}" ] || : >"$carry/alone"
	kernel=$(given_kernel "${guest_kernel[$name]}")
	if ! carry_modules "$carry" "$kernel" "$log.tests" "$name" >"$log.log" 2>&1; then
		echo 243 >"$log.status"
		echo 0 >"$log.seconds"
		read_results "$name" >"$log.results"
		return
	fi
	read -r -a options <<<"${guest_options[$name]}"
	"$MCE_TOP/rig/guest" --base "$BASE" --kernel "${kernel:-${guest_kernel[$name]}}" \
		--machine "${guest_machine[$name]}" --copy "${guest_copy[$name]}" \
		--smp 2 --memory 1G --timeout "${guest_timeout[$name]}" \
		--console "$log.console" ${options[@]+"${options[@]}"} \
		--carry "$carry" -- /carry/run >"$log.log" 2>&1 </dev/null || status=$?
	echo "$status" >"$log.status"
	echo $((SECONDS - start)) >"$log.seconds"
	read_results "$name" >"$log.results"
}

# Why a test that said nothing said nothing.
no_answer()
{
	case $2 in
	240) last_words "$1" ;;
	241) echo "the guest hung" ;;
	242) echo "the machine was reset" ;;
	243) echo "rig/guest failed" ;;
	*)   echo "the guest ended with status $2" ;;
	esac
}

console()
{
	sed 's/\r$//; s/^\[ *[0-9.]*\] //' "$MCE_LOG/$1.console" 2>/dev/null || :
}

panic_of()
{
	console "$1" | sed -n 's/.*Kernel panic - not syncing: //p' | head -n 1
}

rule_of()
{
	console "$1" | sed -n 's/.*Machine check: //p' | tail -n 1
}

last_words()
{
	local rule

	rule=$(rule_of "$1")
	echo "panic: $(panic_of "$1")${rule:+ ($rule)}"
}

complaint_of()
{
	console "$1" | grep -aEm 1 "$COMPLAINTS" || :
}

# KTAP to lines.
read_results()
{
	local status

	status=$(cat "$MCE_LOG/$1.status")
	awk -v US="$US" -v why="$(no_answer "$1" "$status")" '
		function out(state, key, reason, outcome,  part) {
			split(key, part, " ")
			print state US part[1] US part[2] US reason US outcome
			done[key] = 1
		}
		NR == FNR { order[++n] = $1 " " $2; wanted[$1 " " $2] = 1; next }
		/^@program / { program = $2; next }
		/^#  RUN / { outcome = note = ""; next }
		/^# outcome: / { outcome = substr($0, 12); next }
		/^# [^ ]*\.[ch]:[0-9]+:/ {
			if (note == "") { note = $0; sub(/^# [^:]*:[0-9]+:[^:]*:/, "", note) }
			next
		}
		/^# .*: Test terminated/ { if (note == "") { note = $0; sub(/^# [^:]*: /, "", note) } next }
		/^(not )?ok [0-9]+ / {
			bad = $1 == "not"
			key = program " " (bad ? $4 : $3)
			if (!(key in wanted) || key in done) next
			reason = $0
			if (bad) out("fail", key, note == "" ? "the test failed" : note, outcome)
			else if (sub(/.*# SKIP */, "", reason)) out("skip", key, reason, outcome)
			else out("pass", key, "", outcome)
		}
		END { for (i = 1; i <= n; i++) if (!(order[i] in done)) out("fail", order[i], why, "") }
	' "$MCE_LOG/$1.tests" "$MCE_LOG/$1.log"
}

declare -A running=()

stop_guests()
{
	local pid

	for pid in "${!running[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || :
	done
	for pid in "${!running[@]}"; do
		wait "$pid" 2>/dev/null || :
	done
}

# run_guests DONE: all guests, MCE_GUESTS (2) at a time; calls DONE NAME for each
# that ended.
run_guests()
{
	local name pid next=0

	while [ $next -lt ${#guests[@]} ] || [ ${#running[@]} -gt 0 ]; do
		while [ $next -lt ${#guests[@]} ] && [ ${#running[@]} -lt "${MCE_GUESTS:-2}" ]; do
			name=${guests[next]}
			next=$((next + 1))
			set -m
			(run_guest "$name") </dev/null &
			running[$!]=$name
			set +m
		done
		sleep 0.1
		for pid in "${!running[@]}"; do
			if ! kill -0 "$pid" 2>/dev/null; then
				wait "$pid" 2>/dev/null || :
				name=${running[$pid]}
				unset "running[$pid]"
				[ -f "$MCE_LOG/$name.results" ] || die "$name: could not be run (log: $MCE_LOG/$name.log)"
				"$1" "$name"
			fi
		done
		[ -z "$TTY" ] || status_line
	done
}

status_line()
{
	local name text=''

	for name in "${running[@]}"; do
		text+=" ${name#*/}: $(grep -ac '^ok \|^not ok ' "$MCE_LOG/$name.log" 2>/dev/null || :)/$(wc -l <"$MCE_LOG/$name.tests")"
	done
	printf '\r\e[K  %s %s' "$(clock $SECONDS)" "${text:0:90}"
}

# Guests that rig/guest had to start again, by name, for the end of a tally.
# What is run from here adds to the list of whoever runs it.
if [ -z "${MCE_AGAIN:-}" ]; then
	export MCE_AGAIN=$MCE_LOG/again-${0##*/}
	rm -f "$MCE_AGAIN"
fi

started_again()
{
	[ -s "$MCE_AGAIN" ] || return 0
	printf '%sGuests that were started again: %d\n' "$1" "$(wc -l <"$MCE_AGAIN")"
	sed "s/^/$1  /" "$MCE_AGAIN"
}

clear_line()
{
	[ -z "$TTY" ] || printf '\r\e[K'
}
