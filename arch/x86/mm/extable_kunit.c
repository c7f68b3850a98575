// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of exception tables: every kind of entry that can be triggered
 * without harm, entries with a descriptor, entries for a range of code, lookup
 * at the edges of tables, and sorting. As the suite can be a module, its own
 * entries are those of a module.
 *
 * Some cases take a real trap. Others hand made-up registers to
 * fixup_exception(), so that every single register can be compared.
 *
 * Not here: EX_TYPE_FPU_RESTORE warns by design, EX_TYPE_*_IN_MCE panics by
 * design, EX_TYPE_ERETU needs a FRED return frame, EX_TYPE_BPF entries cannot
 * be written in assembly.
 */
#include <kunit/test.h>
#include <linux/extable.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/prandom.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <asm/asm.h>
#include <asm/extable.h>
#include <asm/extable_desc.h>
#include <asm/segment.h>
#include <asm/sgx.h>
#include <asm/trap_pf.h>
#include <asm/trapnr.h>
#include <asm/word-at-a-time.h>

/* --- descriptors --- */

static struct ex_info seen;		/* what the handler was told */
static const struct exception_table_entry *seen_entry;
static unsigned long seen_ip;
static int calls;

#define HANDLED		0xd00dUL

static unsigned long fixup_of(const struct exception_table_entry *e)
{
	return (unsigned long)&e->fixup + e->fixup;
}

static bool __used take(struct pt_regs *regs, const struct ex_info *info,
			const struct exception_table_entry *e)
{
	seen = *info;
	seen_entry = e;
	seen_ip = regs->ip;
	calls++;
	regs->ax = HANDLED;
	regs->ip = fixup_of(e);
	return true;
}

static bool __used decline(struct pt_regs *regs, const struct ex_info *info,
			   const struct exception_table_entry *e)
{
	seen = *info;
	calls++;
	return false;
}

#define ALL_TRAPS	(BIT(X86_TRAP_DE) | BIT(X86_TRAP_GP) |	\
			 BIT(X86_TRAP_PF) | BIT(X86_TRAP_MC))

static const struct ex_desc __ex_desc __used desc_take = {
	.handler = take,
	.traps = ALL_TRAPS,
	.type = EX_TYPE_NONE,
};

static const struct ex_desc __ex_desc __used desc_take_gp = {
	.handler = take,
	.traps = BIT(X86_TRAP_GP),
	.type = EX_TYPE_FAULT,
};

static const struct ex_desc __ex_desc __used desc_decline = {
	.handler = decline,
	.traps = ALL_TRAPS,
	.type = EX_TYPE_FAULT,
};

static const struct ex_desc __ex_desc __used desc_decline_none = {
	.handler = decline,
	.traps = ALL_TRAPS,
	.type = EX_TYPE_NONE,
};

static const struct ex_desc __ex_desc __used desc_caller = {
	.handler = take,
	.traps = ALL_TRAPS,
	.type = EX_TYPE_DEFAULT,
	.flags = EX_DESC_CALLER_SETTLES,
};

/* --- code with entries; nobody runs it --- */

