// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The test guest: holds the poison PC against the manuals, row by row.
 *
 * It prints "ok NAME", "not ok NAME # why" or "skip NAME # why"; rig/qemu/test
 * runs it on each machine model and makes KTAP of that. "want:" and "ready"
 * lines are for its dialogue with the script.
 */
#include "guest.h"

#define DEVICE		0xfef00000ul
#define REG_CONSUMED	(DEVICE + 0x08)
#define REG_LINES	(DEVICE + 0x10)
#define REG_RECORDS	(DEVICE + 0x18)
#define REG_CAPACITY	(DEVICE + 0x20)
#define REG_DMA_REFUSED	(DEVICE + 0x30)
#define REG_LEFT_OUT	(DEVICE + 0x38)
#define REG_LATENT	(DEVICE + 0x40)
#define EINJ_STATE	(DEVICE + 0x100)
#define EINJ_TYPE	(DEVICE + 0x108)
#define EINJ_CAPS	(DEVICE + 0x110)
#define EINJ_EXECUTE	(DEVICE + 0x118)
#define EINJ_BUSY	(DEVICE + 0x120)
#define EINJ_STATUS	(DEVICE + 0x128)
#define EINJ_TRIGGER	(DEVICE + 0x130)
#define EINJ_PARAM	(DEVICE + 0x180)
#define LOG		(DEVICE + 0x800)

#define APIC		0xfee00000ul
#define MEMORY		0x2000000ul	/* where tests take memory from */
#define SURVIVES	0x1f00000ul	/* not loaded over by a reset */

struct cpu cpus[2];
bool amd, lmce, keep_mcip;
static volatile bool hold_ap;	/* keep the second CPU in its #MC handler */
extern char command_line[], idt_pointer[];
extern u64 pml4[512];
extern char vector6[], vector13[], vector14[], vector18[];
struct { u64 lo, hi; } idt[32];
static u64 next_page = MEMORY;
static bool has_avx;
static char detail[256];
static unsigned detail_len;

/* ---- saying things ---- */

static bool word(const char *w);

static void put(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, c);
}

void print(const char *s)
{
	while (*s)
		put(*s++);
}

void leave(int code)
{
	outb(0xf4, code);
	for (;;)
		asm volatile("cli; hlt");
}

static void note(const char *s)
{
	while (*s && detail_len < sizeof(detail) - 1)
		detail[detail_len++] = *s++;
	detail[detail_len] = 0;
}

static void note_hex(const char *what, u64 v)
{
	char digits[19] = "0x";
	int i, n = 2;

	for (i = 60; i >= 0; i -= 4)
		if (n > 2 || v >> i || !i)
			digits[n++] = "0123456789abcdef"[v >> i & 15];
	digits[n] = 0;
	note(" ");
	note(what);
	note(" ");
	note(digits);
}

void report(bool ok, const char *name, const char *why)
{
	print(ok ? "ok " : "not ok ");
	print(name);
	if (!ok) {
		print(" # ");
		print(why);
		print(detail);
	}
	print("\n");
	detail_len = 0;
	detail[0] = 0;
}

void skip(const char *name, const char *why)
{
	print("skip ");
	print(name);
	print(" # ");
	print(why);
	print("\n");
}

/* ---- exceptions ---- */

struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx;
	u64 rax, vector, error, rip, cs, rflags, rsp, ss;
};

struct cpu *this_cpu(void)
{
	return &cpus[read32(APIC + 0x20) >> 24];
}

static void machine_check(struct cpu *c, struct frame *f)
{
	int i;

	c->mcg = rdmsr(0x17a);
	c->banks = 0;
	for (i = 0; i < 10; i++) {
		u64 status = rdmsr(0x401 + 4 * i);

		if (!(status >> 63))
			continue;
		c->banks++;
		c->bank = i;
		c->status = status;
		c->addr = rdmsr(0x402 + 4 * i);
		c->misc = rdmsr(0x403 + 4 * i);
		wrmsr(0x401 + 4 * i, 0);
	}
	c->rip = f->rip;
	c->rsi = f->rsi;
	c->rdi = f->rdi;
	c->rcx = f->rcx;
	if (c->mcg & EIPV || c->banks) {
		c->mce++;
		if (c->resume) {
			f->rip = c->resume;
			c->resume = 0;
		}
	} else {
		c->others++;
	}
	while (hold_ap && c == &cpus[1])
		pause();
	if (!keep_mcip)
		wrmsr(0x17a, 0);
}

void exception(struct frame *f)
{
	struct cpu *c = this_cpu();

	if (f->vector == 18) {
		machine_check(c, f);
	} else if (c->resume) {
		c->gp++;
		f->rip = c->resume;
		c->resume = 0;
	} else {
		note_hex("vector", f->vector);
		note_hex("rip", f->rip);
		report(false, "no other exception", "");
		leave(1);
	}
}

static void gate(int n, char *entry)
{
	u64 a = (u64)entry;

	idt[n].lo = (a & 0xffff) | 8 << 16 | 0x8e00ul << 32 |
		    (a >> 16 & 0xffff) << 48;
	idt[n].hi = a >> 32;
}

static void clear(struct cpu *c)
{
	c->mce = 0;
	c->others = 0;
	c->gp = 0;
	c->rip = 0;
	c->mcg = 0;
	c->banks = 0;
	c->status = 0;
	c->addr = 0;
	c->misc = 0;
}

/* ---- poison ---- */

static u64 einj(u32 type, u32 flags, u64 addr, u64 mask)
{
	u64 status;

	write64(EINJ_STATE, 1);
	write32(EINJ_PARAM, type);
	write32(EINJ_PARAM + 8, flags);
	write64(EINJ_PARAM + 16, addr);
	write64(EINJ_PARAM + 24, mask);
	write64(EINJ_EXECUTE, 1);
	while (read64(EINJ_BUSY) & 1)
		pause();
	status = read64(EINJ_STATUS) >> 1;
	write64(EINJ_STATE, 0);
	return status;
}

static void arm(u64 addr)
{
	if (einj(0x10, 2, addr, ~0ul)) {
		note_hex("address", addr);
		report(false, "arm", "EINJ refuses");
		leave(1);
	}
}

/* One full line, as write-combining hardware would write it */
static void heal(u64 line)
{
	int i;

	line &= ~(LINE - 1ul);
	for (i = 0; i < LINE; i += 8)
		asm volatile("movnti %1, (%0)" : : "r"(line + i), "r"(0x1111ul)
			     : "memory");
}

/* A page that no test has used; the one after it is free, too. */
static u64 page(void)
{
	u64 p = next_page, i;

	next_page += 4 * PAGE;
	for (i = 0; i < 2 * PAGE; i += 8)
		write64(p + i, 0x5a5a5a5a5a5a5a5aul);
	return p;
}

