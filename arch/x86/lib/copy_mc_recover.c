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

/* How far copy_mc_fragile()'s loads and stores are ahead of SI and DI at most */
#define MOVES		128U

/* Copy @good bytes from SI to DI, give up on the rest of the @left bytes. */
static bool goto_tail(struct pt_regs *regs, unsigned long good, unsigned long left)
{
	regs->cx = good;
	regs->dx = left - good;
	regs->ip = (unsigned long)copy_mc_tail;
	return true;
}

/* What mc_good_ahead() is for #MC: bytes in front of a page that is not there */
static unsigned long pf_good_ahead(unsigned long addr, const struct ex_info *info)
{
	unsigned long ahead = info->fault_addr - addr;

	return ahead < MOVES ? ahead : 0;
}

static bool ex_copy_mc_load(struct pt_regs *regs, const struct ex_info *info,
			    const struct exception_table_entry *e)
{
	unsigned long good = 0;

	if (info->trapnr == X86_TRAP_MC)
		good = mc_good_ahead(regs->si, min((u32)regs->dx, MOVES), info);
	else if (info->trapnr == X86_TRAP_PF)
		good = pf_good_ahead(regs->si, info);

	return goto_tail(regs, good, (u32)regs->dx);
}

static bool ex_copy_mc_store(struct pt_regs *regs, const struct ex_info *info,
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

const struct ex_desc __ex_desc ex_desc_copy_mc_string = {
	.handler = ex_copy_mc_string,
	.traps	 = ~0U,
	.type	 = EX_TYPE_DEFAULT_MCE_SAFE,
	.flags	 = EX_DESC_CALLER_SETTLES,
};
