// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's copy routines and their exception handlers, run in a program
 * where memory that must not be touched cannot be.
 *
 * The bad line is the first one of an inaccessible page, or the last one, so
 * that a load of it traps. The signal handler does what the kernel does: looks
 * the instruction up in the routines' own exception table, and hands the trap
 * to the routines' own handlers, as #MC or as #PF. Then everything is checked:
 * how often it trapped, the count, each byte that was to be copied, and that
 * no other byte was written. A touch of anything but the bad line is found, a
 * second touch of that line as well.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <asm/copy_mc_recover.h>
#include <asm/extable_desc.h>
#include <asm/extable_fixup_types.h>
#include <asm/trapnr.h>

#include "../../kselftest.h"
#include "retry.h"

#define LINE		64UL
#define SMALL		300		/* every length up to here */
#define LONG		1023		/* and some around where long copies begin */
#define LONGEST		1180
#define SOURCE_PAGES	40
#define CANARY		0xa5
#define PHYS		0x12340000UL	/* of the bad line's page */

#if SHIM_FEATURES & 2
#define CPU		"fsrm"
#elif SHIM_FEATURES & 1
#define CPU		"erms"
#else
#define CPU		"plain"
#endif

/* --- the routines ---------------------------------------------------------- */

static unsigned long copy_user(void *dst, const void *src, unsigned int len)
{
	unsigned long left = len;

	asm volatile("call rep_movs_alternative"
		     : "+c" (left), "+D" (dst), "+S" (src)
		     : : "memory", "rax", "r8", "r9", "r10", "r11", "cc");
	return left;
}

/* All or nothing: the sum of a copy that failed is 0, and nothing else is. */
static unsigned long csum_copy(void *dst, const void *src, unsigned int len)
{
	return csum_partial_copy_generic(src, dst, len) ? 0 : len;
}

struct routine {
	const char *name;
	unsigned long (*copy)(void *dst, const void *src, unsigned int len);
	enum ex_mc_grade grade;
	bool exact_fault;	/* the count is exact for #PF too */
	bool chunks;		/* the count is exact if a string op stops early */
	bool atomic;		/* returns 0 or all */
	bool patched;		/* differs from CPU to CPU */
};

static const struct routine routines[] = {
	{ "copy_mc_fragile", copy_mc_fragile, EX_MC_CALLER, true, true },
	{ "copy_mc_enhanced_fast_string", copy_mc_enhanced_fast_string,
	  EX_MC_CALLER, true, true, .patched = true },
	{ "rep_movs_alternative", copy_user, EX_MC_RECORD, true, .patched = true },
	{ "copy_to_nontemporal", copy_to_nontemporal, EX_MC_RECORD },
	{ "csum_partial_copy_generic", csum_copy, EX_MC_RECORD, .atomic = true },
};

/* --- the kernel's side of a trap ------------------------------------------- */

const struct exception_table_entry *search_exception_tables(unsigned long ip)
{
	const struct exception_table_entry *e;

	for (e = __start___ex_table; e < __stop___ex_table; e++) {
		if ((unsigned long)&e->insn + e->insn == ip)
			return e;
	}
	return NULL;
}

/* Types that do more than jump are not in these routines. */
int ex_type_fixup(const struct exception_table_entry *e, struct pt_regs *regs,
		  int trapnr, unsigned long error_code, unsigned long fault_addr)
{
	(void)trapnr;
	(void)error_code;
	(void)fault_addr;
	regs->ip = (unsigned long)&e->fixup + e->fixup;
	return 1;
}

static bool fixup_page_fault(struct pt_regs *regs, unsigned long addr)
{
	const struct ex_info info = {
		.trapnr	    = X86_TRAP_PF,
		.fault_addr = addr,
	};
	const struct exception_table_entry *e = search_exception_tables(regs->ip);

	return e && (ex_desc_fixup(e, regs, &info) ||
		     ex_type_fixup(e, regs, X86_TRAP_PF, 0, addr));
}

static struct {
	u8 *bad;		/* the bad line, or NULL: then all traps are #PF */
	u8 *none;		/* what is not there */
	size_t none_len;
	u8 *dst;
	enum ex_mc_grade grade;
	size_t rewind;		/* bytes that a string instruction forgets */
	size_t rewound;
	unsigned int traps;
	const char *wrong;
} now;