/* Did the CPU take exactly the #MC that the manuals tell? */
static bool took(struct cpu *c, enum kind kind, u64 addr)
{
	u64 status, misc, mcg = RIPV | EIPV | MCIP | (lmce ? LMCE_S : 0);
	int bank;

	if (amd) {
		/* VAL UC EN ADDRV, Poison; memory hierarchy error, level 1 */
		status = 0xb400080000000000ul | (kind == FETCH ? 0x151 : 0x135);
		bank = kind == FETCH ? 1 : 0;
		misc = 0;
	} else {
		/* VAL UC EN MISCV ADDRV S AR */
		status = 0xbd80000000000000ul | (kind == FETCH ? 0x150 : 0x134);
		bank = kind == FETCH ? 0 : 1;
		misc = 0x86;
	}
	if (c->mce == 1 && c->rip == c->want_rip && c->banks == 1 &&
	    c->bank == bank && c->status == status && c->addr == addr &&
	    c->misc == misc && c->mcg == mcg)
		return true;
	note_hex("#MCs", c->mce);
	note_hex("rip-want", c->rip - c->want_rip);
	note_hex("bank", c->bank);
	note_hex("status", c->status);
	note_hex("addr", c->addr);
	note_hex("want", addr);
	note_hex("misc", c->misc);
	note_hex("mcg", c->mcg);
	return false;
}

static bool untouched(struct cpu *c)
{
	if (!c->mce && !c->others)
		return true;
	note_hex("#MCs", c->mce);
	note_hex("addr", c->addr);
	return false;
}

static void load8(struct cpu *c, u64 a)
{
	u64 v;

	clear(c);
	TRY(c, "movq (%2), %0", "=&r"(v), "r"(a));
	(void)v;
}

/* ---- the rows ---- */

static void loads(struct cpu *c)
{
	u64 p = page() + 512, v;
	bool ok;

#define ROW(name, size, insn, clobber)					\
	do {								\
		arm(p + 8);						\
		clear(c);						\
		TRY(c, insn, "=&a"(v), "r"(p + LINE - size));		\
		ok = took(c, LOAD, p + LINE - size);			\
		clear(c);						\
		TRY(c, insn, "=&a"(v), "r"(p - size));			\
		ok &= untouched(c);					\
		TRY(c, insn, "=&a"(v), "r"(p + LINE));			\
		ok &= untouched(c);					\
		heal(p);						\
		clear(c);						\
		TRY(c, insn, "=&a"(v), "r"(p));				\
		ok &= untouched(c);					\
		report(ok, name, "");					\
	} while (0)
	ROW("load of 1 byte", 1, "movb (%2), %%al", "");
	ROW("load of 2 bytes", 2, "movw (%2), %%ax", "");
	ROW("load of 4 bytes", 4, "movl (%2), %%eax", "");
	ROW("load of 8 bytes", 8, "movq (%2), %%rax", "");
	ROW("load of 16 bytes", 16, "movdqu (%2), %%xmm0", "");
	if (has_avx)
		ROW("load of 32 bytes", 32, "vmovdqu (%2), %%ymm0", "");
	else
		skip("load of 32 bytes", "no AVX");
#undef ROW
}

static void straddles(struct cpu *c)
{
	u64 p = page(), v;
	bool ok;

	arm(p + 128);
	load8(c, p + 124);
	ok = took(c, LOAD, p + 128);
	load8(c, p + 120);
	ok &= untouched(c);
	report(ok, "load over a line's start", "");

	load8(c, p + 188);
	ok = took(c, LOAD, p + 188);
	load8(c, p + 192);
	ok &= untouched(c);
	report(ok, "load over a line's end", "");
	heal(p + 128);

	arm(p + PAGE);
	load8(c, p + PAGE - 4);
	ok = took(c, LOAD, p + PAGE);
	heal(p + PAGE);
	report(ok, "load over a page's end, second page poisoned", "");

	arm(p + PAGE - 1);
	load8(c, p + PAGE - 4);
	ok = took(c, LOAD, p + PAGE - 4);
	report(ok, "load over a page's end, first page poisoned", "");

	clear(c);
	if (has_avx) {
		TRY(c, "vmovdqu (%2), %%ymm0", "=&r"(v), "r"(p + PAGE - 80));
		report(took(c, LOAD, p + PAGE - 64),
		       "load of 32 bytes over a line's start", "");
	}
	heal(p + PAGE - 1);
}

static void rmw(struct cpu *c)
{
	u64 p = page() + 256, v = 1, kept;

#define ROW(name, insn, at)						\
	do {								\
		arm(p);							\
		clear(c);						\
		v = 1;							\
		TRY(c, insn, "+r"(v), "r"(at), "a"(0), "d"(0), "b"(1),	\
		    "c"(0));						\
		report(took(c, LOAD, (at) < p ? p : (at)), name, "");	\
		heal(p);						\
	} while (0)
	ROW("read-modify-write", "addq %0, (%2)", p + 8);
	ROW("read-modify-write over a line's start", "addq %0, (%2)", p - 4);
	ROW("xchg", "xchgq %0, (%2)", p);
	ROW("lock add", "lock addl $1, (%2)", p + 60);
	ROW("lock xadd", "lock xaddq %0, (%2)", p + 8);
	ROW("lock cmpxchg8b", "lock cmpxchg8b (%2)", p + 16);
	ROW("lock cmpxchg16b", "lock cmpxchg16b (%2)", p + 32);
	ROW("cmpxchg16b without lock", "cmpxchg16b (%2)", p + 32);
	ROW("split lock", "lock xaddq %0, (%2)", p - 4);
#undef ROW
	/* The half of a RMW that lies in the good line is not written. */
	write64(p - 8, 0x7777);
	arm(p);
	clear(c);
	TRY(c, "lock addq %0, (%2)", "+r"(v), "r"(p - 4));
	kept = read64(p - 8);
	note_hex("memory", kept);
	report(kept == 0x7777, "read-modify-write leaves memory alone", "");
	heal(p);
}

