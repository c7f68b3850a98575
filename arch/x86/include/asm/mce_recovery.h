/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rest of x86 has to know about the two halves of the machine check
 * handler, see arch/x86/kernel/cpu/mce/rearm.c.
 */
#ifndef _ASM_X86_MCE_RECOVERY_H
#define _ASM_X86_MCE_RECOVERY_H

#include <linux/types.h>

struct pt_regs;

/*
 * Bytes below the interrupted stack pointer that the second half leaves free,
 * for a frame to return through.
 */
#define MCE_STACK_GAP	256

#ifdef CONFIG_X86_MCE
bool mce_uaccess_okay(void);
void mce_lost_fault(void);
#else
static inline bool mce_uaccess_okay(void)
{
	return true;
}

static inline void mce_lost_fault(void)
{
}
#endif

asmlinkage struct pt_regs *mce_leave_ist(struct pt_regs *regs);
asmlinkage void mce_off_ist(struct pt_regs *regs);

/* retry_64.S, retry.c */
void mce_settle_and_retry(void);
asmlinkage void mce_settle_for_retry(void);

#endif /* _ASM_X86_MCE_RECOVERY_H */
