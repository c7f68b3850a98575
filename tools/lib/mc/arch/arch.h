/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the library has to know about an architecture:
 *
 *	MC_PAGE				the size of a base page
 *	mc_arch_ip(uc)			where a context stands
 *	mc_arch_goto(uc, ip)		go on there
 *	mc_arch_set(uc, reg, val)	set the register that an entry names
 *	mc_arch_reg_ok(reg)		does an entry's register exist?
 *	mc_arch_call(uc, fn, arg)	go on as if fn(arg) had just been called, by
 *					nobody, below what the stack holds
 *	mc_arch_stack(uc)		the stack pointer
 *	mc_copy_choose(name)		choose the copy routine for this CPU, or for
 *					tests the one of that name
 *
 * and in assembly mc_memcpy, mc_probe and mc_load8 to mc_load64, with entries in
 * the section mc_own_extable. A fault has to leave the context at the instruction
 * that made it, with all before it done and nothing of it and behind it, or as
 * much of it as its registers say.
 */
#ifndef MC_ARCH_H
#define MC_ARCH_H

#if defined(__x86_64__) && !defined(__ILP32__)
#include "x86_64.h"
#else
#error "libmc: no support for this architecture yet"
#endif

#endif