static void strings(struct cpu *c)
{
	u64 src = page(), dst = page();
	bool ok;
	int i;

#define ROW(name, insn, unit, start, poison, stop)			\
	do {								\
		u64 s_ = src + (start), d_ = dst + (start);		\
		u64 n_ = 256 / (unit), done_;				\
		arm(src + (poison));					\
		for (i = 0; i < PAGE; i += 8)				\
			write64(dst + i, 0);				\
		clear(c);						\
		TRY(c, insn, "+S"(s_) __COMMA "+D"(d_) __COMMA "+c"(n_)); \
		done_ = ((stop) > (start) ? (stop) - (start)		\
			 : (start) - (stop)) / (unit);			\
		ok = took(c, LOAD, src + (stop));			\
		if (c->rsi != src + (stop) || c->rdi != dst + (stop) ||	\
		    c->rcx != 256 / (unit) - done_) {			\
			note_hex("rsi+", c->rsi - src);			\
			note_hex("rdi+", c->rdi - dst);			\
			note_hex("rcx", c->rcx);			\
			ok = false;					\
		}							\
		report(ok, name, "");					\
		heal(src + (poison));					\
	} while (0)
#define __COMMA ,
	ROW("rep movsb stops at the byte", "rep movsb", 1, 3, 192, 192);
	ROW("rep movsw stops at the word", "rep movsw", 2, 2, 192, 192);
	ROW("rep movsl stops at the doubleword", "rep movsl", 4, 0, 128, 128);
	ROW("rep movsq stops at the quadword", "rep movsq", 8, 8, 192, 192);
	ROW("rep movsb over a page's end", "rep movsb", 1, PAGE - 100, PAGE,
	    PAGE);
	asm volatile("std");
	ROW("rep movsb backwards", "rep movsb", 1, 300, 128, 191);
	asm volatile("cld");
#undef ROW
}

/* "jmp *%rax" at the end of whatever is fetched */
static void put_code(u64 at)
{
	*(volatile u8 *)at = 0xff;
	*(volatile u8 *)(at + 1) = 0xe0;
}

static void run(struct cpu *c, u64 at)
{
	register struct cpu *c_ asm("r10") = c;

	clear(c);
	asm volatile("lea 772f(%%rip), %%rax\n\t"
		     "mov %%rax, (%%r10)\n\t"
		     "mov %1, 8(%%r10)\n\t"
		     "jmp *%1\n"
		     "772: movq $0, (%%r10)"
		     : : "r"(c_), "r"(at) : "rax", "rcx", "memory");
}

static void fetches(struct cpu *c)
{
	u64 p = page();
	bool ok;
	int i;

	put_code(p + 128);
	arm(p + 128);
	run(c, p + 128);
	report(took(c, FETCH, p + 128), "fetch", "");
	heal(p + 128);

	/* Code that ran before has been translated. */
	put_code(p + 128);
	for (i = 0; i < 3; i++)
		run(c, p + 128);
	ok = untouched(c);
	arm(p + 128);
	run(c, p + 128);
	ok &= took(c, FETCH, p + 128);
	report(ok, "fetch of code that ran before", "");

	put_code(p + 64);
	run(c, p + 64);
	ok = untouched(c);
	put_code(p + 192);
	run(c, p + 192);
	ok &= untouched(c);
	report(ok, "fetch from the lines beside it", "");
	heal(p + 128);

	/* movabs $0, %rcx: ten bytes, the last six in the poisoned line */
	put_code(p + 128 + 6);
	*(volatile u8 *)(p + 124) = 0x48;
	*(volatile u8 *)(p + 125) = 0xb9;
	arm(p + 128);
	run(c, p + 124);
	report(took(c, FETCH, p + 128), "fetch over a line's start", "");
	heal(p + 128);

	*(volatile u8 *)(p + PAGE - 4) = 0x48;
	*(volatile u8 *)(p + PAGE - 3) = 0xb9;
	put_code(p + PAGE + 6);
	run(c, p + PAGE - 4);
	ok = untouched(c);
	arm(p + PAGE);
	run(c, p + PAGE - 4);
	ok &= took(c, FETCH, p + PAGE);
	report(ok, "fetch over a page's end", "");
	heal(p + PAGE);

	/* A #MC in the middle of a block: RIP is not the block's start. */
	for (i = 64; i < 128; i++)
		*(volatile u8 *)(p + i) = 0x90;
	put_code(p + 128);
	arm(p + 128);
	run(c, p + 64);
	c->want_rip = p + 128;
	report(took(c, FETCH, p + 128), "fetch of the next line", "");
	heal(p + 128);
}

static void walks(struct cpu *c)
{
	u64 base = 2ul << 39, v;
	u64 pdpt = page(), pd = page(), pt = page(), data = page();
	bool ok;

	write64(data, 0);
	pml4[2] = pdpt | 7;
	write64(pdpt, pd | 7);
	for (v = 0; v < 512; v++)
		write64(pd + 8 * v, 0);
	write64(pd, pt | 7);
	for (v = 0; v < 512; v++)
		write64(pt + 8 * v, data | 7);

	arm(pt + 8 * 16);
	load8(c, base + 16 * PAGE);
	ok = took(c, LOAD, pt + 8 * 16);
	report(ok, "page walk, last level", "");

	load8(c, base + 15 * PAGE);
	ok = untouched(c);
	load8(c, base + 24 * PAGE);
	ok &= untouched(c);
	write64(base + 25 * PAGE, 1);	/* sets the dirty bit */
	ok &= untouched(c) && (read64(pt + 8 * 25) & 0x60) == 0x60;
	report(ok, "page walk through the lines beside it", "");

	clear(c);
	TRY(c, "movq %0, (%2)", "+r"(v), "r"(base + 17 * PAGE));
	report(took(c, LOAD, pt + 8 * 17), "page walk for a store", "");
	heal(pt + 8 * 16);

	arm(pd);
	asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" ::: "rax", "memory");
	load8(c, base + 40 * PAGE);
	report(took(c, LOAD, pd), "page walk, a level up", "");
	pml4[2] = 0;
	heal(pd);
}

static void stores(struct cpu *c, bool lax)
{
	u64 p = page(), i, v;
	bool ok;

	arm(p);
	clear(c);
	for (i = 0; i < 56; i += 8)
		write64(p + i, 0x2222);
	ok = untouched(c);
	load8(c, p);
	ok &= took(c, LOAD, p);
	report(ok, "stores to a part of a line raise nothing and heal nothing",
	       "");

	clear(c);
	write64(p + 56, 0x2222);
	load8(c, p);
	ok = lax ? untouched(c) && read64(p) == 0x2222 : took(c, LOAD, p);
	report(ok, lax ? "lax rule: stores to all of a line heal it"
		       : "stores to all of a line heal nothing", "");
	heal(p);

	if (!lax) {
		arm(p);
		v = p;
		i = LINE;
		asm volatile("rep stosb" : "+D"(v), "+c"(i) : "a"(0) : "memory");
		load8(c, p);
		report(took(c, LOAD, p), "rep stosb of a line heals nothing",
		       "");
		heal(p);
	}

	arm(p + PAGE - 64);
	clear(c);
	write64(p + PAGE - 68, 0x3333333344444444ul);
	write64(p + PAGE - 4, 0x3333333344444444ul);
	ok = untouched(c) && read32(p + PAGE) == 0x33333333;
	load8(c, p + PAGE - 64);
	ok &= took(c, LOAD, p + PAGE - 64);
	report(ok, "stores over a poisoned line's edges", "");
	heal(p + PAGE - 64);

	arm(p);
	clear(c);
	for (i = 0; i < 56; i += 8)
		asm volatile("movnti %1, (%0)" : : "r"(p + i), "r"(i) : "memory");
	load8(c, p);
	ok = took(c, LOAD, p);
	report(ok, "non-temporal stores to a part of a line heal nothing", "");
	clear(c);
	asm volatile("movnti %1, (%0)" : : "r"(p + 56), "r"(56ul) : "memory");
	for (i = 0; i < LINE; i += 8)
		ok &= read64(p + i) == i;
	ok &= untouched(c) && !read64(REG_LINES);
	report(ok, "non-temporal stores to a line heal it (movnti)", "");

	arm(p);
	clear(c);
	for (i = 0; i < LINE; i += 16)
		asm volatile("movntdq %%xmm0, (%0)" : : "r"(p + i) : "memory");
	load8(c, p);
	report(untouched(c), "non-temporal stores to a line heal it (movntdq)",
	       "");
	skip("movdir64b heals a line", "not modelled: TCG does not have it");
}