/* Data refers to these places, and nobody jumps there. */
#define PLACE(name)		"at_" #name ":\n" ANNOTATE_NOENDBR
#define AT(name, entry)		PLACE(name) "nopl 0(%%rax)\n" entry
#define TYPE(name, type)						\
	AT(name, _ASM_EXTABLE_TYPE(at_##name, at_landing, type))
#define TYPE_REG(name, type, reg)					\
	AT(name, _ASM_EXTABLE_TYPE_REG(at_##name, at_landing, type, %%reg))
#define DESC(name, desc)						\
	AT(name, _ASM_EXTABLE_DESC(at_##name, at_landing, desc))
#define RANGE(name, handler, traps, flags)				\
	_ASM_EXTABLE_RANGE(at_##name, at_##name##_end, at_landing, handler, traps, flags)

#define IMM_REG(reg)	TYPE_REG(imm_##reg, EX_TYPE_IMM_REG | EX_DATA_IMM(-1234), reg)

static noinline __noclone __used void code(void)
{
	asm volatile(PLACE(first) "nopl 0(%%rax)\n"
		TYPE(default, EX_TYPE_DEFAULT)
		TYPE(clear_ax, EX_TYPE_DEFAULT | EX_FLAG_CLEAR_AX)
		TYPE(clear_dx, EX_TYPE_DEFAULT | EX_FLAG_CLEAR_DX)
		TYPE(clear_ax_dx, EX_TYPE_DEFAULT | EX_FLAG_CLEAR_AX_DX)
		TYPE(uaccess, EX_TYPE_UACCESS)
		TYPE(uaccess_clear, EX_TYPE_UACCESS | EX_FLAG_CLEAR_AX_DX)
		TYPE(fault, EX_TYPE_FAULT)
		TYPE(fault_mce, EX_TYPE_FAULT_MCE_SAFE)
		TYPE(default_mce, EX_TYPE_DEFAULT_MCE_SAFE)
		TYPE(sgx, EX_TYPE_FAULT_SGX)
		TYPE(clear_fs, EX_TYPE_CLEAR_FS)
		TYPE(rdmsr, EX_TYPE_RDMSR)
		TYPE(wrmsr, EX_TYPE_WRMSR)
		: : : "memory");
	asm volatile(TYPE_REG(rdmsr_safe, EX_TYPE_RDMSR_SAFE, r8)
		TYPE_REG(wrmsr_safe, EX_TYPE_WRMSR_SAFE, esi)
		TYPE_REG(pop, EX_TYPE_POP_ZERO, rdi)
		TYPE_REG(efault, EX_TYPE_EFAULT_REG, ebx)
		: : : "memory");
	asm volatile(TYPE_REG(efault_clear, EX_TYPE_EFAULT_REG | EX_FLAG_CLEAR_AX_DX, r9)
		TYPE_REG(zero, EX_TYPE_ZERO_REG, rcx)
		TYPE_REG(one, EX_TYPE_ONE_REG, r15)
		TYPE_REG(imm_max, EX_TYPE_IMM_REG | EX_DATA_IMM(0x3fff), rax)
		TYPE_REG(imm_min, EX_TYPE_IMM_REG | EX_DATA_IMM(-0x8000), rax)
		: : : "memory");
	asm volatile(IMM_REG(rax) IMM_REG(rcx) IMM_REG(rdx) IMM_REG(rbx)
		: : : "memory");
	asm volatile(IMM_REG(rsp) IMM_REG(rbp) IMM_REG(rsi) IMM_REG(rdi)
		: : : "memory");
	asm volatile(IMM_REG(r8) IMM_REG(r9) IMM_REG(r10) IMM_REG(r11)
		: : : "memory");
	asm volatile(IMM_REG(r12) IMM_REG(r13) IMM_REG(r14) IMM_REG(r15)
		: : : "memory");
	/* By the numbers that they have in every module there is, since 5.16. */
	asm volatile(TYPE(number_1, 0x1001)
		TYPE(number_2, 2)
		TYPE(number_3, 0x3003)
		TYPE(number_5, 5)
		TYPE(number_8, 8)
		TYPE(number_9, 9)
		TYPE_REG(number_10, 10, r8)
		TYPE_REG(number_11, 11, r9)
		TYPE(number_14, 14)
		TYPE(number_15, 15)
		: : : "memory");
	asm volatile(TYPE_REG(number_16, 16, rsi)
		TYPE_REG(number_17, 0xfff20011, rbp)
		TYPE(number_18, 18)
		TYPE_REG(number_19, 0x80013, rax)
		: : : "memory");
	asm volatile(TYPE_REG(ucopy1, EX_TYPE_UCOPY_LEN1, rdx)
		TYPE_REG(ucopy4, EX_TYPE_UCOPY_LEN4, rax)
		TYPE_REG(ucopy8, EX_TYPE_UCOPY_LEN8, r12)
		DESC(take, desc_take)
		DESC(take_gp, desc_take_gp)
		DESC(decline, desc_decline)
		DESC(decline_none, desc_decline_none)
		DESC(caller, desc_caller)
		PLACE(none) "nopl 0(%%rax)\n"
		/* Two ranges side by side; the second has an entry in it. */
		PLACE(range) "nopl 0(%%rax)\n"
		PLACE(range_inside) "nopl 0(%%rax)\n"
		PLACE(range_end)
		RANGE(range, take, (1 << X86_TRAP_MC | 1 << X86_TRAP_PF), 0)
		PLACE(range2) "nopl 0(%%rax)\n"
		TYPE(range2_own, EX_TYPE_FAULT)
		PLACE(range2_inside) "nopl 0(%%rax)\n"
		PLACE(range2_end)
		RANGE(range2, decline, (1 << X86_TRAP_MC), EX_DESC_CALLER_SETTLES)
		PLACE(last) "nopl 0(%%rax)\n"
		PLACE(landing) "nopl 0(%%rax)\n" : : : "memory");
}

#define LABEL(name)	extern const char at_##name[]

LABEL(landing);
LABEL(first);
LABEL(default);
LABEL(clear_ax);
LABEL(clear_dx);
LABEL(clear_ax_dx);
LABEL(uaccess);
LABEL(uaccess_clear);
LABEL(fault);
LABEL(fault_mce);
LABEL(default_mce);
LABEL(sgx);
LABEL(clear_fs);
LABEL(rdmsr);
LABEL(wrmsr);
LABEL(rdmsr_safe);
LABEL(wrmsr_safe);
LABEL(pop);
LABEL(efault);
LABEL(efault_clear);
LABEL(zero);
LABEL(one);
LABEL(imm_max);
LABEL(imm_min);
LABEL(imm_rax);
LABEL(imm_rcx);
LABEL(imm_rdx);
LABEL(imm_rbx);
LABEL(imm_rsp);
LABEL(imm_rbp);
LABEL(imm_rsi);
LABEL(imm_rdi);
LABEL(imm_r8);
LABEL(imm_r9);
LABEL(imm_r10);
LABEL(imm_r11);
LABEL(imm_r12);
LABEL(imm_r13);
LABEL(imm_r14);
LABEL(imm_r15);
LABEL(number_1);
LABEL(number_2);
LABEL(number_3);
LABEL(number_5);
LABEL(number_8);
LABEL(number_9);
LABEL(number_10);
LABEL(number_11);
LABEL(number_14);
LABEL(number_15);
LABEL(number_16);
LABEL(number_17);
LABEL(number_18);
LABEL(number_19);
LABEL(ucopy1);
LABEL(ucopy4);
LABEL(ucopy8);
LABEL(take);
LABEL(take_gp);
LABEL(decline);
LABEL(decline_none);
LABEL(caller);
LABEL(none);
LABEL(range);
LABEL(range_inside);
LABEL(range_end);
LABEL(range2);
LABEL(range2_own);
LABEL(range2_inside);
LABEL(range2_end);
LABEL(last);

/* Each register has a value of its own; RCX and RDX small, as lengths are. */
#define FILL(reg)	(0x1111111100000000UL + offsetof(struct pt_regs, reg) / sizeof(long))
#define CX		77
#define DX		5

/* As an exception does it, which nothing preempts */
static int fix(struct pt_regs *regs, int trapnr, unsigned long error_code, unsigned long addr)
{
	int ret;

	preempt_disable();
	ret = fixup_exception(regs, trapnr, error_code, addr);
	preempt_enable();

	return ret;
}

static void fill_regs(struct pt_regs *regs, const char *at)
{
	unsigned long *word = (unsigned long *)regs;
	unsigned int i;

	for (i = 0; i < sizeof(*regs) / sizeof(*word); i++)
		word[i] = 0x1111111100000000UL + i;
	regs->cx = CX;
	regs->dx = DX;
	regs->cs = __KERNEL_CS;
	regs->flags = X86_EFLAGS_FIXED;
	regs->ip = (unsigned long)at;
}

/* All registers, and if it differs, which one. */
static void expect_regs(struct kunit *test, const struct pt_regs *want,
			const struct pt_regs *got, const char *what)
{
	const unsigned long *w = (const unsigned long *)want;
	const unsigned long *g = (const unsigned long *)got;
	unsigned int i;

	for (i = 0; i < sizeof(*want) / sizeof(*w); i++)
		KUNIT_EXPECT_EQ_MSG(test, w[i], g[i], "%s: word %u of pt_regs", what, i);
}

#define WRITE_FAULT	(X86_PF_PROT | X86_PF_WRITE)

/* What an entry should do: registers that get another value. */
struct kind {
	const char	*name;
	const char	*at;
	int		trapnr;
	enum ex_mc_grade grade;
	struct {
		bool	set;
		u8	word;		/* of pt_regs */
		long	val;
	}		change[3];
};

#define R(reg, val)	{ true, offsetof(struct pt_regs, reg) / sizeof(long), val }

static const struct kind kinds[] = {
	{ "default", at_default, X86_TRAP_PF, EX_MC_FATAL },
	{ "default, clear AX", at_clear_ax, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, 0) } },
	{ "default, clear DX", at_clear_dx, X86_TRAP_PF, EX_MC_FATAL,
	  { R(dx, 0) } },
	{ "default, clear both", at_clear_ax_dx, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, 0), R(dx, 0) } },
	{ "uaccess", at_uaccess, X86_TRAP_PF, EX_MC_RECORD },
	{ "uaccess, #MC", at_uaccess, X86_TRAP_MC, EX_MC_RECORD },
	{ "uaccess, clear both", at_uaccess_clear, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, 0), R(dx, 0) } },
	{ "fault, #PF", at_fault, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF) } },
	{ "fault, #GP", at_fault, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, X86_TRAP_GP) } },
	{ "fault, mce safe", at_fault_mce, X86_TRAP_MC, EX_MC_RECORD,
	  { R(ax, X86_TRAP_MC) } },
	{ "default, mce safe", at_default_mce, X86_TRAP_MC, EX_MC_CALLER },
	{ "sgx", at_sgx, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF | SGX_ENCLS_FAULT_FLAG) } },
	{ "clear fs", at_clear_fs, X86_TRAP_GP, EX_MC_FATAL },
	{ "rdmsr", at_rdmsr, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, 0), R(dx, 0) } },
	{ "wrmsr", at_wrmsr, X86_TRAP_GP, EX_MC_FATAL },
	{ "rdmsr safe", at_rdmsr_safe, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, 0), R(dx, 0), R(r8, -EIO) } },
	{ "wrmsr safe", at_wrmsr_safe, X86_TRAP_GP, EX_MC_FATAL,
	  { R(si, -EIO) } },
	{ "pop", at_pop, X86_TRAP_GP, EX_MC_FATAL,
	  { R(sp, FILL(sp) + 8), R(di, 0) } },
	{ "-EFAULT", at_efault, X86_TRAP_PF, EX_MC_RECORD,
	  { R(bx, -EFAULT) } },
	{ "-EFAULT, clear both", at_efault_clear, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, 0), R(dx, 0), R(r9, -EFAULT) } },
	{ "0", at_zero, X86_TRAP_PF, EX_MC_FATAL,
	  { R(cx, 0) } },
	{ "1", at_one, X86_TRAP_PF, EX_MC_FATAL,
	  { R(r15, 1) } },
	{ "largest immediate", at_imm_max, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, 0x3fff) } },
	{ "smallest immediate", at_imm_min, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, -0x8000) } },
	{ "ucopy len 1", at_ucopy1, X86_TRAP_PF, EX_MC_RECORD,
	  { R(cx, CX + DX) } },
	{ "ucopy len 4", at_ucopy4, X86_TRAP_PF, EX_MC_RECORD,
	  { R(cx, 4 * CX + FILL(ax)) } },
	{ "ucopy len 8", at_ucopy8, X86_TRAP_PF, EX_MC_RECORD,
	  { R(cx, 8 * CX + FILL(r12)) } },
	{ "number 1", at_number_1, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, 0) } },
	{ "number 2", at_number_2, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF) } },
	{ "number 3", at_number_3, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, 0), R(dx, 0) } },
	{ "number 5", at_number_5, X86_TRAP_GP, EX_MC_FATAL },
	{ "number 8", at_number_8, X86_TRAP_GP, EX_MC_FATAL },
	{ "number 9", at_number_9, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, 0), R(dx, 0) } },
	{ "number 10", at_number_10, X86_TRAP_GP, EX_MC_FATAL,
	  { R(r8, -EIO) } },
	{ "number 11", at_number_11, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, 0), R(dx, 0), R(r9, -EIO) } },
	{ "number 14", at_number_14, X86_TRAP_MC, EX_MC_CALLER },
	{ "number 15", at_number_15, X86_TRAP_MC, EX_MC_RECORD,
	  { R(ax, X86_TRAP_MC) } },
	{ "number 16", at_number_16, X86_TRAP_GP, EX_MC_FATAL,
	  { R(sp, FILL(sp) + 8), R(si, 0) } },
	{ "number 17, -EFAULT", at_number_17, X86_TRAP_PF, EX_MC_RECORD,
	  { R(bp, -EFAULT) } },
	{ "number 18", at_number_18, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF | SGX_ENCLS_FAULT_FLAG) } },
	{ "number 19, 8", at_number_19, X86_TRAP_PF, EX_MC_RECORD,
	  { R(cx, 8 * CX + FILL(ax)) } },
	{ "descriptor, #PF", at_take, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, HANDLED) } },
	{ "descriptor, #GP", at_take, X86_TRAP_GP, EX_MC_RECORD,
	  { R(ax, HANDLED) } },
	{ "descriptor, #MC", at_take, X86_TRAP_MC, EX_MC_RECORD,
	  { R(ax, HANDLED) } },
	{ "descriptor, its vector", at_take_gp, X86_TRAP_GP, EX_MC_FATAL,
	  { R(ax, HANDLED) } },
	{ "descriptor, another vector", at_take_gp, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF) } },
	{ "descriptor declines, #PF", at_decline, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, X86_TRAP_PF) } },
	{ "descriptor declines, #MC", at_decline, X86_TRAP_MC, EX_MC_RECORD,
	  { R(ax, X86_TRAP_MC) } },
	{ "descriptor, caller settles", at_caller, X86_TRAP_MC, EX_MC_CALLER,
	  { R(ax, HANDLED) } },
	{ "entry within a range", at_range2_own, X86_TRAP_PF, EX_MC_FATAL,
	  { R(ax, X86_TRAP_PF) } },
	{ "range", at_range_inside, X86_TRAP_PF, EX_MC_RECORD,
	  { R(ax, HANDLED) } },
};

