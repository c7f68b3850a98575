# SPDX-License-Identifier: GPL-2.0
#
# Reads System.map, sorted, and QEMU's log of executed instructions (-d exec with
# one instruction a block). Prints "INSTRUCTIONS FUNCTION".

NR == FNR {
	if ($2 ~ /^[tTwW]$/) {
		address[n] = $1
		name[n++] = $3
	}
	next
}

/^Trace / {
	split($4, part, "/")
	pc = part[2]
	if (!(pc in memo)) {
		low = 0
		high = n - 1
		while (low < high) {
			middle = int((low + high + 1) / 2)
			# Sixteen digits each: as strings they are in order.
			if (address[middle] "" <= pc "")
				low = middle
			else
				high = middle - 1
		}
		memo[pc] = name[low]
	}
	# Between two calls of getppid(), the program says.
	if (memo[pc] ~ /_sys_getppid$/ && last !~ /_sys_getppid$/)
		inside++
	last = memo[pc]
	if (inside == 1)
		count[memo[pc]]++
}

END {
	for (f in count)
		print count[f], f
}