static void several(struct cpu *c)
{
	u64 p = page();
	bool ok;

	arm(p);
	arm(p + LINE);
	arm(p + PAGE);
	ok = read64(REG_LINES) == 3;
	load8(c, p + LINE);
	ok &= took(c, LOAD, p + LINE);
	load8(c, p);
	ok &= took(c, LOAD, p);
	load8(c, p + LINE - 4);
	ok &= took(c, LOAD, p + LINE - 4);
	load8(c, p);
	ok &= took(c, LOAD, p);
	heal(p);
	load8(c, p);
	ok &= untouched(c);
	load8(c, p + LINE);
	ok &= took(c, LOAD, p + LINE);
	load8(c, p + PAGE);
	ok &= took(c, LOAD, p + PAGE);
	heal(p + LINE);
	heal(p + PAGE);
	ok &= read64(REG_LINES) == 0;
	report(ok, "three poisoned lines", "");

	arm(p);
	arm(p);
	ok = read64(REG_LINES) == 1;
	heal(p);
	report(ok && !read64(REG_LINES), "a line armed twice is one line", "");
}

static void other_loads(struct cpu *c)
{
	u64 p = page(), v = 0;

	asm volatile("fxsave (%0)" : : "r"(p) : "memory");
	arm(p + 128);
	clear(c);
	TRY(c, "fxrstor (%2)", "+r"(v), "r"(p));
	report(c->mce == 1 && c->addr >> 6 == (p + 128) >> 6 &&
	       c->rip == c->want_rip, "fxrstor", "");
	clear(c);
	TRY(c, "jmp *(%2)", "+r"(v), "r"(p + 128));
	report(took(c, LOAD, p + 128), "jump through memory", "");
	clear(c);
	TRY(c, "lgdt (%2)", "+r"(v), "r"(p + 128));
	report(took(c, LOAD, p + 128), "descriptor table load", "");
	heal(p + 128);
}

static void registers(struct cpu *c)
{
	u64 p = page(), n = read64(REG_RECORDS), r, v = 0;
	bool ok;

	report(read64(DEVICE) == 0x43504e4f53494f50ul, "device page: magic", "");
	arm(p + 64);
	load8(c, p + 70);
	r = LOG + 32 * (n % read64(REG_CAPACITY));
	note_hex("phys", read64(r));
	note_hex("virt", read64(r + 8));
	note_hex("rip", read64(r + 16));
	note_hex("tail", read64(r + 24));
	ok = read64(REG_RECORDS) == n + 1 && read64(REG_CONSUMED) == n + 1 &&
	     read64(r) == p + 70 && read64(r + 8) == p + 70 &&
	     read64(r + 16) == c->want_rip && read64(r + 24) == (u32)n;
	report(ok, "log record of a load", "");

	put_code(p + 64);
	run(c, p + 64);
	r = LOG + 32 * ((n + 1) % read64(REG_CAPACITY));
	ok = read64(r) == p + 64 && read64(r + 16) == p + 64 &&
	     read64(r + 24) >> 56 == FETCH;
	report(ok, "log record of a fetch", "");
	heal(p + 64);

	report(read64(EINJ_CAPS) == 0x10, "EINJ: memory, uncorrectable", "");
	report(einj(0x10, 2, APIC, ~0ul) == 2, "EINJ refuses a device", "");
	report(einj(0x10, 2, 0xfffffff0, ~0ul) == 2, "EINJ refuses ROM", "");
	report(einj(0x10, 2, 0xb0000000, ~0ul) == 2, "EINJ refuses a hole", "");
	report(einj(0x10, 2, DEVICE, ~0ul) == 2, "EINJ refuses its own page",
	       "");
	report(einj(0x10, 0, p, ~0ul) == 2, "EINJ refuses no address", "");
	report(einj(0x40, 2, p, ~0ul) == 1, "EINJ refuses an unknown type", "");
	ok = einj(0x10, 2, p + 200, ~0xffful) == 0 && read64(REG_LINES) == 1;
	load8(c, p + 200);
	ok &= took(c, LOAD, p + 200);
	heal(p + 200);
	report(ok, "EINJ with a page mask poisons the line of the address", "");
	r = read64(EINJ_TRIGGER);
	report(read32(r) == 16 && read32(r + 8) == 16 && !read32(r + 12),
	       "EINJ trigger table is empty", "");

	if (lmce) {
		ok = (rdmsr(0x3a) & 0x100001) == 0x100001;
		clear(c);
		TRY(c, "wrmsr", "+r"(v), "c"(0x3a), "a"(0), "d"(0));
		TRY(c, "wrmsr", "+r"(v), "c"(0x4d0), "a"(2), "d"(0));
		report(ok && c->gp == 2, "LMCE control registers", "");
	}
	report(amd ? !(rdmsr(0x179) & 1 << 24)
		   : !!(rdmsr(0x179) & 1 << 24) &&
		     !!(rdmsr(0x179) & 1 << 27) == lmce,
	       "MCG_CAP", "");
}

static void model(void)
{
	u32 r[4];

	cpuid(7, 0, r);
	report(!!(r[1] & 1 << 9) == !word("plain") &&
	       !!(r[3] & 1 << 4) == word("fsrm"), "copy model in CPUID", "");
	cpuid(0x80000007, 0, r);
	report((r[1] & 3) == (amd ? 3 : 0), "AMD error recovery in CPUID", "");
	cpuid(1, 0, r);
	report((r[0] >> 4 & 0xf0f) != 0x505, "not a Skylake", "");
}