static void kind_name(const struct kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, kind_name);

/* Every kind of entry changes the registers that it should, and no other. */
static void test_kinds(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	const struct ex_info mc = { .trapnr = X86_TRAP_MC };
	struct pt_regs got, want;
	unsigned int i;

	fill_regs(&got, kind->at);
	want = got;
	for (i = 0; i < ARRAY_SIZE(kind->change); i++) {
		if (kind->change[i].set)
			((long *)&want)[kind->change[i].word] = kind->change[i].val;
	}
	want.ip = (unsigned long)at_landing;
	if (kind->trapnr == X86_TRAP_MC)
		KUNIT_EXPECT_TRUE(test, ex_mc_fixup(&got, &mc));
	else
		KUNIT_EXPECT_EQ(test, 1, fix(&got, kind->trapnr, WRITE_FAULT, 0x1234));
	expect_regs(test, &want, &got, kind->name);
	KUNIT_EXPECT_EQ(test, (int)kind->grade, (int)ex_mc_grade((unsigned long)kind->at));
}

/* The register that an immediate goes to, all of them. */
static void test_registers(struct kunit *test)
{
	static const struct {
		const char *name, *at;
		size_t offset;
	} regs[] = {
		{ "rax", at_imm_rax, offsetof(struct pt_regs, ax) },
		{ "rcx", at_imm_rcx, offsetof(struct pt_regs, cx) },
		{ "rdx", at_imm_rdx, offsetof(struct pt_regs, dx) },
		{ "rbx", at_imm_rbx, offsetof(struct pt_regs, bx) },
		{ "rsp", at_imm_rsp, offsetof(struct pt_regs, sp) },
		{ "rbp", at_imm_rbp, offsetof(struct pt_regs, bp) },
		{ "rsi", at_imm_rsi, offsetof(struct pt_regs, si) },
		{ "rdi", at_imm_rdi, offsetof(struct pt_regs, di) },
		{ "r8", at_imm_r8, offsetof(struct pt_regs, r8) },
		{ "r9", at_imm_r9, offsetof(struct pt_regs, r9) },
		{ "r10", at_imm_r10, offsetof(struct pt_regs, r10) },
		{ "r11", at_imm_r11, offsetof(struct pt_regs, r11) },
		{ "r12", at_imm_r12, offsetof(struct pt_regs, r12) },
		{ "r13", at_imm_r13, offsetof(struct pt_regs, r13) },
		{ "r14", at_imm_r14, offsetof(struct pt_regs, r14) },
		{ "r15", at_imm_r15, offsetof(struct pt_regs, r15) },
	};
	struct pt_regs got, want;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		fill_regs(&got, regs[i].at);
		want = got;
		*(unsigned long *)((char *)&want + regs[i].offset) = -1234L;
		want.ip = (unsigned long)at_landing;
		KUNIT_EXPECT_EQ(test, 1, fix(&got, X86_TRAP_PF, 0, 0));
		expect_regs(test, &want, &got, regs[i].name);
	}
}

