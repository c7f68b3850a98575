// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in code that reads through the alias of the
 * direct map, see arch/x86/mm/hwpoison_alias.c.
 */
#include <asm/hwpoison_alias.h>
#include <asm/mce.h>
#include <asm/ptrace.h>

#include "internal.h"

/**
 * mce_recover_alias() - do a load again, from a page of zeroes
 * @m:		the error, from the bank that has the highest severity
 * @regs:	registers of the interrupted context
 *
 * Context: #MC from kernel mode, NMI-like, banks cleared, and where the stack
 * allows, another #MC possible.
 * Return: false if the load was none through the alias.
 */
bool mce_recover_alias(struct mce *m, struct pt_regs *regs)
{
	u64 addr = m->addr & MCI_ADDR_PHYSADDR;

	if (!mce_usable_address(m) || !hwpoison_alias_replace(addr))
		return false;

	mce_record(addr, regs->ip, false);
	mce_slow_down(regs);

	return true;
}