static void overflow(struct cpu *c)
{
	u64 p = page();
	int bank = amd ? 0 : 1;

	/* A corrected error waits in the bank. */
	arm(p);
	wrmsr(0x401 + 4 * bank, 1ul << 63 | 0x9f);
	load8(c, p);
	c->status &= ~0ul;
	report(c->status >> 62 == 3 && (c->status & 0xffff) == (amd ? 0x135 : 0x134),
	       "overflow: it replaces a corrected error", "");
	/* An uncorrected one does. */
	wrmsr(0x401 + 4 * bank, 1ul << 63 | 1ul << 61 | 0x9f);
	load8(c, p);
	report(c->status >> 61 == 7 && (c->status & 0xffff) == 0x9f,
	       "overflow: it does not replace an uncorrected error", "");
	report((c->status >> 55 & 3) == (amd ? 0 : 3),
	       "overflow: S and AR tell of both errors (Intel)", "");

	/* One that the device logs for the guest, and the same without S and AR */
	write64(REG_LATENT, p + PAGE);
	load8(c, p);
	report(c->mce == 1 && (c->status >> 62 & 1) && c->addr == (amd ? p : p + PAGE),
	       "overflow: a latent error", "");
	if (!amd) {
		write64(REG_LEFT_OUT, 0x10);
		write64(REG_LATENT, p + PAGE);
		load8(c, p);
		write64(REG_LEFT_OUT, 0);
		report(c->mce == 1 && (c->status >> 61 & 3) == 3 && !(c->status >> 55 & 3),
		       "overflow: a latent error hides the other", "");
	}
	heal(p);
}

/* What the guest has told the device to leave out */
static void left_out(struct cpu *c)
{
	u64 p = page();

	arm(p);
	write64(REG_LEFT_OUT, 1);
	load8(c, p);
	report(c->mce == 1 && read64(REG_LEFT_OUT) == 1 && !(c->status >> 58 & 1),
	       "the guest leaves out the address", "");
	write64(REG_LEFT_OUT, 0x20);
	load8(c, p);
	report(c->mce == 1 && !c->banks, "the guest leaves out all of it", "");
	write64(REG_LEFT_OUT, 0);
	load8(c, p);
	report(took(c, LOAD, p), "the guest leaves out nothing", "");
	heal(p);
}

/* ---- two CPUs ---- */

static void (*volatile job)(struct cpu *c);
static volatile bool job_done, ap_up;
static volatile u64 job_arg;
static volatile int barrier_in[2];

void ap_main(void)
{
	wrmsr(0x17a, 0);
	if (lmce)
		wrmsr(0x4d0, 1);
	ap_up = true;
	for (;;) {
		while (!job)
			pause();
		job(&cpus[1]);
		job = 0;
		job_done = true;
	}
}

static void start_job(void (*f)(struct cpu *c), u64 arg)
{
	job_done = false;
	job_arg = arg;
	clear(&cpus[1]);
	job = f;
}

static bool wait_for(volatile bool *flag)
{
	u64 i;

	for (i = 0; i < 400000000ul; i++) {
		if (*flag)
			return true;
		pause();
	}
	return false;
}

/*
 * About that many microseconds. No I/O: that would keep QEMU's big lock busy,
 * which the other CPU needs to notice a broadcast.
 */
static void delay(u64 us)
{
	u64 end = __builtin_ia32_rdtsc() + 2000 * us;

	while (__builtin_ia32_rdtsc() < end)
		pause();
}

static bool start_ap(void)
{
	write32(APIC + 0xf0, 0x1ff);
	write32(APIC + 0x310, 1 << 24);
	write32(APIC + 0x300, 0x4500);
	delay(10000);
	write32(APIC + 0x310, 1 << 24);
	write32(APIC + 0x300, 0x4608);
	return wait_for(&ap_up);
}

#define ROUNDS 200

static volatile u64 at_line[2];

/* Both loads, again and again; each must be a #MC of this CPU. */
static u64 consume_rounds(struct cpu *c, u64 a)
{
	u64 bad = 0, before, v, i;

	for (i = 0; i < ROUNDS; i++) {
		before = c->mce;
		TRY(c, "movq (%2), %0", "=&r"(v), "r"(a));
		bad += c->mce != before + 1;
	}
	return bad;
}

static volatile u64 ap_bad;

static void ap_consume(struct cpu *c)
{
	barrier_in[1] = 1;
	while (!barrier_in[0])
		pause();
	ap_bad = consume_rounds(c, job_arg);
}

static void ap_load(struct cpu *c)
{
	u64 v;

	TRY(c, "movq (%2), %0", "=&r"(v), "r"(job_arg));
}

static void ap_spin(struct cpu *c)
{
	while (!barrier_in[0])
		pause();
}

static void ap_halt(struct cpu *c)
{
	barrier_in[1] = 1;
	do
		asm volatile("cli; hlt");
	while (!barrier_in[0]);
}

/* Reads as fast as it can, until that raises or it is told to stop. */
static void ap_reader(struct cpu *c)
{
	u64 v;

	while (!barrier_in[0] && !c->mce)
		TRY(c, "movq (%2), %0", "=&r"(v), "r"(job_arg));
}

/* The same, for code */
static void ap_runner(struct cpu *c)
{
	while (!barrier_in[0] && !c->mce)
		run(c, job_arg);
}

/* The other CPU has the line in its TLB and uses it all the time. */
static void inject_in_use(void (*f)(struct cpu *c), u64 p, const char *name)
{
	u64 i, n, lost = 0;

	for (i = 0; i < ROUNDS; i++) {
		put_code(p);
		barrier_in[0] = 0;
		start_job(f, p);
		delay(20);
		arm(p);
		for (n = 0; n < 20000000 && !job_done; n++)
			pause();
		if (!job_done) {
			lost++;
			barrier_in[0] = 1;
			wait_for(&job_done);
		}
		heal(p);
	}
	note_hex("lost", lost);
	report(!lost, name, "");
}

static void both(struct cpu *c, const char *name, u64 mine, u64 theirs)
{
	u64 bad;
	bool ok;

	barrier_in[0] = barrier_in[1] = 0;
	start_job(ap_consume, theirs);
	clear(c);
	while (!barrier_in[1])
		pause();
	barrier_in[0] = 1;
	bad = consume_rounds(c, mine);
	ok = wait_for(&job_done) && !bad && !ap_bad;
	note_hex("bad", bad);
	note_hex("bad on the other CPU", ap_bad);
	report(ok, name, "");
}

