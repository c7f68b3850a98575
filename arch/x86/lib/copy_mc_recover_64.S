/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies that survive poison in their source, and faults on either side.
 *
 * What is left to do after a fault is up to the handlers of the exception
 * table entries, see arch/x86/lib/copy_mc_recover.c. They rely on this:
 *
 *  rdi destination, rsi source of the move that is under way
 *  edx bytes left, that move included
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/extable_desc.h>

/*
 * The landing pad of an entry is the first load, or the first store, of its
 * move: the distance from there tells the handler how many words were done.
 */
.macro LOAD insn:vararg
.Lload_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lload_\@, .Lload, ex_desc_copy_mc_load)
.endm

.macro STORE insn:vararg
.Lstore_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lstore_\@, .Lstore, ex_desc_copy_mc_store)
.endm

/* The only form in which entries may be counted: 3 bytes, then 4 bytes each. */
.macro MOVE_WORDS n
.set .Lload, .
	LOAD movq (%rsi), %rax
.if \n > 1
	LOAD movq 8(%rsi), %r8
.endif
.if \n > 2
	LOAD movq 16(%rsi), %r9
	LOAD movq 24(%rsi), %r10
.endif
.if . - .Lload != 4 * \n - 1
	.error "the handlers count on the size of these instructions"
.endif
.set .Lstore, .
	STORE movq %rax, (%rdi)
.if \n > 1
	STORE movq %r8, 8(%rdi)
.endif
.if \n > 2
	STORE movq %r9, 16(%rdi)
	STORE movq %r10, 24(%rdi)
.endif
.if . - .Lstore != 4 * \n - 1
	.error "the handlers count on the size of these instructions"
.endif
	addq $8 * \n, %rsi
	addq $8 * \n, %rdi
	subl $8 * \n, %edx
.endm

.macro MOVE_PART insn:req reg:req size:req
.set .Lload, .
	LOAD \insn (%rsi), \reg
.set .Lstore, .
	STORE \insn \reg, (%rdi)
	addq $\size, %rsi
	addq $\size, %rdi
	subl $\size, %edx
.endm

/* Of these the handlers find out by its address where it trapped. */
.macro LINE_LOAD insn:vararg
.Lload_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lload_\@, .Lload_\@, ex_desc_copy_mc_line_load)
.endm

.macro LINE_STORE insn:vararg
.Lstore_\@:
	\insn
	_ASM_EXTABLE_DESC(.Lstore_\@, .Lstore_\@, ex_desc_copy_mc_line_store)
.endm

/* From here on, stores that cross lines cost more than it takes to avoid them. */
#define CROOKED_MIN	1024

/*
 * copy_mc_fragile - copy for CPUs whose string instructions are slow, or may
 * not meet poison
 *
 * Every load touches one line only: one that meets poison has no good bytes.
 * Those that were loaded with it and are not stored yet are the handler's
 * business. Loads are aligned to their size, except where a long copy goes to
 * another alignment than it comes from: there the stores are.
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
	cmpl $8, %edx
	jb .Lbytes
	testb $7, %sil
	jnz .Lalign
.Laligned:
	cmpl $32, %edx
	jae .Lmany

	/* Up to three words, and with as few jumps as can be: most copies end here. */
.Lfew:
	testb $16, %dl
	jnz .Ltwo
.Lone:
	MOVE_WORDS 1
	testl %edx, %edx
	jnz .Lpart
	xorl %eax, %eax
	RET
.Ltwo:
	MOVE_WORDS 2
	cmpl $8, %edx
	jae .Lone
	testl %edx, %edx
	jnz .Lpart
.Ldone:
	xorl %eax, %eax
	RET

	/* Less than a word, at an aligned address. */
.Lpart:
	testb $4, %dl
	jz 1f
	MOVE_PART movl %eax 4
1:	testb $2, %dl
	jz 1f
	MOVE_PART movw %ax 2
1:	testb $1, %dl
	jz .Ldone
	MOVE_PART movb %al 1
	xorl %eax, %eax
	RET

.Lmany:
	cmpl $64, %edx
	jb .Lhalf
	testb $7, %dil
	jnz .Lcrooked

	.p2align 4
.Lblocks:
	MOVE_WORDS 4
	MOVE_WORDS 4
	cmpl $64, %edx
	jae .Lblocks

	testl %edx, %edx
	jz .Ldone
	testb $32, %dl
	jz .Lrest
.Lhalf:
	MOVE_WORDS 4
.Lrest:
	cmpl $8, %edx
	jae .Lfew
	jmp .Lpart

	/* At least eight bytes are left, and this takes seven at most. */
.Lalign:
	testb $1, %sil
	jz 1f
	MOVE_PART movb %al 1
1:	testb $2, %sil
	jz 1f
	MOVE_PART movw %ax 2
1:	testb $4, %sil
	jz .Lrest_aligned
	MOVE_PART movl %eax 4
.Lrest_aligned:
	cmpl $8, %edx
	jae .Laligned
	jmp .Lpart

	/* Fewer than eight, aligned or not. */
.Lbytes:
	testl %edx, %edx
	jz .Ldone
1:	MOVE_PART movb %al 1
	jnz 1b
	jmp .Ldone

	/*
	 * Up to where a line of the source starts. A word from there, and on by
	 * as much of it as aligns the destination.
	 */
.Lcrooked:
	cmpl $CROOKED_MIN, %edx
	jb .Lblocks
	testb $8, %sil
	jz 1f
	MOVE_WORDS 1
1:	testb $16, %sil
	jz 1f
	MOVE_WORDS 2
1:	testb $32, %sil
	jz 1f
	MOVE_WORDS 4
1:	MOVE_WORDS 1
	movl %edi, %ecx
	andl $7, %ecx
	subq %rcx, %rsi
	subq %rcx, %rdi
	addl %ecx, %edx
	leaq -8(%rcx), %r11
	negl %ecx
	leal 64(, %rcx, 8), %ecx

	.p2align 4
.Llines:
	LINE_LOAD movq (%rsi), %rax
	LINE_LOAD movq 8(%rsi), %r8
	LINE_LOAD movq 16(%rsi), %r9
	LINE_LOAD movq 24(%rsi), %r10
	LINE_STORE movq %rax, (%rdi)
	LINE_STORE movq %r8, 8(%rdi)
	LINE_STORE movq %r9, 16(%rdi)
	LINE_STORE movq %r10, 24(%rdi)
	LINE_LOAD movq 32(%rsi), %rax
	LINE_LOAD movq 40(%rsi), %r8
	LINE_LOAD movq 48(%rsi), %r9
	LINE_STORE movq %rax, 32(%rdi)
	LINE_STORE movq %r8, 40(%rdi)
	LINE_STORE movq %r9, 48(%rdi)
	/* The last word of this line and the first of the next, -r11 bytes of it */
	LINE_LOAD movq 56(%rsi, %r11), %rax
	LINE_LOAD movq 64(%rsi, %r11), %r8
	shrq %cl, %rax
	negl %ecx
	shlq %cl, %r8
	negl %ecx
	orq %r8, %rax
	LINE_STORE movq %rax, 56(%rdi)
	addq $64, %rsi
	addq $64, %rdi
	subl $64, %edx
	cmpl $64, %edx
	jae .Llines

	/* Back to the start of the line, if any of it is left. */
	testl %edx, %edx
	jz .Ldone
	addq %r11, %rsi
	addq %r11, %rdi
	subl %r11d, %edx
	jmp .Lrest_aligned
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
	cmpl $64, %edx
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