/* Nothing happens where there is no entry, or one that leaves it at that. */
static void test_no_entry(struct kunit *test)
{
	static const char *const places[] = {
		at_first, at_default + 1, at_default - 1, at_none, at_none + 1,
		at_last, at_landing, at_decline_none,
	};
	struct pt_regs got, want;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		fill_regs(&got, places[i]);
		want = got;
		KUNIT_EXPECT_EQ(test, 0, fix(&got, X86_TRAP_PF, 0, 0));
		expect_regs(test, &want, &got, "no entry");
		if (places[i] != at_decline_none)
			KUNIT_EXPECT_EQ(test, (int)EX_MC_FATAL,
					(int)ex_mc_grade((unsigned long)places[i]));
	}
}

/* What a handler is told, trap by trap. */
static void test_info(struct kunit *test)
{
	const struct ex_info mc = {
		.trapnr = X86_TRAP_MC,
		.mc_addr = 0x123456789ac0,
		.mc_lsb = 6,
		.mc_valid = true,
	};
	struct pt_regs regs;

	calls = 0;
	fill_regs(&regs, at_take);
	KUNIT_EXPECT_EQ(test, 1, fix(&regs, X86_TRAP_PF, WRITE_FAULT, 0x7654321));
	KUNIT_EXPECT_EQ(test, 1, calls);
	KUNIT_EXPECT_EQ(test, X86_TRAP_PF, seen.trapnr);
	KUNIT_EXPECT_EQ(test, (unsigned long)WRITE_FAULT, seen.error_code);
	KUNIT_EXPECT_EQ(test, 0x7654321UL, seen.fault_addr);
	KUNIT_EXPECT_FALSE(test, seen.mc_valid);
	KUNIT_EXPECT_EQ(test, (unsigned long)at_take, seen_ip);

	fill_regs(&regs, at_take);
	KUNIT_EXPECT_TRUE(test, ex_mc_fixup(&regs, &mc));
	KUNIT_EXPECT_EQ(test, 2, calls);
	KUNIT_EXPECT_MEMEQ(test, &mc, &seen, sizeof(mc));
	KUNIT_EXPECT_EQ(test, (unsigned long)at_landing, regs.ip);

	/* A vector that the descriptor does not want: its type, no call. */
	fill_regs(&regs, at_take_gp);
	KUNIT_EXPECT_TRUE(test, ex_mc_fixup(&regs, &mc));
	KUNIT_EXPECT_EQ(test, 2, calls);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_MC, regs.ax);

	/* One that declines: it was asked, and the type did it. */
	fill_regs(&regs, at_decline);
	KUNIT_EXPECT_TRUE(test, ex_mc_fixup(&regs, &mc));
	KUNIT_EXPECT_EQ(test, 3, calls);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_MC, regs.ax);
	KUNIT_EXPECT_EQ(test, (unsigned long)at_landing, regs.ip);

	/* Declined, and no type: nobody recovers. */
	fill_regs(&regs, at_decline_none);
	KUNIT_EXPECT_FALSE(test, ex_mc_fixup(&regs, &mc));
	KUNIT_EXPECT_EQ(test, (unsigned long)at_decline_none, regs.ip);

	/* An entry with a type serves #MC as well. */
	fill_regs(&regs, at_fault_mce);
	KUNIT_EXPECT_TRUE(test, ex_mc_fixup(&regs, &mc));
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_MC, regs.ax);
}