static void two_cpus(struct cpu *c)
{
	u64 p = page(), i, before;
	bool ok;

	/* One consumes, the other has nothing to do with it. */
	arm(p);
	barrier_in[0] = 0;
	start_job(ap_spin, 0);
	delay(100);
	load8(c, p);
	ok = took(c, LOAD, p);
	for (i = 0; i < (amd || lmce ? 10 : 10000) && !cpus[1].others; i++)
		delay(1000);
	note_hex("other CPU's #MCs", cpus[1].others);
	note_hex("its mcg", cpus[1].mcg);
	note_hex("its banks", cpus[1].banks);
	if (amd || lmce)
		ok &= !cpus[1].others && !cpus[1].mce;
	else
		ok &= cpus[1].others == 1 && !cpus[1].mce &&
		      cpus[1].mcg == (RIPV | MCIP) && !cpus[1].banks;
	report(ok, amd || lmce ? "the other CPU gets no #MC"
			       : "the other CPU gets #MC: RIPV, no EIPV, no bank",
	       "");
	barrier_in[0] = 1;
	wait_for(&job_done);

	barrier_in[0] = barrier_in[1] = 0;
	start_job(ap_halt, 0);
	while (!barrier_in[1])
		pause();
	before = cpus[1].others;
	barrier_in[0] = 1;		/* it leaves when something wakes it */
	load8(c, p);
	ok = took(c, LOAD, p);
	if (amd || lmce) {
		delay(10000);
		ok &= !job_done && cpus[1].others == before;
		/* an NMI would do; a broadcast is not to be had */
		write32(APIC + 0x310, 1 << 24);
		write32(APIC + 0x300, 0x4500);
		ap_up = false;
		job = 0;
		ok &= start_ap();
	} else {
		ok &= wait_for(&job_done) && cpus[1].others == before + 1;
	}
	report(ok, amd || lmce ? "a halted CPU sleeps on" : "a halted CPU gets #MC",
	       "");
	heal(p);

	if (!amd && !lmce) {
		arm(p);
		hold_ap = true;
		start_job(ap_load, p);
		for (i = 0; i < 10000 && !(cpus[1].mce && c->others); i++)
			delay(1000);
		load8(c, p);
		ok = c->mce == 1 && !cpus[1].others;
		hold_ap = false;
		for (i = 0; i < 10000 && !cpus[1].others; i++)
			delay(1000);
		ok &= cpus[1].mce == 1 && cpus[1].others == 1;
		note_hex("other CPU's own #MCs", cpus[1].mce);
		note_hex("others", cpus[1].others);
		report(ok, "a CPU in #MC takes a broadcast afterwards", "");
		heal(p);
	}

	arm(p);
	arm(p + PAGE);
	both(c, "two CPUs at once, each on a line of its own", p, p + PAGE);
	both(c, "two CPUs at once on one line", p, p);
	heal(p);
	heal(p + PAGE);

	inject_in_use(ap_reader, p, "no injection is lost on data in use");
	inject_in_use(ap_runner, p, "no injection is lost on code in use");
}

/* ---- DMA ---- */

#define FW_CFG_DMA 0x514

struct fw_cfg_dma {
	u32 control, length;
	u64 address;
};

static u64 swap64(u64 v)
{
	return __builtin_bswap64(v);
}

static u32 swap32(u32 v)
{
	return __builtin_bswap32(v);
}

/* Read from the file directory: it is always there, and long enough. */
static u32 fw_cfg_read(volatile struct fw_cfg_dma *d, u64 to, u32 len)
{
	d->length = swap32(len);
	d->address = swap64(to);
	d->control = swap32(0x19 << 16 | 8 | 2);
	outl(FW_CFG_DMA, swap32((u64)d >> 32));
	outl(FW_CFG_DMA + 4, swap32((u64)d));
	return swap32(d->control);
}

static void fw_cfg(struct cpu *c)
{
	u64 p = page(), d = page(), refused;
	bool ok;

	arm(p);
	ok = fw_cfg_read((void *)d, p, 32) == 0;
	load8(c, p);
	ok &= took(c, LOAD, p);
	report(ok, "DMA write of a part of a line heals nothing", "");

	ok = fw_cfg_read((void *)d, p, LINE) == 0;
	load8(c, p);
	ok &= untouched(c) && !read64(REG_LINES);
	report(ok, "DMA write of a line heals it", "");

	arm(p);
	arm(p + LINE);
	arm(p + 2 * LINE);
	ok = fw_cfg_read((void *)d, p + 32, 128) == 0;
	load8(c, p + LINE);
	ok &= untouched(c) && read64(REG_LINES) == 2;
	load8(c, p);
	ok &= took(c, LOAD, p);
	report(ok, "DMA write heals the lines that it covers", "");
	heal(p);
	heal(p + 2 * LINE);

	/* The control word is good, what follows is not. */
	refused = read64(REG_DMA_REFUSED);
	arm(d + LINE);
	ok = fw_cfg_read((void *)(d + LINE - 4), p, 32) == 1;
	ok &= read64(REG_DMA_REFUSED) > refused;
	report(ok, "DMA read of poison fails (fw_cfg)", "");
	heal(d + LINE);
}

static u32 pci_read(u32 dev, u32 reg)
{
	outl(0xcf8, 0x80000000 | dev << 11 | reg);
	return inl(0xcfc);
}

static void pci_write(u32 dev, u32 reg, u32 v)
{
	outl(0xcf8, 0x80000000 | dev << 11 | reg);
	outl(0xcfc, v);
}

static u32 pci_find(u32 id)
{
	u32 dev;

	for (dev = 0; dev < 32; dev++)
		if (pci_read(dev, 0) == id)
			return dev;
	return 0;
}

/* Legacy virtio block device: one queue, one request at a time */
static struct {
	u16 io, size, idx;
	u64 desc, avail, used, header;
	u32 patience;		/* in tenths of a millisecond */
} blk;

static void blk_setup(u32 dev)
{
	u64 ring;

	pci_write(dev, 4, pci_read(dev, 4) | 5);
	blk.io = pci_read(dev, 0x10) & ~3;
	outb(blk.io + 18, 0);
	outb(blk.io + 18, 3);
	outl(blk.io + 4, 0);
	outw(blk.io + 14, 0);
	blk.size = inw(blk.io + 12);
	ring = (next_page + PAGE) & ~(PAGE - 1ul);
	next_page = ring + 16 * PAGE;
	for (u64 i = 0; i < 16 * PAGE; i += 8)
		write64(ring + i, 0);
	blk.desc = ring;
	blk.avail = ring + 16 * blk.size;
	blk.used = (blk.avail + 6 + 2 * blk.size + PAGE - 1) & ~(PAGE - 1ul);
	blk.header = ring + 15 * PAGE;
	blk.idx = 0;
	blk.patience = 20000;
	outl(blk.io + 8, ring / PAGE);
	outb(blk.io + 18, 7);
}

static void blk_desc(int n, u64 addr, u32 len, u16 flags)
{
	write64(blk.desc + 16 * n, addr);
	write32(blk.desc + 16 * n + 8, len);
	write32(blk.desc + 16 * n + 12, flags | (n + 1) << 16);
}

