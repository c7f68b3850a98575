// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of copy_mc_to_kernel() and copy_mc_to_user() from faults.
 *
 * The assembly has the loops and nothing else. Here is what follows a fault:
 * how many bytes are good although they were not copied yet, and how many are
 * not. copy_mc_tail() copies the former and returns the latter. It touches
 * neither the bad line nor what lies behind it.
 *
 * Poison in the source is one reason. A page that was taken out of the direct
 * map because of it is another, and then it is #PF. The destination may be user
 * memory that is not there.
 */
#include <linux/bits.h>
#include <linux/extable.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/ptrace.h>

#include <asm/asm.h>
#include <asm/copy_mc_recover.h>
#include <asm/extable_desc.h>
#include <asm/trapnr.h>

/*
 * Microcode may report a string instruction at the start of a chunk rather than
 * at the byte that it could not read. No chunk is larger than this.
 */
#define STRING_CHUNK	256UL

/* Copy @good bytes from SI to DI, give up on the rest of the @left bytes. */
static bool goto_tail(struct pt_regs *regs, unsigned long good, unsigned long left)
{
	regs->cx = good;
	regs->dx = left - good;
	regs->ip = (unsigned long)copy_mc_tail;
	return true;
}

/*
 * Bytes of a move before the instruction that trapped. The landing pad is the
 * first one, of three bytes; the others take four. See MOVE_WORDS.
 */
static unsigned long bytes_before(const struct pt_regs *regs,
				  const struct exception_table_entry *e)
{
	unsigned long first = (unsigned long)&e->fixup + e->fixup;

	return DIV_ROUND_UP(regs->ip - first, 4) * sizeof(u64);
}

/* Bytes in front of the page that a move of a line could not access */
static unsigned long pf_good_ahead(unsigned long addr, const struct ex_info *info)
{
	unsigned long ahead = info->fault_addr - addr;

	return ahead < 2 * MC_LINE ? ahead : 0;
}

/* What was loaded in front of it is not stored, and can be loaded again. */
static bool ex_copy_mc_load(struct pt_regs *regs, const struct ex_info *info,
			    const struct exception_table_entry *e)
{
	return goto_tail(regs, bytes_before(regs, e), (u32)regs->dx);
}

/* An unaligned store is good up to the page that it could not write to. */
static bool ex_copy_mc_store(struct pt_regs *regs, const struct ex_info *info,
			     const struct exception_table_entry *e)
{
	unsigned long done = bytes_before(regs, e);
	unsigned long good = 0;

	regs->si += done;
	regs->di += done;
	if (info->trapnr == X86_TRAP_PF && info->fault_addr - regs->di < sizeof(u64))
		good = info->fault_addr - regs->di;

	return goto_tail(regs, good, (u32)regs->dx - done);
}

/*
 * One of the moves of a line, of which some may be done already: again from its
 * start. The last of them reads from the next line as well.
 */
static bool ex_copy_mc_line_load(struct pt_regs *regs, const struct ex_info *info,
				 const struct exception_table_entry *e)
{
	unsigned long good = 0;

	if (info->trapnr == X86_TRAP_MC)
		good = mc_good_ahead(regs->si, MC_LINE, info);
	else if (info->trapnr == X86_TRAP_PF)
		good = pf_good_ahead(regs->si, info);

	return goto_tail(regs, good, (u32)regs->dx);
}

static bool ex_copy_mc_line_store(struct pt_regs *regs, const struct ex_info *info,
				  const struct exception_table_entry *e)
{
	unsigned long good = 0;

	if (info->trapnr == X86_TRAP_PF)
		good = pf_good_ahead(regs->di, info);

	return goto_tail(regs, good, (u32)regs->dx);
}

static bool ex_copy_mc_string(struct pt_regs *regs, const struct ex_info *info,
			      const struct exception_table_entry *e)
{
	unsigned long good = 0;

	if (info->trapnr == X86_TRAP_MC)
		good = mc_good_ahead(regs->si, min(regs->cx, STRING_CHUNK), info);

	return goto_tail(regs, good, regs->cx);
}

/*
 * Any trap is a reason to stop, as it always was here. The callers know the
 * page of the source, and take it out of service themselves. A store has
 * nothing to do with the source, so nobody expects #MC there.
 */
const struct ex_desc __ex_desc ex_desc_copy_mc_load = {
	.handler = ex_copy_mc_load,
	.traps	 = ~0U,
	.type	 = EX_TYPE_NONE,
	.flags	 = EX_DESC_CALLER_SETTLES,
};

const struct ex_desc __ex_desc ex_desc_copy_mc_store = {
	.handler = ex_copy_mc_store,
	.traps	 = (u32)~BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_NONE,
};

const struct ex_desc __ex_desc ex_desc_copy_mc_line_load = {
	.handler = ex_copy_mc_line_load,
	.traps	 = ~0U,
	.type	 = EX_TYPE_NONE,
	.flags	 = EX_DESC_CALLER_SETTLES,
};

const struct ex_desc __ex_desc ex_desc_copy_mc_line_store = {
	.handler = ex_copy_mc_line_store,
	.traps	 = (u32)~BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_NONE,
};

const struct ex_desc __ex_desc ex_desc_copy_mc_string = {
	.handler = ex_copy_mc_string,
	.traps	 = ~0U,
	.type	 = EX_TYPE_DEFAULT_MCE_SAFE,
	.flags	 = EX_DESC_CALLER_SETTLES,
};