/* Before, in and after a range, and where an instruction has its own entry. */
static void test_ranges(struct kunit *test)
{
	static const struct {
		const char *at;
		enum ex_mc_grade grade;
		bool fixed;		/* for #MC */
		bool taken;		/* by the handler of the range */
	} places[] = {
		{ at_range - 1, EX_MC_FATAL, false, false },
		{ at_range, EX_MC_RECORD, true, true },
		{ at_range + 1, EX_MC_RECORD, true, true },
		{ at_range_inside, EX_MC_RECORD, true, true },
		{ at_range_end - 1, EX_MC_RECORD, true, true },
		/* The next one starts where this one ends, and declines. */
		{ at_range_end, EX_MC_CALLER, false, false },
		{ at_range2 + 1, EX_MC_CALLER, false, false },
		{ at_range2_own, EX_MC_FATAL, true, false },
		{ at_range2_inside, EX_MC_CALLER, false, false },
		{ at_range2_end - 1, EX_MC_CALLER, false, false },
		{ at_range2_end, EX_MC_FATAL, false, false },
		{ at_last, EX_MC_FATAL, false, false },
	};
	const struct ex_info mc = { .trapnr = X86_TRAP_MC };
	struct pt_regs regs;
	unsigned int i;

	KUNIT_ASSERT_PTR_EQ(test, &at_range2[0], &at_range_end[0]);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		unsigned long ip = (unsigned long)places[i].at;

		KUNIT_EXPECT_EQ_MSG(test, (int)places[i].grade, (int)ex_mc_grade(ip),
				    "place %u", i);
		fill_regs(&regs, places[i].at);
		KUNIT_EXPECT_EQ_MSG(test, places[i].fixed, ex_mc_fixup(&regs, &mc),
				    "place %u", i);
		KUNIT_EXPECT_EQ_MSG(test, places[i].fixed ? (unsigned long)at_landing : ip,
				    regs.ip, "place %u", i);
		KUNIT_EXPECT_EQ_MSG(test, places[i].taken, regs.ax == HANDLED,
				    "place %u", i);
	}

	/* The second range wants #MC only, and has no type. */
	fill_regs(&regs, at_range2);
	KUNIT_EXPECT_EQ(test, 0, fix(&regs, X86_TRAP_PF, 0, 0));
}