static sigjmp_buf out;

static void give_up(const char *why)
{
	now.wrong = why;
	siglongjmp(out, 1);
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	u8 *addr = si->si_addr;
	struct pt_regs regs = {
		.ax = g[REG_RAX], .bx = g[REG_RBX], .cx = g[REG_RCX],
		.dx = g[REG_RDX], .si = g[REG_RSI], .di = g[REG_RDI],
		.bp = g[REG_RBP], .sp = g[REG_RSP], .r8 = g[REG_R8],
		.r9 = g[REG_R9], .r10 = g[REG_R10], .r11 = g[REG_R11],
		.r12 = g[REG_R12], .r13 = g[REG_R13], .r14 = g[REG_R14],
		.r15 = g[REG_R15], .ip = g[REG_RIP],
	};
	const u8 *code = (const u8 *)regs.ip;

	(void)sig;
	if (++now.traps > 16)
		give_up("does not end");
	if (!search_exception_tables(regs.ip))
		give_up("trapped where there is no entry");
	if (addr < now.none || addr >= now.none + now.none_len)
		give_up("touched what nobody asked for");

	if (now.bad && addr >= now.bad && addr < now.bad + LINE) {
		const struct ex_info info = {
			.trapnr	  = X86_TRAP_MC,
			.mc_addr  = PHYS + (unsigned long)addr % PAGE_SIZE / LINE * LINE,
			.mc_lsb	  = 6,
			.mc_valid = true,
		};

		if (ex_mc_grade(regs.ip) != now.grade)
			give_up("another grade than expected");
		/* rep movsb */
		if (code[0] == 0xf3 && code[1] == 0xa4) {
			now.rewound = min(now.rewind, regs.di - (unsigned long)now.dst);
			regs.si -= now.rewound;
			regs.di -= now.rewound;
			regs.cx += now.rewound;
		}
		if (!ex_mc_fixup(&regs, &info))
			give_up("the handler declined");
	} else if (now.bad) {
		give_up("ran past the bad line");
	} else if (!fixup_page_fault(&regs, (unsigned long)addr)) {
		give_up("the handler declined");
	}

	g[REG_RAX] = regs.ax;
	g[REG_RCX] = regs.cx;
	g[REG_RDX] = regs.dx;
	g[REG_RSI] = regs.si;
	g[REG_RDI] = regs.di;
	g[REG_RIP] = regs.ip;
}

/* --- one copy --------------------------------------------------------------- */

static u8 *source;		/* SOURCE_PAGES, then pages that are not there */
static u8 *behind;		/* the first page behind them */
static u8 *after;		/* a page that is there, behind one that is not */
static u8 *target;		/* as the source, for stores */
static u8 *target_end;

static unsigned long cases;

static u8 pattern(const u8 *p)
{
	unsigned long x = (unsigned long)p * 0x9e3779b97f4a7c15UL;

	return x >> 56 | 1;
}

static void fill(u8 *p, size_t len)
{
	for (; len--; p++)
		*p = pattern(p);
}

/*
 * Copy @len bytes from @src to @dst, of which @good can be read and @room can
 * be written. Prints what is wrong, if anything is.
 */
