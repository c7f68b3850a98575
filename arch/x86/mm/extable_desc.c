// SPDX-License-Identifier: GPL-2.0
/*
 * Exception table entries with a descriptor.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/extable.h>
#include <linux/ptrace.h>

#include <asm/extable.h>
#include <asm/extable_desc.h>
#include <asm/trapnr.h>

/**
 * ex_entry_desc() - descriptor of an exception table entry
 * @e:	the entry
 *
 * Context: any, NMI and #MC included.
 * Return: the descriptor, or NULL for an entry that has a type.
 */
const struct ex_desc *ex_entry_desc(const struct exception_table_entry *e)
{
	if (e->data & EX_DATA_IS_TYPE)
		return NULL;

	return (const struct ex_desc *)((unsigned long)&e->data + e->data);
}

/**
 * ex_entry_type() - type of an exception table entry, with its flags
 * @e:	the entry
 *
 * Context: any, NMI and #MC included.
 * Return: the EX_TYPE_* value with register, flag and immediate as the macro
 * that made the entry was given it; for an entry with a descriptor, what it is
 * to vectors that its handler does not want.
 */
int ex_entry_type(const struct exception_table_entry *e)
{
	const struct ex_desc *desc = ex_entry_desc(e);

	return desc ? desc->type : e->data >> 1;
}

/**
 * ex_mc_grade() - can an instruction recover from #MC?
 * @ip:	its address
 *
 * The table alone decides. No instruction is fetched and nothing changes, so
 * this may run before the banks are cleared and once for every bank.
 *
 * An access to user memory is what its type says: the fixup makes it fail, as
 * for an address that is not mapped. That includes the accesses that must not
 * fault on kernel memory.
 *
 * Context: any, NMI and #MC included.
 * Return: an &enum ex_mc_grade value.
 */
enum ex_mc_grade ex_mc_grade(unsigned long ip)
{
	const struct exception_table_entry *e = search_exception_tables(ip);
	const struct ex_desc *desc;
	int data;

	if (!e)
		return EX_MC_FATAL;

	desc = ex_entry_desc(e);
	if (desc && desc->traps & BIT(X86_TRAP_MC))
		return EX_MC_RECORD;

	data = ex_entry_type(e);
	switch (FIELD_GET(EX_DATA_TYPE_MASK, data)) {
	case EX_TYPE_UACCESS:
	case EX_TYPE_UCOPY_LEN:
	case EX_TYPE_FAULT_MCE_SAFE:
		return EX_MC_RECORD;
	case EX_TYPE_IMM_REG:
		/* Other immediates are for what loads no user data. */
		if ((int)FIELD_GET(EX_DATA_IMM_MASK, data) == -EFAULT)
			return EX_MC_RECORD;
		return EX_MC_FATAL;
	case EX_TYPE_DEFAULT_MCE_SAFE:
		return EX_MC_CALLER;
	default:
		return EX_MC_FATAL;
	}
}

/**
 * ex_desc_fixup() - let the handler of an entry deal with a trap
 * @e:		the entry
 * @regs:	registers to resume with
 * @info:	the trap
 *
 * Context: that of the trap.
 * Return: true if handled, false if @e has no descriptor, or its handler does
 * not want this vector or declines.
 */
bool ex_desc_fixup(const struct exception_table_entry *e, struct pt_regs *regs,
		   const struct ex_info *info)
{
	const struct ex_desc *desc = ex_entry_desc(e);

	if (!desc || !(desc->traps & BIT(info->trapnr)))
		return false;

	return desc->handler(regs, info, e);
}

/**
 * ex_mc_fixup() - recover from #MC in the kernel
 * @regs:	registers to resume with
 * @info:	the trap, with the address of the error
 *
 * Context: #MC, NMI-like.
 * Return: true if @regs now lead to recovery code.
 */
bool ex_mc_fixup(struct pt_regs *regs, const struct ex_info *info)
{
	const struct exception_table_entry *e = search_exception_tables(regs->ip);

	if (e && ex_entry_desc(e))
		return ex_desc_fixup(e, regs, info);

	return fixup_exception(regs, X86_TRAP_MC, 0, 0);
}
