/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libmc: an exception table for user programs.
 *
 * A load that meets a memory error, or a mapping whose file is gone, ends a
 * program with SIGBUS. With this library the load fails instead, at a place
 * that was made for it. libmc(7) is the overview.
 *
 * Functions that return int return 0 or a negative errno value, if nothing else
 * is said.
 */
#ifndef MC_H
#define MC_H

#define MC_VERSION_MAJOR	1
#define MC_VERSION_MINOR	0

/*
 * What an entry's last field says: the number of a register that gets the
 * fault's kind, and of one that gets its address. Registers are numbered as the
 * instructions of the architecture number them; on x86-64, rax is 0, rcx 1,
 * rdx 2, rbx 3, rbp 5, rsi 6, rdi 7, and r8 to r15 are 8 to 15.
 */
#define MC_KIND_IN(reg)		((reg) + 1)
#define MC_ADDR_IN(reg)		(((reg) + 1) << 8)

/* The section that MC_ENTRY() writes to. */
#define MC_SECTION		mc_extable

#ifdef __ASSEMBLER__

/*
 * If an instruction that begins at or behind FROM and before TO faults, go on at
 * LANDING. HOW is 0, MC_KIND_IN() or MC_ADDR_IN(), or both with "|".
 */
#define MC_ENTRY_IN(section, from, to, landing, how)			\
	.pushsection section, "a", @progbits;				\
	.balign 4;							\
	.long (from) - .;						\
	.long (to) - (from);						\
	.long (landing) - .;						\
	.long how;							\
	.popsection
#define MC_ENTRY(from, to, landing, how)				\
	MC_ENTRY_IN(mc_extable, from, to, landing, how)

#else /* !__ASSEMBLER__ */

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MC_API __attribute__((visibility("default")))
#else
#define MC_API
#endif

/* Why an access failed. */
enum mc_kind {
	MC_ERROR = 1,		/* the memory is bad (BUS_MCEERR_AR) */
	MC_TRUNCATED = 2,	/* no page there: the file ends before it (BUS_ADRERR) */
	MC_ADVICE = 3,		/* bad, and nobody has touched it yet (BUS_MCEERR_AO) */
};

/* What a region's callback wants to happen. */
enum mc_action {
	MC_PASS = 0,		/* not mine: what would happen without the library */
	MC_RETRY = 1,		/* run the instruction again */
	MC_UNWIND = 2,		/* go to its landing pad, or give up the block */
};

/**
 * struct mc_fault - an access that failed
 * @kind: why, see enum mc_kind
 * @code: the signal's si_code
 * @addr: the signal's si_addr: what was touched, or the page that it is in
 * @start: first byte of what is lost
 * @len: how many bytes are lost: a page of the mapping
 * @ip: the instruction
 * @reserved: for later versions
 */
struct mc_fault {
	int kind;
	int code;
	void *addr;
	void *start;
	size_t len;
	void *ip;
	uintptr_t reserved[2];
};

/* Life of the library */
MC_API int mc_init(unsigned int flags);
MC_API int mc_exit(void);
MC_API int mc_thread_stack(void);

/* Other handlers of SIGBUS */
struct sigaction;
MC_API int mc_sigaction(const struct sigaction *act, struct sigaction *old);
MC_API int mc_handle(const void *siginfo, void *ucontext);

/* Accesses that may fail */
MC_API size_t mc_memcpy(void *dst, const void *src, size_t len);
MC_API size_t mc_probe(const void *addr, size_t len);
MC_API int mc_load8(const void *addr, uint8_t *val);
MC_API int mc_load16(const void *addr, uint16_t *val);
MC_API int mc_load32(const void *addr, uint32_t *val);
MC_API int mc_load64(const void *addr, uint64_t *val);
MC_API int mc_last(struct mc_fault *fault);

/* Regions of memory */
typedef int mc_region_fn(const struct mc_fault *fault, void *arg);
MC_API int mc_region_add(void *start, size_t len, mc_region_fn *fn, void *arg);
MC_API int mc_region_remove(void *start, size_t len);
MC_API int mc_advice(mc_region_fn *fn, void *arg);