static bool try(const struct routine *r, u8 *dst, const u8 *src, size_t len,
		size_t good, size_t room)
{
	size_t can = min(good, room), copied, i;
	bool may_store = r->atomic || !r->exact_fault;
	u8 *end = dst + min(len, room), *wide = end + 128 < target_end ? end + 128 : target_end;
	unsigned long left = 0;

	cases++;
	now.dst = dst;
	now.traps = 0;
	now.rewound = 0;
	now.wrong = NULL;
	memset(dst - 64, CANARY, wide - (dst - 64));
	if (!sigsetjmp(out, 1))
		left = r->copy(dst, src, len);
	if (now.wrong)
		goto bad;

	copied = len - left;
	if (left > len)
		now.wrong = "the count is too large";
	else if (can >= len && (now.traps || left))
		now.wrong = "failed, and there was no reason to";
	else if (can >= len)
		;
	else if (!now.traps)
		now.wrong = "did not trap";
	else if (now.bad && now.traps != 1)
		now.wrong = "touched the bad line again";
	else if (r->atomic && left != len)
		now.wrong = "says that all is well";
	else if (!r->atomic && copied > can)
		now.wrong = "says that it copied what cannot be copied";
	else if (!r->atomic && (now.bad || r->exact_fault) &&
		 copied + (r->chunks ? 0 : now.rewound) != can)
		now.wrong = "did not copy all that it could";
	if (now.wrong)
		goto bad;

	for (i = 0; i < (r->atomic && left ? 0 : copied); i++) {
		if (dst[i] != pattern(src + i)) {
			now.wrong = "the data is wrong";
			goto bad;
		}
	}
	/* What was stored and not counted is lawful up to the bad byte only. */
	may_store |= now.rewound;
	for (i = copied; dst + i < wide; i++) {
		if (dst[i] != CANARY && (i >= can || !may_store)) {
			now.wrong = "wrote more than it says";
			goto bad;
		}
	}
	for (i = 1; i <= 64; i++) {
		if (dst[-(long)i] != CANARY) {
			now.wrong = "wrote in front of the destination";
			goto bad;
		}
	}
	return true;
bad:
	ksft_print_msg("%s: %s: %zu bytes, %zu can be read and %zu written\n",
		       r->name, now.wrong, len, good, room);
	ksft_print_msg("source at line+%lu, destination at line+%lu, string stops %zu early\n",
		       (unsigned long)src % LINE, (unsigned long)dst % LINE, now.rewound);
	ksft_print_msg("returned %lu after %u traps (%s)\n", left, now.traps,
		       now.bad ? "#MC" : "#PF");
	return false;
}

/* --- the sweeps -------------------------------------------------------------- */

static const size_t large[] = { 511, 512, 1000, 4096, 4097, 16384, 65536 + 13, 100000 };
static const u8 dst_at[] = { 0, 1, 3, 4, 8, 59 };
static const u8 few_dst_at[] = { 0, 3 };

static size_t next(size_t len)
{
	if (len < SMALL)
		return len + 1;
	if (len == SMALL)
		return LONG;
	/* Another end in the line each time, and 1024 among them. */
	return len == LONG ? len + 1 : len + 13;
}

static void where(u8 *none, size_t len, u8 *bad)
{
	now.none = none;
	now.none_len = len;
	now.bad = bad;
}

static bool no_fault(const struct routine *r)
{
	size_t len, at, i;

	where(behind, 2 * PAGE_SIZE, behind);
	for (len = 0; len <= LONGEST; len = next(len)) {
		for (at = 0; at < LINE; at++) {
			for (i = 0; i < ARRAY_SIZE(dst_at); i++)
				if (!try(r, target + 64 + dst_at[i], source + at, len, len, len))
					return false;
		}
		/* Nothing behind the source is touched. */
		for (i = 0; i < ARRAY_SIZE(dst_at); i++)
			if (!try(r, target + 64 + dst_at[i], behind - len, len, len, len))
				return false;
	}
	for (i = 0; i < ARRAY_SIZE(large); i++)
		if (!try(r, target + 64 + i, behind - large[i], large[i],
			 large[i], large[i]))
			return false;
	return true;
}

/* The bad line is the one at @behind: each distance to it, each length. */
static bool bad_source(const struct routine *r, bool mc)
{
	size_t len, good, i, step;

	where(behind, 2 * PAGE_SIZE, mc ? behind : NULL);
	for (len = 1; len <= LONGEST; len = next(len)) {
		for (good = 0; good < len; good++) {
			for (i = 0; i < ARRAY_SIZE(few_dst_at); i++)
				if (!try(r, target + 64 + few_dst_at[i], behind - good, len,
					 good, len))
					return false;
		}
	}
	for (i = 0; i < ARRAY_SIZE(large); i++) {
		step = large[i] / 61 + 1;
		for (good = 0; good < large[i]; good += step)
			if (!try(r, target + 64 + good % 9, behind - good, large[i],
				 good, large[i]))
				return false;
	}
	return true;
}

static bool bad_source_mc(const struct routine *r)
{
	return bad_source(r, true);
}

static bool bad_source_pf(const struct routine *r)
{
	return bad_source(r, false);
}