/* Nothing that a type could have beside it makes a descriptor of it. */
static void test_words(struct kunit *test)
{
	struct exception_table_entry e = {};
	int imm, low;

	for (imm = -0x8000; imm < 0x4000; imm++) {
		for (low = 0; low <= 0xffff; low = low < 0x40 ? low + 1 : low + 0x3fd) {
			e.data = EX_DATA_IMM(imm) | low;
			if (!ex_entry_desc(&e) && ex_entry_type(&e) == e.data &&
			    ex_data_moved(e.data, 0x1234) == e.data)
				continue;
			KUNIT_FAIL(test, "%#x is taken for a descriptor", e.data);
			return;
		}
	}
}

/* --- real traps --- */

/* An address that faults, right behind one that does not. */
static char *edge(struct kunit *test)
{
	char *page = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page, 0xa5, PAGE_SIZE);
	return page + PAGE_SIZE;
}

static void free_edge(char *addr)
{
	vfree(addr - PAGE_SIZE);
}

#define NON_CANONICAL	((char *)0x8000000000001000UL)

static unsigned long load_desc(const char *addr)
{
	unsigned long val = 1;

	asm volatile("1: movq %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_DESC(1b, 2b, desc_take)
		     : "+a" (val) : "m" (*(const u64 *)addr) : "memory");
	return val;
}

static void test_trap_pf(struct kunit *test)
{
	char *addr = edge(test);
	unsigned long val = 1;

	calls = 0;
	KUNIT_EXPECT_EQ(test, HANDLED, load_desc(addr));
	KUNIT_EXPECT_EQ(test, 1, calls);
	KUNIT_EXPECT_EQ(test, X86_TRAP_PF, seen.trapnr);
	KUNIT_EXPECT_EQ(test, (unsigned long)addr, seen.fault_addr);
	KUNIT_EXPECT_EQ(test, 0UL, seen.error_code & (X86_PF_WRITE | X86_PF_USER));

	/* Across the edge: the first byte that is not there. */
	KUNIT_EXPECT_EQ(test, HANDLED, load_desc(addr - 3));
	KUNIT_EXPECT_EQ(test, (unsigned long)addr, seen.fault_addr);

	asm volatile("1: movb $0, %1\n"
		     "2:\n"
		     _ASM_EXTABLE_DESC(1b, 2b, desc_take)
		     : "+a" (val), "=m" (*addr) : : "memory");
	KUNIT_EXPECT_EQ(test, HANDLED, val);
	KUNIT_EXPECT_EQ(test, 3, calls);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_PF_WRITE, seen.error_code & X86_PF_WRITE);

	/* No trap, no call. */
	KUNIT_EXPECT_EQ(test, 0xa5a5a5a5a5a5a5a5UL, load_desc(addr - 8));
	KUNIT_EXPECT_EQ(test, 3, calls);
	free_edge(addr);
}

static void test_trap_gp(struct kunit *test)
{
	calls = 0;
	KUNIT_EXPECT_EQ(test, HANDLED, load_desc(NON_CANONICAL));
	KUNIT_EXPECT_EQ(test, 1, calls);
	KUNIT_EXPECT_EQ(test, X86_TRAP_GP, seen.trapnr);
	KUNIT_EXPECT_EQ(test, 0UL, seen.error_code);
}

static void test_trap_de(struct kunit *test)
{
	unsigned long val = 1;

	calls = 0;
	asm volatile("1: divl %1\n"
		     "2:\n"
		     _ASM_EXTABLE_DESC(1b, 2b, desc_take)
		     : "+a" (val) : "r" (0) : "rdx", "memory");
	KUNIT_EXPECT_EQ(test, HANDLED, val);
	KUNIT_EXPECT_EQ(test, 1, calls);
	KUNIT_EXPECT_EQ(test, X86_TRAP_DE, seen.trapnr);
}

