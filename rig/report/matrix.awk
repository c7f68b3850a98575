# SPDX-License-Identifier: GPL-2.0
#
# The matrix as a page: matrix.tsv in, HTML for its body out.
#
#	awk -v base= -v stock= -v ours= -v date= -v took= -f matrix.awk INTROS matrix.tsv
#
# INTROS has a line a program: its name, a tab, and what it is about.

BEGIN {
	FS = "\t"
	nclass = split("right error sigbus costly wrong data panic hang reset skip", class, " ")
	split("done, with the right data or count;an error, where data is lost;SIGBUS to the program that touched it;" \
		"as it should be, for more machine checks than one;wrong, but the machine lives;" \
		"wrong data, and no error;panic;hang;reset;skipped", text, ";")
	split("✓;e;s;+;!;≠;×;h;r;–", sign, ";")
	for (i = 1; i <= nclass; i++) {
		title_of[class[i]] = text[i]
		sign_of[class[i]] = sign[i]
		rank[class[i]] = i == nclass ? 0 : i
	}
	who["stock"] = "stock"
	who["series"] = "ours"
	nk = split("stock series", kernels, " ")
}

function esc(s)
{
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	gsub(/"/, "\\&quot;", s)
	gsub(/-E/, "-\\&#8288;E", s)	# -EIO stays in one piece
	return s
}

# A test's name without what the harness adds.
function short(test)
{
	sub(/^global\./, "", test)
	return test
}

NR == FNR { intro[$1] = $2; next }
FNR == 1 { next }
{
	key = $4 "\t" $5
	if (!(key in known)) {
		known[key] = ++ncases
		program[ncases] = $4
		test[ncases] = $5
		if (!($4 in pnumber)) { pnumber[$4] = ++nprograms; pname[nprograms] = $4 }
		split($5, part, ".")
		if (!(($4, part[1], last($5)) in seen)) {
			seen[$4, part[1], last($5)] = 1
			ntests[$4, part[1]]++
		}
	}
	i = known[key]
	model = $2 "/" $3
	if (!(model in mnumber)) { mnumber[model] = ++nmodels; mname[nmodels] = model }
	total[$1]++
	count[$1, $6]++
	if (!((i, $1) in worst) || rank[$6] > rank[worst[i, $1]]) worst[i, $1] = $6
	if ($6 == "panic" && !($10 in word)) { word[$10] = ++nwords; words[nwords] = $10 }
	if ($6 == "panic") { wcount[$10]++; wkernel[$10, $1]++ }

	# The same on several models is told once.
	same = $6 FS $7 FS $9 FS ($6 == "panic" ? $8 FS $10 : $10)
	if (!((i, $1, same) in which)) {
		which[i, $1, same] = ++nouts[i, $1]
		out[i, $1, nouts[i, $1]] = $0
	}
	on[i, $1, which[i, $1, same]] = on[i, $1, which[i, $1, same]] (on[i, $1, which[i, $1, same]] == "" ? "" : ", ") model
	told[i, $1]++
}

function last(name)
{
	sub(/.*\./, "", name)
	return name
}

function mark(c, extra)
{
	return "<span class=\"mark " c "\" aria-hidden=true" extra ">" sign_of[c] "</span>"
}

function cell(i, k,  n, f, s, o)
{
	o = ""
	for (n = 1; n <= nouts[i, k]; n++) {
		split(out[i, k, n], f, FS)
		o = o "<div class=\"out " f[6] "\">" mark(f[6]) "<span class=text>"
		s = f[9]
		if (f[6] == "panic")
			o = o "panic" (f[8] == "" ? "" : " in <code>" esc(f[8]) "</code>") \
				"<sup><a href=\"#word" word[f[10]] "\" title=\"" esc(f[10]) "\">" word[f[10]] "</a></sup>"
		else if (f[6] == "skip")
			o = o "skipped<small>" esc(f[10]) "</small>"
		else {
			o = o esc(s != "" ? s : f[6] == "right" ? "as it should be" : title_of[f[6]])
			if (f[6] == "wrong" || f[6] == "data" || f[6] == "hang" || f[6] == "reset")
				o = o "<small>" esc(f[10]) "</small>"
		}
		if (nouts[i, k] > 1)
			o = o "<small>" esc(on[i, k, n]) "</small>"
		o = o "</span><span class=side>"
		if (f[7] != "" && f[6] != "panic" && f[6] != "skip")
			o = o (f[6] == "costly" ? "<b>" f[7] " #MC</b>" : f[7] " #MC")
		o = o "<a href=\"" esc(f[11]) "\" aria-label=\"log of " esc(short(test[i])) ", " who[k] "\">log</a></span></div>"
	}
	return o == "" ? "<div class=\"out none\"><span></span><span class=\"soft\">not run</span></div>" : o
}

END {
	sp = count["stock", "panic"] + 0
	op = count["series", "panic"] + 0
	print "<header>"
	print "<h1>Bad memory, case by case</h1>"
	printf "<p class=lead>%d uses of a poisoned line of user data, on Linux %s as Debian has it and with our series. ", ncases, esc(base)
	if (total["stock"] && total["series"])
		printf "Stock panics in <strong>%d</strong>%s, ours in <strong>%d</strong>.",
			sp, (nmodels > 1 ? " of " total["stock"] " runs" : ""), op
	print "</p>"
	printf "<p class=soft>%s. Stock %s, ours %s; %s.%s</p>\n",
		date, esc(stock), esc(ours),
		nmodels == 1 ? "the poison PC as " esc(mname[1]) : nmodels " models of the poison PC", took

	print "<table class=totals><thead><tr><th scope=col>what came of it</th><th scope=col class=n>stock</th><th scope=col class=n>ours</th></tr></thead><tbody>"
	for (c = 1; c <= nclass; c++) {
		if (!(count["stock", class[c]] + count["series", class[c]]) && class[c] != "panic") continue
		printf "<tr><th scope=row>%s<span>%s</span></th>", mark(class[c]), title_of[class[c]]
		for (k = 1; k <= nk; k++)
			printf "<td class=\"n%s\">%d</td>", count[kernels[k], class[c]] ? "" : " zero", count[kernels[k], class[c]]
		print "</tr>"
	}
	printf "</tbody><tfoot><tr><th scope=row>%s</th><td class=n>%d</td><td class=n>%d</td></tr></tfoot></table>\n",
		(nmodels > 1 ? "runs" : "cases"), total["stock"], total["series"]
	print "</header>"

	print "<section id=overview><h2>All of them</h2>"
	print "<p class=soft>A square is a case; it leads to its row below.</p><div class=map>"
	for (p = 1; p <= nprograms; p++) {
		if (p > 1) print "<div class=gap></div>"
		printf "<a class=name href=\"#%s\">%s</a>", pname[p], pname[p]
		for (k = 1; k <= nk; k++) {
			printf "<span class=who>%s</span><span class=row>", who[kernels[k]]
			for (i = 1; i <= ncases; i++) {
				if (program[i] != pname[p]) continue
				c = (i, kernels[k]) in worst ? worst[i, kernels[k]] : "none"
				printf "<a class=\"mark %s\" href=\"#c%d\" title=\"%s: %s\" aria-label=\"%s, %s: %s\">%s</a>", c, i,
					esc(short(test[i])), c == "none" ? "not run" : title_of[c],
					esc(short(test[i])), who[kernels[k]], c == "none" ? "not run" : title_of[c], sign_of[c]
			}
			print "</span>"
		}
	}
	print "</div></section>"

	for (p = 1; p <= nprograms; p++) {
		printf "<section id=\"%s\"><h2 class=prog>%s</h2>\n", pname[p], pname[p]
		if (intro[pname[p]] != "") printf "<p>%s</p>\n", esc(intro[pname[p]])
		print "<table class=cases><colgroup><col class=case><col><col></colgroup>"
		print "<thead><tr><th scope=col>case</th><th scope=col>stock</th><th scope=col>ours</th></tr></thead>"
		group = "\n"
		open = 0
		for (i = 1; i <= ncases; i++) {
			if (program[i] != pname[p]) continue
			n = split(test[i], part, ".")
			label = part[n]
			if (part[1] == "global") { g = ""; }
			else if (ntests[pname[p], part[1]] <= 3 && n == 3) { g = part[1]; label = part[2] (part[3] == "once" ? "" : ", " part[3]) }
			else if (n == 3) g = part[1] ", " part[2]
			else g = part[1]
			if (g != group) {
				print (open ? "</tbody>" : "") "<tbody>"
				open = 1
				if (g != "") printf "<tr class=group><th scope=rowgroup colspan=3 class=name>%s</th></tr>\n", esc(g)
				group = g
			}
			printf "<tr id=c%d><th scope=row class=name>%s</th>", i, esc(label)
			for (k = 1; k <= nk; k++)
				printf "<td data-who=%s>%s</td>", who[kernels[k]], cell(i, kernels[k])
			print "</tr>"
		}
		print "</tbody></table></section>"
	}

	if (nwords) {
		print "<section><h2>Last words</h2><ol>"
		for (w = 1; w <= nwords; w++) {
			printf "<li id=word%d><code>%s</code> <span class=soft>", w, esc(words[w])
			sep = ""
			for (k = 1; k <= nk; k++)
				if (wkernel[words[w], kernels[k]]) {
					printf "%s%s %d", sep, who[kernels[k]], wkernel[words[w], kernels[k]]
					sep = ", "
				}
			print "</span></li>"
		}
		print "</ol></section>"
	}
	print "<footer><p>#MC: machine checks that the case cost, as the machine counts them. One is the least. " \
		"After a panic, or a failure that the kernel complains of, the next case has a new guest. " \
		"Made by <code>make matrix</code>; the same as a table: <a href=\"matrix.tsv\">matrix.tsv</a>.</p></footer>"
}
