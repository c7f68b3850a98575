// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in kernel mode.
 *
 * NMI-like, whatever was interrupted: no locks, no sleep, no printk. The page
 * is recorded, and settled by whoever can do that.
 */
#include <linux/hwpoison.h>

#include <asm/extable_desc.h>
#include <asm/mce.h>
#include <asm/trapnr.h>

#include "internal.h"

/**
 * mce_recover_kernel() - resume at the fixup, and remember the bad page
 * @m:		the error, from the bank that has the highest severity
 * @regs:	registers of the interrupted context
 *
 * An error without a usable address takes no page out of service.
 *
 * Context: #MC from kernel mode, NMI-like, banks cleared, and where the stack
 * allows, another #MC possible.
 * Return: false if there is no fixup after all.
 */
bool mce_recover_kernel(struct mce *m, struct pt_regs *regs)
{
	struct ex_info info = {
		.trapnr	  = X86_TRAP_MC,
		.mc_addr  = m->addr & MCI_ADDR_PHYSADDR,
		.mc_lsb	  = MCI_MISC_ADDR_LSB(m->misc),
		.mc_valid = mce_usable_address(m),
	};
	unsigned long ip = regs->ip;

	if (!ex_mc_fixup(regs, &info))
		return false;

	if (info.mc_valid && m->kflags & MCE_IN_KERNEL_COPYIN)
		hwpoison_record(info.mc_addr, ip);

	return true;
}