/* Code that can be given up */
MC_API int mc_call(void (*fn)(void *arg), void *arg, struct mc_fault *fault);

/**
 * struct mc_block - a piece of code that can be given up
 * @fault: why it was
 * @outer: the block around it
 * @env: where to go on, a sigjmp_buf
 */
struct mc_block {
	struct mc_fault fault;
	struct mc_block *outer;
	uintptr_t env[48];
};

MC_API int mc_enter(struct mc_block *block);
MC_API void mc_leave(struct mc_block *block);

/*
 * if (mc_try(&block)) { ...; mc_leave(&block); } else { block.fault says why }
 *
 * With the second one, the signal mask is not put back to what it was in front of
 * the block, which saves a system call a block.
 */
#define mc_try(block)							\
	(sigsetjmp(*(sigjmp_buf *)(block)->env, 1) == 0 && mc_enter(block))
#define mc_try_nomask(block)						\
	(sigsetjmp(*(sigjmp_buf *)(block)->env, 0) == 0 && mc_enter(block))

/**
 * struct mc_entry - an entry of an exception table
 * @from: first byte of the instructions, relative to this field
 * @len: how many bytes of them; an instruction counts if its first byte does
 * @landing: where to go on, relative to this field
 * @how: registers that get the kind and the address, or 0
 */
struct mc_entry {
	int32_t from;
	uint32_t len;
	int32_t landing;
	uint32_t how;
};

MC_API int mc_table_add(const struct mc_entry *table, size_t count);
MC_API int mc_table_remove(const struct mc_entry *table);

#define MC_STRING_(...)		#__VA_ARGS__
#define MC_STRING(...)		MC_STRING_(__VA_ARGS__)

/* As for the assembler, in an asm statement. */
#define MC_ENTRY_IN(section, from, to, landing, how)			\
	".pushsection " MC_STRING(section) ", \"a\", @progbits\n\t"	\
	".balign 4\n\t"							\
	".long (" MC_STRING(from) ") - .\n\t"				\
	".long (" MC_STRING(to) ") - (" MC_STRING(from) ")\n\t"		\
	".long (" MC_STRING(landing) ") - .\n\t"			\
	".long " MC_STRING(how) "\n\t"					\
	".popsection\n\t"
#define MC_ENTRY(from, to, landing, how)				\
	MC_ENTRY_IN(mc_extable, from, to, landing, how)

/* Once in a program or shared object that has entries of its own. */
#define MC_REGISTER_TABLE()						\
	extern const struct mc_entry __start_mc_extable[]		\
		__attribute__((weak, visibility("hidden")));		\
	extern const struct mc_entry __stop_mc_extable[]		\
		__attribute__((weak, visibility("hidden")));		\
	__attribute__((constructor)) static void mc_register_table_(void) \
	{								\
		mc_table_add(__start_mc_extable, (size_t)		\
			(__stop_mc_extable - __start_mc_extable));	\
	}								\
	__attribute__((destructor)) static void mc_remove_table_(void)	\
	{								\
		mc_table_remove(__start_mc_extable);			\
	}								\
	struct mc_entry

/**
 * mc_entry_set() - Write an entry at run time
 * @entry: where; it has to lie within 2 GiB of the code
 * @from: first byte of the instructions
 * @to: first byte behind them
 * @landing: where to go on
 * @how: registers that get the kind and the address, or 0
 *
 * Return: 0, or -1 if the distance does not fit.
 */
static inline int mc_entry_set(struct mc_entry *entry, const void *from,
			       const void *to, const void *landing,
			       uint32_t how)
{
	intptr_t f = (intptr_t)from - (intptr_t)&entry->from;
	intptr_t l = (intptr_t)landing - (intptr_t)&entry->landing;
	intptr_t n = (intptr_t)to - (intptr_t)from;

	if (f != (int32_t)f || l != (int32_t)l || n <= 0 || n > INT32_MAX)
		return -1;
	entry->from = (int32_t)f;
	entry->len = (uint32_t)n;
	entry->landing = (int32_t)l;
	entry->how = how;
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* !__ASSEMBLER__ */
#endif /* MC_H */