/* #PF is not what it wants, and #GP neither where it declines: the type. */
static void test_trap_declined(struct kunit *test)
{
	char *addr = edge(test);
	unsigned long val = 1;

	calls = 0;
	asm volatile("1: movq %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_DESC(1b, 2b, desc_take_gp)
		     : "+a" (val) : "m" (*(u64 *)addr) : "memory");
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_PF, val);
	KUNIT_EXPECT_EQ(test, 0, calls);

	asm volatile("1: movq %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_DESC(1b, 2b, desc_decline)
		     : "+a" (val) : "m" (*(u64 *)NON_CANONICAL) : "memory");
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_GP, val);
	KUNIT_EXPECT_EQ(test, 1, calls);
	free_edge(addr);
}

/* Each of three loads may be the one that traps. */
static void test_trap_range(struct kunit *test)
{
	char *addr = edge(test);
	unsigned int bad;

	for (bad = 0; bad < 3; bad++) {
		unsigned long val = 1, at[3];
		unsigned int i;

		for (i = 0; i < 3; i++)
			at[i] = (unsigned long)addr - (i == bad ? 0 : 8);
		calls = 0;
		asm volatile("1: movq (%1), %%rcx\n"
			     "	 movq (%2), %%rcx\n"
			     "	 movq (%3), %%rcx\n"
			     "2: nop\n"
			     "3:\n"
			     _ASM_EXTABLE_RANGE(1b, 2b, 3b, take, (1 << X86_TRAP_PF), 0)
			     : "+a" (val)
			     : "r" (at[0]), "r" (at[1]), "r" (at[2])
			     : "rcx", "memory");
		KUNIT_EXPECT_EQ(test, HANDLED, val);
		KUNIT_EXPECT_EQ(test, 1, calls);
		KUNIT_EXPECT_EQ(test, (unsigned long)addr, seen.fault_addr);
	}
	free_edge(addr);
}

/* Entries with a type, for real. */
static void test_trap_types(struct kunit *test)
{
	char *addr = edge(test);
	unsigned long val, reg;

	val = 1;
	asm volatile("1: movq %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_FAULT(1b, 2b)
		     : "+a" (val) : "m" (*(u64 *)addr) : "memory");
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_PF, val);

	val = 1;
	asm volatile("1: movq %1, %0\n"
		     "	 movl $2, %k0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+a" (val) : "m" (*(u64 *)addr) : "memory");
	KUNIT_EXPECT_EQ(test, 1UL, val);

	reg = 1;
	val = 1;
	asm volatile("1: movq %2, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %%rcx)
		     : "+a" (val), "+c" (reg) : "m" (*(u64 *)addr));
	KUNIT_EXPECT_EQ(test, 1UL, val);
	KUNIT_EXPECT_EQ(test, (unsigned long)-EFAULT, reg);

	free_edge(addr);
}

static void test_trap_zeropad(struct kunit *test)
{
	char *addr = edge(test);
	unsigned int i;

	for (i = 1; i < sizeof(long); i++)
		KUNIT_EXPECT_EQ(test, 0xa5a5a5a5a5a5a5a5UL >> 8 * (8 - i),
				load_unaligned_zeropad(addr - i));
	free_edge(addr);
}

/* --- tables of our own --- */

#define TABLE_MAX	65
#define STRIDE		16

static struct exception_table_entry table[TABLE_MAX];
static const struct ex_desc descs[TABLE_MAX];
static struct ex_desc range_descs[TABLE_MAX];

/* Nobody looks at what lies there. */
static unsigned long insn_at(unsigned int i)
{
	return (unsigned long)table + 0x100000 + i * STRIDE;
}

static unsigned long target_of(unsigned int i)
{
	return (unsigned long)table - 0x100000 - i * STRIDE;
}

static void set_entry(struct exception_table_entry *e, unsigned int i, int type,
		      const struct ex_desc *desc)
{
	e->insn = insn_at(i) - (unsigned long)&e->insn;
	e->fixup = target_of(i) - (unsigned long)&e->fixup;
	e->data = type;
	if (desc)
		e->data = (unsigned long)desc - (unsigned long)&e->data + EX_DATA_DESC;
}

static void test_search(struct kunit *test)
{
	unsigned int n, i, off;

	for (n = 0; n <= TABLE_MAX; n++) {
		for (i = 0; i < n; i++)
			set_entry(&table[i], i, EX_TYPE_DEFAULT, NULL);
		KUNIT_EXPECT_NULL(test, search_extable(table, n, 0));
		KUNIT_EXPECT_NULL(test, search_extable(table, n, -1UL));
		KUNIT_EXPECT_NULL(test, search_extable(table, n, insn_at(0) - 1));
		KUNIT_EXPECT_NULL(test, search_extable(table, n, insn_at(n)));
		KUNIT_EXPECT_NULL(test, ex_search_range(table, n, insn_at(0) - 1));
		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_PTR_EQ(test, &table[i],
					    search_extable(table, n, insn_at(i)));
			for (off = 1; off < STRIDE; off++) {
				KUNIT_EXPECT_NULL(test, search_extable(table, n,
								       insn_at(i) + off));
				KUNIT_EXPECT_NULL(test, ex_search_range(table, n,
									insn_at(i) + off));
			}
		}
	}
}

