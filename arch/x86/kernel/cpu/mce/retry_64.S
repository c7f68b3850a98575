/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From #MC to the settling of the page, and back to the load that met it.
 *
 * mce_retry_load() pushes the address of the load and the flags onto the stack
 * of the interrupted task, and returns here instead. So this runs like a page
 * fault at that load would: in the task, with interrupts on. It keeps all
 * registers; RFLAGS are as the interrupted code had them in the end, AC of a
 * user access section and the carry of a checksum included. That is why it goes
 * back with IRET: a return thunk may count calls, and change the flags.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/unwind_hints.h>

	.text

SYM_CODE_START(mce_settle_and_retry)
	UNWIND_HINT sp_reg=ORC_REG_SP sp_offset=16 type=UNWIND_HINT_TYPE_CALL
	ENDBR
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	call	mce_settle_for_retry
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx

	/* RAX, flags and address lie on the stack; make them an IRET frame. */
	movl	%ss, %eax
	pushq	%rax
	leaq	32(%rsp), %rax
	pushq	%rax
	pushq	24(%rsp)
	movl	%cs, %eax
	pushq	%rax
	pushq	48(%rsp)
	movq	40(%rsp), %rax
	iretq
SYM_CODE_END(mce_settle_and_retry)