/* Returns the request's status, or -1 if the device says nothing. */
static int blk_request(bool write, u64 sector, u64 buf, u32 len)
{
	u64 i;

	write32(blk.header, write);
	write32(blk.header + 4, 0);
	write64(blk.header + 8, sector);
	*(volatile u8 *)(blk.header + 512) = 0xee;
	blk_desc(0, blk.header, 16, 1);
	blk_desc(1, buf, len, 1 | (write ? 0 : 2));
	blk_desc(2, blk.header + 512, 1, 2);
	*(volatile u16 *)(blk.avail + 4 + 2 * (blk.idx % blk.size)) = 0;
	*(volatile u16 *)(blk.avail + 2) = ++blk.idx;
	outw(blk.io + 16, 0);
	for (i = 0; i < blk.patience; i++) {
		if (*(volatile u16 *)(blk.used + 2) == blk.idx)
			return *(volatile u8 *)(blk.header + 512);
		delay(100);
		if (inb(blk.io + 18) & 0x40)
			return -2;
	}
	return -1;
}

static bool all(u64 a, u32 len, u8 v)
{
	for (; len; len--)
		if (*(volatile u8 *)a++ != v)
			return false;
	return true;
}

static void fill(u64 a, u32 len, u8 v)
{
	for (; len; len--)
		*(volatile u8 *)a++ = v;
}

static void virtio(struct cpu *c)
{
	u32 dev = pci_find(0x10011af4);
	u64 p = page(), q = page();
	int status;
	bool ok;

	if (!dev) {
		skip("virtio-blk", "no disk");
		return;
	}
	blk_setup(dev);
	fill(p, 2 * PAGE, 0x11);
	status = blk_request(true, 0, p, 2 * PAGE);
	note_hex("status", status);
	report(!status, "virtio-blk writes", "");

	fill(p, 2 * PAGE, 0x22);
	arm(p + PAGE + 128);
	status = blk_request(true, 0, p, 2 * PAGE);
	note_hex("status", status);
	report(status == 1, "DMA read of poison fails (virtio-blk)", "");

	fill(q, 2 * PAGE, 0);
	status = blk_request(false, 0, q, 2 * PAGE);
	note_hex("status", status);
	report(!status && all(q, 2 * PAGE, 0x11),
	       "nothing of it reaches the disk (virtio-blk)", "");

	status = blk_request(false, 0, p, PAGE + 128 + 32);
	/* a length that is no multiple of a sector is an error, too */
	load8(c, p + PAGE + 128);
	ok = took(c, LOAD, p + PAGE + 128);
	status = blk_request(false, 0, p, 2 * PAGE);
	load8(c, p + PAGE + 128);
	ok &= untouched(c) && !status && all(p, 2 * PAGE, 0x11);
	report(ok, "DMA write heals (virtio-blk)", "");

	arm(blk.desc);
	clear(c);
	blk.patience = 1000;		/* it is expected to run out */
	status = blk_request(false, 0, p, PAGE);
	note_hex("status", status);
	report(status == -1 || status == -2,
	       "a poisoned ring stops the device (virtio-blk)", "");
	heal(blk.desc);
}

/* PIIX3 IDE, bus master DMA, first disk */
static int ide_write(u16 bm, u64 prdt, u32 lba, u32 sectors)
{
	u8 status;

	outb(bm, 0);
	outb(bm + 2, 6);
	outl(bm + 4, prdt);
	outb(0x1f6, 0xe0);
	outb(0x1f2, sectors);
	outb(0x1f3, lba);
	outb(0x1f4, lba >> 8);
	outb(0x1f5, lba >> 16);
	outb(0x1f7, 0xca);
	outb(bm, 1);
	for (int i = 0; i < 20000; i++) {
		delay(100);
		status = inb(0x3f6);
		if (!(status & 0x88))
			break;
	}
	outb(bm, 0);
	return status & 0x81;
}

static void ide(struct cpu *c)
{
	u32 dev = 0x9, bar;		/* 00:01.1, as dev << 3 | function */
	u64 p = page(), prdt = page();
	int status;

	outl(0xcf8, 0x80000000 | dev << 8);
	if (inl(0xcfc) != 0x70108086) {
		skip("IDE", "no controller");
		return;
	}
	outl(0xcf8, 0x80000000 | dev << 8 | 4);
	outl(0xcfc, inl(0xcfc) | 5);
	outl(0xcf8, 0x80000000 | dev << 8 | 0x20);
	bar = inl(0xcfc) & ~3;
	write32(prdt, p);
	write32(prdt + 4, 1024 | 0x80000000);
	fill(p, 1024, 0x44);
	status = ide_write(bar, prdt, 0, 2);
	note_hex("status", status);
	report(!status, "IDE writes", "");
	arm(p + 512);
	status = ide_write(bar, prdt, 0, 2);
	note_hex("status", status);
	report(status == 1, "DMA read of poison fails (IDE)", "");
	heal(p + 512);
}

/* ---- tests that the script takes part in ---- */

static void nested_mcip(struct cpu *c)
{
	u64 p = page();

	arm(p);
	keep_mcip = true;
	load8(c, p);
	report(took(c, LOAD, p), "the first #MC", "");
	load8(c, p);
	report(false, "#MC while MCIP is set shuts down", "goes on");
}

static void nested_cr4(struct cpu *c)
{
	u64 p = page();

	arm(p);
	asm volatile("mov %%cr4, %%rax; and $~0x40, %%rax; mov %%rax, %%cr4"
		     ::: "rax");
	load8(c, p);
	report(false, "#MC while CR4.MCE is clear shuts down", "goes on");
}

static void ap_no_mce(struct cpu *c)
{
	asm volatile("mov %%cr4, %%rax; and $~0x40, %%rax; mov %%rax, %%cr4"
		     ::: "rax");
	barrier_in[1] = 1;
	for (;;)
		pause();
}

static void broadcast_cr4(struct cpu *c)
{
	u64 p = page();

	arm(p);
	barrier_in[1] = 0;
	start_job(ap_no_mce, 0);
	while (!barrier_in[1])
		pause();
	load8(c, p);
	delay(lmce ? 100000 : 10000000);
	report(lmce, "broadcast to a CPU with CR4.MCE clear shuts down", "goes on");
}

static void reset(struct cpu *c, bool keep)
{
	u64 p = SURVIVES;
	bool ok;

	if (read64(p + PAGE) != 0x600d) {
		write64(p + PAGE, 0x600d);
		arm(p);
		load8(c, p);
		report(took(c, LOAD, p) && read64(REG_LINES) == 1,
		       "before the reset", "");
		outb(0xcf9, 6);
		for (;;)
			pause();
	}
	ok = read64(REG_LINES) == keep && !read64(REG_CONSUMED) &&
	     !read64(REG_RECORDS) && !read64(LOG) && !read64(EINJ_PARAM);
	note_hex("lines", read64(REG_LINES));
	note_hex("records", read64(REG_RECORDS));
	report(ok, "a reset clears the log", "");
	load8(c, p);
	ok = keep ? took(c, LOAD, p) : untouched(c);
	report(ok, keep ? "keep-on-reset: a reset keeps poison"
			: "a reset heals", "");
}