/* One range, of any length, at any place in tables of any size. */
static void test_search_range(struct kunit *test)
{
	static const unsigned int lens[] = { 1, STRIDE - 1, STRIDE, 3 * STRIDE, 1000 * STRIDE };
	unsigned int n, at, i, l;

	for (n = 1; n <= 9; n++) {
		for (at = 0; at < n; at++) {
			for (l = 0; l < ARRAY_SIZE(lens); l++) {
				unsigned long start = insn_at(at);
				unsigned long end = start + lens[l];
				unsigned long ip;

				range_descs[at].len = lens[l];
				for (i = 0; i < n; i++)
					set_entry(&table[i], i, EX_TYPE_DEFAULT,
						  i == at ? &range_descs[at] : NULL);
				for (ip = insn_at(0) - 2; ip < insn_at(n) + 2; ip++)
					KUNIT_EXPECT_PTR_EQ(test,
							    ip >= start && ip < end ?
							    &table[at] : NULL,
							    ex_search_range(table, n, ip));
				KUNIT_EXPECT_PTR_EQ(test, &table[at],
						    ex_search_range(table, n, end - 1));
				KUNIT_EXPECT_NULL(test, ex_search_range(table, n, end));
			}
		}
	}
}

/* Of two ranges that lie in each other the inner one counts. */
static void test_search_nested(struct kunit *test)
{
	range_descs[0].len = 8 * STRIDE;
	range_descs[1].len = 2 * STRIDE;
	set_entry(&table[0], 0, 0, &range_descs[0]);
	set_entry(&table[1], 2, 0, &range_descs[1]);
	KUNIT_EXPECT_PTR_EQ(test, &table[0], ex_search_range(table, 2, insn_at(1)));
	KUNIT_EXPECT_PTR_EQ(test, &table[1], ex_search_range(table, 2, insn_at(2)));
	KUNIT_EXPECT_PTR_EQ(test, &table[1], ex_search_range(table, 2, insn_at(4) - 1));
	KUNIT_EXPECT_PTR_EQ(test, &table[0], ex_search_range(table, 2, insn_at(4)));
	KUNIT_EXPECT_NULL(test, ex_search_range(table, 2, insn_at(8)));
}

/* Sorting moves entries, and what they refer to stays what it was. */
static void test_sort(struct kunit *test)
{
	unsigned int order[TABLE_MAX], n, i, j, round;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 42);
	for (round = 0; round < 50; round++) {
		n = round < 5 ? round : 1 + prandom_u32_state(&rnd) % TABLE_MAX;
		for (i = 0; i < n; i++)
			order[i] = i;
		for (i = n; i > 1; i--) {
			j = prandom_u32_state(&rnd) % i;
			swap(order[i - 1], order[j]);
		}
		for (i = 0; i < n; i++)
			set_entry(&table[i], order[i],
				  EX_TYPE_IMM_REG | EX_DATA_REG(order[i] % 16) |
				  EX_DATA_IMM(-(int)order[i]),
				  order[i] % 3 ? &descs[order[i]] : NULL);
		sort_extable(table, table + n);
		for (i = 0; i < n; i++) {
			const struct exception_table_entry *e = &table[i];

			KUNIT_EXPECT_EQ(test, insn_at(i), (unsigned long)&e->insn + e->insn);
			KUNIT_EXPECT_EQ(test, target_of(i), fixup_of(e));
			if (i % 3)
				KUNIT_EXPECT_PTR_EQ(test, &descs[i], ex_entry_desc(e));
			else
				KUNIT_EXPECT_EQ(test, EX_TYPE_IMM_REG | EX_DATA_REG(i % 16) |
						EX_DATA_IMM(-(int)i), e->data);
		}
	}
}

/* --- the module --- */

/* Does an entry for init code work while that is there? */
static int init_recovered = -1;

static int __init extable_test_init(void)
{
	int val = 0;

	asm volatile("1: movl %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_FAULT(1b, 2b)
		     : "+a" (val) : "m" (*(u32 *)NON_CANONICAL));
	init_recovered = val;
	return 0;
}
module_init(extable_test_init);

static void test_init_text(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, X86_TRAP_GP, init_recovered);
}

static void __exit extable_test_exit(void)
{
}
module_exit(extable_test_exit);

static struct kunit_case extable_cases[] = {
	KUNIT_CASE_PARAM(test_kinds, kind_gen_params),
	KUNIT_CASE(test_registers),
	KUNIT_CASE(test_no_entry),
	KUNIT_CASE(test_info),
	KUNIT_CASE(test_ranges),
	KUNIT_CASE(test_words),
	KUNIT_CASE(test_trap_pf),
	KUNIT_CASE(test_trap_gp),
	KUNIT_CASE(test_trap_de),
	KUNIT_CASE(test_trap_declined),
	KUNIT_CASE(test_trap_range),
	KUNIT_CASE(test_trap_types),
	KUNIT_CASE(test_trap_zeropad),
	KUNIT_CASE(test_search),
	KUNIT_CASE(test_search_range),
	KUNIT_CASE(test_search_nested),
	KUNIT_CASE(test_sort),
	KUNIT_CASE(test_init_text),
	{}
};

static struct kunit_suite extable_suite = {
	.name = "x86_extable",
	.test_cases = extable_cases,
};

kunit_test_suite(extable_suite);

MODULE_DESCRIPTION("KUnit test of exception tables");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
