/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies that survive poison in their source, and faults on either side.
 *
 * What is left to do after a fault is up to the handlers of the exception
 * table entries, see arch/x86/lib/copy_mc_recover.c. They rely on this:
 *
 *  rdi destination, rsi source of the moves that are under way
 *  edx bytes left, those included
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/extable_desc.h>

.macro LOAD insn:vararg
.Lload_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lload_\@, .Lload_\@, ex_desc_copy_mc_load)
.endm

.macro STORE insn:vararg
.Lstore_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lstore_\@, .Lstore_\@, ex_desc_copy_mc_store)
.endm

.macro MOVE_1 from to
	LOAD movq (\from), %rax
	STORE movq %rax, (\to)
.endm

.macro MOVE_2 from to
	LOAD movq (\from), %rax
	LOAD movq 8(\from), %r8
	STORE movq %rax, (\to)
	STORE movq %r8, 8(\to)
.endm

.macro MOVE_4 from to at=0
	LOAD movq \at(\from), %rax
	LOAD movq \at + 8(\from), %r8
	LOAD movq \at + 16(\from), %r9
	LOAD movq \at + 24(\from), %r10
	STORE movq %rax, \at(\to)
	STORE movq %r8, \at + 8(\to)
	STORE movq %r9, \at + 16(\to)
	STORE movq %r10, \at + 24(\to)
.endm

.macro MOVE_8 from to
	MOVE_4 \from, \to
	MOVE_4 \from, \to, 32
.endm

/* Where the last \bytes of the copy are: they may be some of its first, too. */
.macro LAST bytes
	leaq -\bytes(%rsi, %rdx), %rcx
	leaq -\bytes(%rdi, %rdx), %r11
.endm

/*
 * copy_mc_fragile - copy for CPUs whose string instructions are slow, or may
 * not meet poison
 *
 * After a fault the handlers begin again at rsi and rdi, and stop at what could
 * not be accessed: the loads and stores in between may come in any order, and
 * more than once, but not more than two lines ahead.
 *
 * Input:
 * rdi destination
 * rsi source
 * edx count
 *
 * Output:
 * rax uncopied bytes, 0 if successful
 */
SYM_FUNC_START(copy_mc_fragile)
	movl %edx, %edx
.Lrest:
	cmpl $16, %edx
	ja .Lover_16
	cmpl $8, %edx
	jb .Lbytes
	LAST 8
	MOVE_1 %rsi, %rdi
	MOVE_1 %rcx, %r11
.Ldone:
	xorl %eax, %eax
	RET

.Lover_16:
	cmpl $32, %edx
	ja .Lover_32
	LAST 16
	MOVE_2 %rsi, %rdi
	MOVE_2 %rcx, %r11
	xorl %eax, %eax
	RET

.Lover_32:
	cmpl $64, %edx
	ja .Lover_64
	LAST 32
	MOVE_4 %rsi, %rdi
	MOVE_4 %rcx, %r11
	xorl %eax, %eax
	RET

.Lover_64:
	cmpl $128, %edx
	ja .Lover_128
	LAST 64
	MOVE_8 %rsi, %rdi
	MOVE_8 %rcx, %r11
	xorl %eax, %eax
	RET

	/* Stores that cross lines cost more than loads that do. */
.Lover_128:
	testb $7, %dil
	jz .Llines
	MOVE_1 %rsi, %rdi
	movq %rdi, %rcx
	orq $-8, %rcx
	subq %rcx, %rsi
	subq %rcx, %rdi
	addl %ecx, %edx

	.p2align 4
.Llines:
	MOVE_8 %rsi, %rdi
	addq $64, %rsi
	addq $64, %rdi
	subl $64, %edx
	cmpl $64, %edx
	ja .Llines
	cmpl $8, %edx
	jae .Lrest

	/* Some of these were copied already. */
	LAST 8
	movq %rcx, %rsi
	movq %r11, %rdi
	movl $8, %edx
	MOVE_1 %rsi, %rdi
	xorl %eax, %eax
	RET

.Lbytes:
	testl %edx, %edx
	jz .Ldone
1:	LOAD movb (%rsi), %al
	STORE movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decl %edx
	jnz 1b
	jmp .Ldone
SYM_FUNC_END(copy_mc_fragile)

/*
 * copy_mc_enhanced_fast_string - copy for CPUs that have fast strings and may
 * meet poison in them
 *
 * The same as memcpy() where short strings are fast too, and elsewhere not
 * slower than it.
 *
 * Input and output as above.
 */
SYM_FUNC_START(copy_mc_enhanced_fast_string)
	ALTERNATIVE "jmp .Lnot_short", "", X86_FEATURE_FSRM
.Lstring:
	movl %edx, %ecx
0:	rep movsb
1:	movl %ecx, %eax
	RET

.Lnot_short:
	cmpl $512, %edx
	jae .Lstring
	jmp copy_mc_fragile

	_ASM_EXTABLE_DESC(0b, 1b, ex_desc_copy_mc_string)
SYM_FUNC_END(copy_mc_enhanced_fast_string)

/*
 * copy_mc_tail - the good bytes that a fault left uncopied
 *
 * Entered from the exception handler instead of the place that trapped, in the
 * same frame.
 *
 * Input:
 * rdi destination
 * rsi source
 * ecx good bytes, may be 0
 * edx bytes that cannot be copied
 *
 * Output:
 * rax uncopied bytes
 */
SYM_FUNC_START(copy_mc_tail)
	testl %ecx, %ecx
	jz 2f
0:	movb (%rsi), %al
1:	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decl %ecx
	jnz 0b
2:	leal (%rcx, %rdx), %eax
	RET

	_ASM_EXTABLE_UA(0b, 2b)
	_ASM_EXTABLE_UA(1b, 2b)
SYM_FUNC_END(copy_mc_tail)