static void wait_lines(u64 n)
{
	while (read64(REG_LINES) != n)
		pause();
}

/* The script migrates it, then arms another line. */
static void vmstate(struct cpu *c)
{
	u64 p = page(), i, n = read64(REG_RECORDS), r;
	bool ok;

	arm(p);
	arm(p + LINE);
	load8(c, p);
	for (i = 0; i < 32; i += 8)
		asm volatile("movnti %1, (%0)" : : "r"(p + LINE + i), "r"(i)
			     : "memory");
	print("ready\n");
	wait_lines(3);
	ok = read64(REG_RECORDS) == n + 1;
	r = LOG + 32 * (n % read64(REG_CAPACITY));
	ok &= read64(r) == p;
	report(ok, "migration carries the log", "");
	load8(c, p);
	ok = took(c, LOAD, p);
	load8(c, p + LINE);
	ok &= took(c, LOAD, p + LINE);
	report(ok, "migration carries poison", "");
	for (i = 32; i < 64; i += 8)
		asm volatile("movnti %1, (%0)" : : "r"(p + LINE + i), "r"(i)
			     : "memory");
	load8(c, p + LINE);
	report(untouched(c), "migration carries half a line's stores", "");
}

/* What the script has told the device to leave out */
static void reports(struct cpu *c)
{
	bool no_addrv = word("no-addrv"), no_ripv = word("no-ripv");
	bool no_eipv = word("no-eipv"), page_lsb = word("page-lsb");
	u64 p = page();

	arm(p);
	load8(c, p);
	note_hex("status", c->status);
	note_hex("mcg", c->mcg);
	note_hex("misc", c->misc);
	report(c->mce == 1 && !(c->status >> 58 & 1) == no_addrv &&
	       (c->addr == (page_lsb ? p ^ (PAGE - 1) : p)) == !no_addrv &&
	       !(c->mcg & RIPV) == no_ripv &&
	       !(c->mcg & EIPV) == no_eipv &&
	       (c->misc == (page_lsb ? 0x8c : 0x86) || amd),
	       "the report lacks what it is to lack", "");
	heal(p);
}

/* The script arms, lists and heals; this side sees what that does. */
static void qmp(struct cpu *c)
{
	u64 p = MEMORY + 0x123000;
	bool ok;

	load8(c, p);
	print("ready\n");
	wait_lines(2);
	delay(1000);
	load8(c, p);
	ok = took(c, LOAD, p);
	load8(c, p + 0x1040);
	ok &= took(c, LOAD, p + 0x1040);
	report(ok, "QMP arms", "");
	print("armed\n");
	wait_lines(1);
	load8(c, p);
	ok = untouched(c);
	load8(c, p + 0x1040);
	ok &= took(c, LOAD, p + 0x1040);
	report(ok, "QMP heals", "");
	print("healed\n");
	wait_lines(0);

	barrier_in[0] = 0;
	start_job(ap_spin, 0);
	print("spins\n");
	while (!cpus[1].others && !cpus[1].mce)
		pause();
	note_hex("mcg", cpus[1].mcg);
	report(cpus[1].others == 1 && !cpus[1].mce && !cpus[1].banks &&
	       cpus[1].mcg == (RIPV | MCIP), "#MC without an error", "");
	barrier_in[0] = 1;
}

/*
 * Registers of the local APIC, written and read back as fast as it can: a write
 * that is lost is what the end of an interrupt would be.
 */
static void ap_registers(struct cpu *c)
{
	u64 bad = 0, n;
	u32 version = read32(APIC + 0x30);

	barrier_in[1] = 1;
	for (n = 0; !barrier_in[0]; n++) {
		write32(APIC + 0x80, n & 0xf0);
		bad += read32(APIC + 0x80) != (n & 0xf0);
		bad += read32(APIC + 0x30) != version;
	}
	write32(APIC + 0x80, 0);
	ap_bad = bad;
}

/*
 * A device's memory comes and goes, in front of everything that is in use, while
 * the other CPU has the old map in its TLB.
 */
static void remap(void)
{
	u32 dev = pci_find(0x10011af4), command = pci_read(dev, 4), i;

	barrier_in[0] = 0;
	barrier_in[1] = 0;
	start_job(ap_registers, 0);
	while (!barrier_in[1])
		pause();
	for (i = 0; i < 4000; i++)
		pci_write(dev, 4, command ^ (i & 1) << 1);
	barrier_in[0] = 1;
	if (!wait_for(&job_done))
		note("the other CPU does not come back");
	note_hex("lost or wrong", ap_bad);
	report(job_done && !ap_bad, "no access goes astray while the memory map changes", "");
}

/* ---- */

static const char *words;

static bool word(const char *w)
{
	const char *s, *t;

	for (s = words; *s; s++) {
		if (s != words && s[-1] != ' ')
			continue;
		for (t = w; *t && *t == s[t - w]; t++)
			;
		if (!*t && (!s[t - w] || s[t - w] == ' '))
			return true;
	}
	return false;
}

static void enable_avx(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	if ((r[2] & (1 << 28 | 1 << 26)) != (1 << 28 | 1 << 26))
		return;
	asm volatile("mov %%cr4, %%rax; or $0x40000, %%rax; mov %%rax, %%cr4\n\t"
		     "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $7, %%eax; xsetbv"
		     ::: "rax", "rcx", "rdx");
	has_avx = true;
}

void main(void)
{
	struct cpu *c = &cpus[0];
	u32 r[4];

	gate(6, vector6);
	gate(13, vector13);
	gate(14, vector14);
	gate(18, vector18);
	words = (const char *)(u64)*(u32 *)command_line;
	cpuid(0, 0, r);
	amd = r[2] == 0x444d4163;
	lmce = rdmsr(0x179) >> 27 & 1;
	if (lmce)
		wrmsr(0x4d0, 1);
	enable_avx();
	if (!start_ap()) {
		report(false, "the second CPU starts", "");
		leave(1);
	}

	if (word("rows")) {
		model();
		loads(c);
		straddles(c);
		rmw(c);
		strings(c);
		other_loads(c);
		fetches(c);
		walks(c);
		stores(c, false);
		several(c);
		overflow(c);
		left_out(c);
		registers(c);
		two_cpus(c);
		fw_cfg(c);
		virtio(c);
		ide(c);
		report(!read64(REG_LINES), "nothing is left poisoned", "");
	}
	if (word("lax"))
		stores(c, true);
	if (word("mcip"))
		nested_mcip(c);
	if (word("cr4"))
		nested_cr4(c);
	if (word("broadcast-cr4"))
		broadcast_cr4(c);
	if (word("reset"))
		reset(c, word("keep"));
	if (word("vmstate"))
		vmstate(c);
	if (word("report"))
		reports(c);
	if (word("qmp"))
		qmp(c);
	if (word("remap"))
		remap();
	print("done\n");
	leave(0);
}
