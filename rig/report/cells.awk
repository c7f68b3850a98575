# SPDX-License-Identifier: GPL-2.0
#
# What came out of one guest, a line a test that it got to:
#
#	awk -v kernel= -v machine= -v copy= -v status= -v seconds= -v logs= -v top= \
#		-f cells.awk NAME.tests NAME.log NAME.console
#
# Fields, separated by tabs: kernel, machine, copy model, program, test, class,
# machine checks, where it panicked, what the test said, why it failed or was
# skipped or how the machine died, log. The part of both logs that belongs to a
# test goes to a file in the directory LOGS; its name is the last field. Tests
# that have no line here were not begun.
#
# Classes: right, error and sigbus are as it should be, told apart by what the
# program saw; costly: that as well, but for more machine checks than one; data:
# wrong data, and nobody said so; wrong: any other failure; panic, hang, reset:
# the machine is gone; skip: nothing to test with.

BEGIN {
	FS = "[ ]"
	complaint = "BUG: |WARNING: |Oops|kernel BUG|general protection fault|" \
		"INFO: task .* blocked|rcu: INFO|Bad page (state|map)|soft lockup"
}

function clean(s)
{
	gsub(/[\t\r]/, " ", s)
	gsub(/^ +| +$/, "", s)
	return s
}

# "Expected 1 (1) == w.mcs (2)" and the like, shortened.
function note_of(line)
{
	sub(/^# [^:]*:[0-9]+:[^:]*:/, "", line)
	return clean(line)
}

FNR == 1 { part++ }
{ sub(/\r$/, "") }

part == 1 {
	key = $1 " " $2
	order[++n] = key
	wanted[key] = 1
	next
}

part == 2 && /^@program / { program = $2; key = ""; next }
part == 2 && /^@mcs [0-9]/ {
	# Before a test, and after it if it came to that.
	if (counting != "") { counted[counting] = $2 - before; counting = "" }
	before = $2
	next
}
part == 2 && /^#  RUN / {
	key = program " " $0
	sub(/ #  RUN +/, " ", key)
	sub(/ \.\.\.$/, "", key)
	if (!(key in wanted)) key = program " global." substr(key, length(program) + 2)
	if (!(key in wanted)) { key = ""; next }
	begun[key] = 1
	counting = key
}
part == 2 {
	if (/^(TAP version|1\.\.|# Starting |# Totals|# PASSED|# FAILED)/) next
	if (key == "") { if (/^guest: |^  \| /) tail = tail $0 "\n"; next }
	said[key] = said[key] $0 "\n"
}
part == 2 && /^# outcome: / { outcome[key] = clean(substr($0, 12)); next }
part == 2 && /^# [^ ]*\.[ch]:[0-9]+:/ {
	text = note_of($0)
	if (!(key in note)) note[key] = text
	if (text !~ /mcs/) beyond[key] = 1
	if (text ~ /mce_differs|memcmp|STALE/) differs[key] = 1
	next
}
part == 2 && /^# .*: Test terminated/ {
	if (!(key in note)) note[key] = clean(substr($0, 3))
	beyond[key] = 1
	next
}
part == 2 && /^(not )?ok [0-9]/ {
	done[key] = $1 == "not" ? "fail" : "pass"
	if ($0 ~ /# SKIP/) {
		done[key] = "skip"
		text = $0
		sub(/.*# SKIP */, "", text)
		note[key] = clean(text)
	}
	key = ""
	next
}

part == 3 && / mce-case: / {
	key = $0
	sub(/.* mce-case: /, "", key)
	next
}
part == 3 && key in wanted {
	if (++lines[key] <= 400) console[key] = console[key] $0 "\n"
	text = $0
	sub(/^\[ *[0-9.]*\] /, "", text)
	if (text ~ /Kernel panic - not syncing: / && !(key in panic)) {
		panic[key] = text
		sub(/.*not syncing: /, "", panic[key])
	}
	if (text ~ /Machine check: /) {
		rule[key] = text
		sub(/.*Machine check: /, "", rule[key])
	}
	if (text ~ /RIP.*\{.*\}/) {
		site[key] = text
		sub(/.*\{/, "", site[key])
		sub(/[+}].*/, "", site[key])
	}
	if (!(key in broken) && text ~ complaint) broken[key] = clean(text)
}

function class_of(key,  state)
{
	state = done[key]
	if (state == "skip") return "skip"
	if (state == "") {
		if (status == 240) return "panic"
		if (status == 241) return "hang"
		if (status == 242) return "reset"
		return "wrong"
	}
	if (state == "pass") {
		if (outcome[key] ~ /SIGBUS|[Kk]illed/) return "sigbus"
		if (outcome[key] ~ /-E[A-Z]+|short|EIO|EFAULT|[^0] error/) return "error"
		return "right"
	}
	if (outcome[key] ~ /WRONG|STALE|[Ss]tale/ || key in differs) return "data"
	if (key in note && !(key in beyond) && !(key in broken)) return "costly"
	return "wrong"
}

function why_of(key, class)
{
	if (class == "panic") return panic[key] (key in rule ? ": " rule[key] : "")
	if (class == "hang") return "the guest hung"
	if (class == "reset") return "the machine was reset"
	if (class == "skip") return note[key]
	if (done[key] == "fail") return key in broken ? broken[key] : key in note ? note[key] : "the test failed"
	if (done[key] == "") return "the test program died"
	return ""
}

END {
	for (i = 1; i <= n; i++) {
		key = order[i]
		if (!(key in begun)) continue
		split(key, name, " ")
		class = class_of(key)
		mcs = ""
		if (match(outcome[key], /[0-9]+ #MC/)) {
			mcs = substr(outcome[key], RSTART, RLENGTH - 4)
			text = outcome[key]
			sub(/[,:]? *[0-9]+ #MC/, "", text)
			outcome[key] = text
		} else if (key in counted) {
			mcs = counted[key]
		}
		file = logs "/" name[1] "." name[2] ".txt"
		printf "%s %s\n%s kernel, %s/%s\n", name[1], name[2], kernel, machine, copy >file
		printf "again: rig/guest --kernel %s --machine %s --copy %s -- build/selftests/%s -r %s\n",
			kernel, machine, copy, name[1], name[2] >file
		printf "\n--- what the test said\n%s%s", said[key], done[key] == "" ? tail : "" >file
		printf "\n--- what the kernel said\n%s", console[key] >file
		if (lines[key] > 400) printf "(and %d more lines)\n", lines[key] - 400 >file
		close(file)
		sub(top "/", "", file)
		printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", kernel, machine, copy,
			name[1], name[2], class, mcs, site[key], outcome[key], why_of(key, class), file
	}
}