/* A load that begins in the bad line and ends in the good one behind it. */
static bool bad_first_line(const struct routine *r)
{
	size_t len, back, i;

	where(after - PAGE_SIZE, PAGE_SIZE, after - LINE);
	for (len = 1; len <= LONGEST; len = next(len)) {
		for (back = 1; back <= LINE; back++) {
			for (i = 0; i < ARRAY_SIZE(few_dst_at); i++)
				if (!try(r, target + 64 + few_dst_at[i], after - back, len, 0, len))
					return false;
		}
	}
	return true;
}

/* Microcode that reports a string instruction at the start of a chunk. */
static bool bad_source_chunk(const struct routine *r)
{
	size_t len, good;
	bool ok = true;

	where(behind, 2 * PAGE_SIZE, behind);
	for (now.rewind = 1; ok && now.rewind <= 64; now.rewind++) {
		for (len = now.rewind; ok && len <= SMALL; len += 61)
			for (good = 0; ok && good < len; good++)
				ok = try(r, target + 64, behind - good, len, good, len);
		for (good = 0; ok && good < 8192; good += 509)
			ok = try(r, target + 64, behind - good, 8192, good, 8192);
	}
	now.rewind = 0;
	return ok;
}

/* A destination that ends early, as user memory may. */
static bool bad_target(const struct routine *r)
{
	size_t len, room, at;

	where(target_end, 2 * PAGE_SIZE, NULL);
	for (len = 1; len <= LONGEST; len = next(len)) {
		for (room = 0; room < len; room++)
			for (at = 0; at < ARRAY_SIZE(few_dst_at); at++)
				if (!try(r, target_end - room, source + few_dst_at[at], len,
					 len, room))
					return false;
	}
	return true;
}

static const struct sweep {
	const char *name;
	bool (*run)(const struct routine *r);
	bool only_exact;
} sweeps[] = {
	{ "copies all, and touches nothing else", no_fault },
	{ "#MC in the source, at each offset", bad_source_mc },
	{ "#MC in the line that the source begins in", bad_first_line },
	{ "#MC, and a string instruction stops early", bad_source_chunk },
	{ "#PF in the source, at each offset", bad_source_pf },
	{ "#PF in the destination, at each offset", bad_target, true },
};

/* What no CPU changes is run in one of the three programs only. */
static bool applies(const struct routine *r, const struct sweep *s)
{
	if (!r->patched && SHIM_FEATURES)
		return false;

	return r->exact_fault || !s->only_exact;
}

/* Room of @pages, with two pages behind it that are not there; sets *@end. */
static u8 *room_of(size_t pages, u8 **end)
{
	u8 *p = mmap(NULL, (pages + 3) * PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	*end = p + pages * PAGE_SIZE;
	fill(p, (pages + 3) * PAGE_SIZE);
	return p;
}

int main(void)
{
	struct sigaction act = {
		.sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	const struct routine *r;
	const struct sweep *s;
	unsigned int plan = 0;

	ksft_print_header();
	for (r = routines; r < routines + ARRAY_SIZE(routines); r++)
		for (s = sweeps; s < sweeps + ARRAY_SIZE(sweeps); s++)
			plan += applies(r, s);
	plan += !SHIM_FEATURES;
	ksft_set_plan(plan);
	source = room_of(SOURCE_PAGES, &behind);
	target = room_of(SOURCE_PAGES, &target_end);
	after = behind + 2 * PAGE_SIZE;
	mprotect(behind, 2 * PAGE_SIZE, PROT_NONE);
	mprotect(target_end, 2 * PAGE_SIZE, PROT_NONE);
	sigaction(SIGSEGV, &act, NULL);

	for (r = routines; r < routines + ARRAY_SIZE(routines); r++) {
		for (s = sweeps; s < sweeps + ARRAY_SIZE(sweeps); s++) {
			if (!applies(r, s))
				continue;
			cases = 0;
			now.grade = r->grade;
			ksft_test_result(s->run(r), CPU " %s: %s\n", r->name, s->name);
			ksft_print_msg("%lu copies\n", cases);
		}
	}
	if (!SHIM_FEATURES) {
		cases = 0;
		ksft_test_result(retry_keeps_registers(&cases),
				 "a load that is repeated: registers and flags\n");
		ksft_print_msg("%lu combinations of flags\n", cases);
	}
	ksft_finished();
}
