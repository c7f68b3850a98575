/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test guest: machine access, and how a test says what it saw
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define LINE 64
#define PAGE 4096

/* Bits of MCG_STATUS */
#define RIPV 1
#define EIPV 2
#define MCIP 4
#define LMCE_S 8

enum kind { LOAD, FETCH, WALK };

/* What a CPU was told to do, and what happened to it */
struct cpu {
	u64 resume;		/* where to go on after an exception */
	u64 want_rip;		/* address of the instruction under test */
	volatile u64 mce;	/* #MCs that were its own (EIPV) */
	volatile u64 others;	/* #MCs that came from elsewhere */
	volatile u64 gp;
	u64 rip, rsi, rdi, rcx;
	u64 mcg;
	int banks;		/* valid ones, and the last of them */
	int bank;
	u64 status, addr, misc;
};

extern struct cpu cpus[2];
extern bool amd, lmce, keep_mcip;
extern const char *volatile job_name;

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u16 inw(u16 port)
{
	u16 v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)));
}

static inline void cpuid(u32 leaf, u32 sub, u32 r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(sub));
}

static inline u32 read32(u64 a)
{
	return *(volatile u32 *)a;
}

static inline u64 read64(u64 a)
{
	return *(volatile u64 *)a;
}

static inline void write32(u64 a, u32 v)
{
	*(volatile u32 *)a = v;
}

static inline void write64(u64 a, u64 v)
{
	*(volatile u64 *)a = v;
}

static inline void pause(void)
{
	asm volatile("pause" ::: "memory");
}

/*
 * Run one instruction that may raise: note where it is, and where to go on.
 * The operands may not use r10 and r11; "%" is escaped by the caller.
 */
#define TRY(c, insn, outputs, inputs...)				\
do {									\
	register struct cpu *c_ asm("r10") = (c);			\
	asm volatile("lea 772f(%%rip), %%r11\n\t"			\
		     "mov %%r11, (%%r10)\n\t"				\
		     "lea 771f(%%rip), %%r11\n\t"			\
		     "mov %%r11, 8(%%r10)\n"				\
		     "771: " insn "\n"					\
		     "772: movq $0, (%%r10)"				\
		     : outputs						\
		     : "r"(c_), ##inputs				\
		     : "r11", "memory", "cc");				\
} while (0)

struct cpu *this_cpu(void);
void print(const char *s);
void print_hex(u64 v);
void report(bool ok, const char *name, const char *why);
void skip(const char *name, const char *why);
__attribute__((noreturn)) void leave(int code);

#endif
