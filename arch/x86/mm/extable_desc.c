// SPDX-License-Identifier: GPL-2.0
/*
 * Exception table entries with a descriptor.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/extable.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/ptrace.h>

#include <kunit/visibility.h>

#include <asm/extable.h>
#include <asm/extable_desc.h>
#include <asm/extable_fixup_types.h>
#include <asm/trapnr.h>

#include "extable_bounds.h"

/* What the assembly macros lay out by hand */
static_assert(offsetof(struct ex_desc, traps) == sizeof(long));
static_assert(offsetof(struct ex_desc, type) == sizeof(long) + 4);
static_assert(offsetof(struct ex_desc, len) == sizeof(long) + 8);
static_assert(offsetof(struct ex_desc, flags) == sizeof(long) + 12);

/* Only a large immediate would make a descriptor of a type. */
static_assert(!((EX_DATA_TYPE_MASK | EX_DATA_REG_MASK | EX_DATA_FLAG_MASK) &
		EX_DATA_KIND_MASK));
static_assert(!EX_DATA_IS_DESC(EX_TYPE_EFAULT_REG));
static_assert(!EX_DATA_IS_DESC(EX_TYPE_UCOPY_LEN8));
static_assert(EX_DATA_IS_DESC(EX_DATA_DESC));

static unsigned long entry_ip(const struct exception_table_entry *e)
{
	return (unsigned long)&e->insn + e->insn;
}

/**
 * ex_search_range() - entry of a function that an instruction lies in
 * @base:	sorted exception table
 * @num:	its number of entries
 * @ip:		address of the instruction, which has no entry of its own
 *
 * Context: any, NMI and #MC included. Takes a step for each entry between that
 * of the function and @ip; this is for what would otherwise be fatal.
 * Return: the entry, or NULL.
 */
const struct exception_table_entry *
ex_search_range(const struct exception_table_entry *base, size_t num,
		unsigned long ip)
{
	const struct exception_table_entry *e = base;
	const struct ex_desc *desc;

	/* The last entry at or below @ip, and then down from there. */
	while (num) {
		if (entry_ip(e + num / 2) <= ip) {
			e += num / 2 + 1;
			num -= num / 2 + 1;
		} else {
			num /= 2;
		}
	}
	while (e-- > base) {
		desc = ex_entry_desc(e);
		if (desc && ip - entry_ip(e) < desc->len)
			return e;
	}

	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(ex_search_range);

#ifdef CONFIG_MODULES
static const struct exception_table_entry *ex_search_module(unsigned long ip)
{
	const struct exception_table_entry *e = NULL;
	struct module *mod;

	preempt_disable();
	mod = __module_text_address(ip);
	if (mod)
		e = ex_search_range(mod->extable, mod->num_exentries, ip);
	preempt_enable();

	return e;
}
#else
static const struct exception_table_entry *ex_search_module(unsigned long ip)
{
	return NULL;
}
#endif

/**
 * ex_search() - exception table entry that speaks for an instruction
 * @ip:	its address
 *
 * Context: any, NMI and #MC included.
 * Return: the instruction's own entry, or that of the function it lies in, or
 * NULL.
 */
const struct exception_table_entry *ex_search(unsigned long ip)
{
	const struct exception_table_entry *e = search_exception_tables(ip);

	if (e)
		return e;

	e = ex_search_range(__start___ex_table,
			    __stop___ex_table - __start___ex_table, ip);

	return e ?: ex_search_module(ip);
}

/**
 * ex_entry_desc() - descriptor of an exception table entry
 * @e:	the entry
 *
 * Context: any, NMI and #MC included.
 * Return: the descriptor, or NULL for an entry that has a type.
 */
const struct ex_desc *ex_entry_desc(const struct exception_table_entry *e)
{
	if (!EX_DATA_IS_DESC(e->data))
		return NULL;

	return (const struct ex_desc *)((unsigned long)&e->data +
					e->data - EX_DATA_DESC);
}
EXPORT_SYMBOL_IF_KUNIT(ex_entry_desc);

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

	return desc ? desc->type : e->data;
}
EXPORT_SYMBOL_IF_KUNIT(ex_entry_type);

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
	const struct exception_table_entry *e = ex_search(ip);
	const struct ex_desc *desc;
	int data;

	if (!e)
		return EX_MC_FATAL;

	desc = ex_entry_desc(e);
	if (desc && desc->traps & BIT(X86_TRAP_MC))
		return desc->flags & EX_DESC_CALLER_SETTLES ? EX_MC_CALLER :
							      EX_MC_RECORD;

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
EXPORT_SYMBOL_IF_KUNIT(ex_mc_grade);

/**
 * ex_desc_fixup() - let the handler of an entry deal with a trap
 * @e:		the entry
 * @regs:	registers to resume with
 * @info:	the trap
 *
 * In early boot no handler runs: the indirect call may not have been patched
 * yet to what this CPU needs. The entry's type is in force then.
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
	if (unlikely(system_state == SYSTEM_BOOTING))
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
	const struct exception_table_entry *e = ex_search(regs->ip);

	if (!e)
		return false;

	return ex_desc_fixup(e, regs, info) ||
	       ex_type_fixup(e, regs, X86_TRAP_MC, 0, 0);
}
EXPORT_SYMBOL_IF_KUNIT(ex_mc_fixup);
