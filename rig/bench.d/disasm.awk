# SPDX-License-Identifier: GPL-2.0
#
# Compare functions of two kernels, instruction by instruction.
#
#	awk -v dir=DIR -f disasm.awk FUNCTIONS STOCK OURS
#
# FUNCTIONS is rig/bench.d/functions; STOCK and OURS are what objdump -d
# --no-show-raw-insn says. Each function goes to DIR/stock/FUNCTION and
# DIR/ours/FUNCTION in a form that can be compared, and what gcc put out of line
# to FUNCTION.cold. Prints "CLASS FUNCTION STOCK OURS STOCKPATH OURSPATH FIGURE":
# numbers of instructions; a path is what runs when no branch is taken; FIGURE is
# what FUNCTIONS says, or nothing.
#
# With -v all=1, each function of the kernel that differs goes to DIR/changed:
# "FUNCTION STOCK OURS".
#
# Addresses of code and data go, what a call calls stays. Padding goes.

function base(name) {
	sub(/\.(part|isra|constprop|cold)\..*|\.cold$/, "", name)
	return name
}

function normal(text,  name, known) {
	known = match(text, /<[^>]*>/)
	if (known) {
		name = substr(text, RSTART + 1, RLENGTH - 2)
		text = substr(text, 1, RSTART - 1)
		sub(/ *(# [0-9a-f]+)? *$/, "", text)
		sub(/[+-]0x[0-9a-f]*$/, "", name)
		if (name ~ /\.cold/)
			name = "out of line"
		else if (base(name) == current)
			name = "here"
		else
			name = base(name)
		if (text ~ /^(call|j[a-z]+|loop) /)
			sub(/[0-9a-f]+$/, name, text)
		else
			sub(/-?0x[0-9a-f]+\(%rip\)/, "DATA(%rip)", text)
	}
	if (text ~ /ffffffff[89a-f]/)
		gsub(/0xffffffff[89a-f][0-9a-f]+/, "ADDRESS", text)
	if (text ~ /0x[67][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\(/)
		gsub(/-?0x[67][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\(/, "TABLE(", text)
	gsub(/[ \t]+/, " ", text)
	return text
}

# The way from the first instruction when each conditional branch falls through.
function straight(  at, steps, op, been) {
	at = 1
	while (at && at <= n && !(at in been)) {
		been[at] = 1
		op = insn[at]
		sub(/ .*/, "", op)
		steps++
		if (op ~ /^(ret|ud2|iret|int3)/)
			break
		if (op != "jmp")
			at++
		else
			at = target[at] in place ? place[target[at]] : 0
	}
	return steps
}

function finish() {
	if (current != "" && n && !cold) {
		count[kernel, current] += n
		if (current in class && !((kernel, current) in path))
			path[kernel, current] = straight()
	}
	delete place
	n = 0
}

FILENAME == ARGV[1] {
	sub(/#.*/, "")
	if (NF >= 2) {
		class[$2] = $1
		figure[$2] = $3
		order[++functions] = $2
	}
	next
}

FNR == 1 {
	finish()
	kernel = FILENAME == ARGV[2] ? "stock" : "ours"
}

/^[0-9a-f]+ <.*>:$/ {
	finish()
	name = substr($2, 2, length($2) - 3)
	current = base(name)
	cold = name ~ /\.cold/
	listed = current in class
	if (!listed && !all)
		current = ""
	file = dir "/" kernel "/" current (cold ? ".cold" : "")
	next
}

current != "" && /^[0-9a-f]+:\t/ {
	text = substr($0, index($0, "\t") + 1)
	if (text ~ /nop|xchg +%ax,%ax|^int3|^lfence/ && text ~ /^((data16|cs|ds|es|rex[.A-Z]*) )*(nop[lw]?|xchg +%ax,%ax|int3|lfence)([ \t]|$)/)
		next
	n++
	text = normal(text)
	if (listed) {
		address = $1
		sub(/:$/, "", address)
		place[address] = n
		target[n] = $2 ~ /^j/ ? $3 : ""
		insn[n] = text
		print text >file
	}
	if (all && !cold) {
		if (!(text in number))
			number[text] = ++numbers
		sum[kernel, current] = (sum[kernel, current] * 131 + number[text]) % 68718952401
		if (kernel == "ours")
			seen[current] = 1
	}
}

END {
	finish()
	for (i = 1; i <= functions; i++) {
		name = order[i]
		print class[name], name, count["stock", name] + 0, count["ours", name] + 0, \
			path["stock", name] + 0, path["ours", name] + 0, figure[name]
	}
	for (name in seen)
		if (sum["stock", name] != sum["ours", name])
			print name, count["stock", name] + 0, count["ours", name] + 0 >(dir "/changed")
}
