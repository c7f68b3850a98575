// SPDX-License-Identifier: GPL-2.0
/*
 * From #MC to the settling of a page and back to the load: the interrupted code
 * finds all registers and flags as it left them. It may be in the midst of an
 * addition with carry.
 */
#include <stdio.h>
#include <stdlib.h>

#include "retry.h"

#define NR_REGS		17
#define REG_FLAGS	16

/* RAX to R15 in the order of the CPU's numbers, and the flags */
unsigned long retry_before[NR_REGS], retry_after[NR_REGS];

/* What a C function may change, the settling changes. */
asm(".pushsection .text\n"
	".globl mce_settle_for_retry\n"
	"mce_settle_for_retry:\n"
	"	mov $-1, %rax\n"
	"	mov %rax, %rcx\n"
	"	mov %rax, %rdx\n"
	"	mov %rax, %rsi\n"
	"	mov %rax, %rdi\n"
	"	mov %rax, %r8\n"
	"	mov %rax, %r9\n"
	"	mov %rax, %r10\n"
	"	mov %rax, %r11\n"
	"	add %rax, %rax\n"
	"	ret\n"
	".globl retry_once\n"
	"retry_once:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, retry_before + 4 * 8(%rip)\n"
	"	mov retry_before + 1 * 8(%rip), %rcx\n"
	"	mov retry_before + 2 * 8(%rip), %rdx\n"
	"	mov retry_before + 3 * 8(%rip), %rbx\n"
	"	mov retry_before + 5 * 8(%rip), %rbp\n"
	"	mov retry_before + 6 * 8(%rip), %rsi\n"
	"	mov retry_before + 7 * 8(%rip), %rdi\n"
	"	mov retry_before + 8 * 8(%rip), %r8\n"
	"	mov retry_before + 9 * 8(%rip), %r9\n"
	"	mov retry_before + 10 * 8(%rip), %r10\n"
	"	mov retry_before + 11 * 8(%rip), %r11\n"
	"	mov retry_before + 12 * 8(%rip), %r12\n"
	"	mov retry_before + 13 * 8(%rip), %r13\n"
	"	mov retry_before + 14 * 8(%rip), %r14\n"
	"	mov retry_before + 15 * 8(%rip), %r15\n"
	/* What mce_retry_load() pushes, and the return from #MC */
	"	lea 1f(%rip), %rax\n"
	"	push %rax\n"
	"	pushq retry_before + 16 * 8(%rip)\n"
	"	mov retry_before(%rip), %rax\n"
	"	jmp mce_settle_and_retry\n"
	"1:	mov %rsp, retry_after + 4 * 8(%rip)\n"
	"	pushf\n"
	"	popq retry_after + 16 * 8(%rip)\n"
	"	mov %rax, retry_after(%rip)\n"
	"	mov %rcx, retry_after + 1 * 8(%rip)\n"
	"	mov %rdx, retry_after + 2 * 8(%rip)\n"
	"	mov %rbx, retry_after + 3 * 8(%rip)\n"
	"	mov %rbp, retry_after + 5 * 8(%rip)\n"
	"	mov %rsi, retry_after + 6 * 8(%rip)\n"
	"	mov %rdi, retry_after + 7 * 8(%rip)\n"
	"	mov %r8, retry_after + 8 * 8(%rip)\n"
	"	mov %r9, retry_after + 9 * 8(%rip)\n"
	"	mov %r10, retry_after + 10 * 8(%rip)\n"
	"	mov %r11, retry_after + 11 * 8(%rip)\n"
	"	mov %r12, retry_after + 12 * 8(%rip)\n"
	"	mov %r13, retry_after + 13 * 8(%rip)\n"
	"	mov %r14, retry_after + 14 * 8(%rip)\n"
	"	mov %r15, retry_after + 15 * 8(%rip)\n"
	"	mov retry_before + 4 * 8(%rip), %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	cld\n"
	"	ret\n"
	".popsection\n");

void retry_once(void);

/* CF, PF, AF, ZF, SF, DF, OF; IF and the bit that is always set */
#define FLAGS_FIXED	0x202
static const unsigned int flag_bits[] = { 0, 2, 4, 6, 7, 10, 11 };

bool retry_keeps_registers(unsigned long *cases)
{
	const unsigned int nr = sizeof(flag_bits) / sizeof(flag_bits[0]);
	unsigned int set, i;

	for (set = 0; set < 1U << nr; set++) {
		for (i = 0; i < NR_REGS; i++)
			retry_before[i] = 0x0123456789abcdefUL * (i + 1) + set;
		retry_before[REG_FLAGS] = FLAGS_FIXED;
		for (i = 0; i < nr; i++)
			if (set & 1U << i)
				retry_before[REG_FLAGS] |= 1UL << flag_bits[i];
		retry_once();
		for (i = 0; i < NR_REGS; i++) {
			if (retry_before[i] == retry_after[i])
				continue;
			printf("# word %u is %#lx and was %#lx\n", i,
			       retry_after[i], retry_before[i]);
			return false;
		}
		(*cases)++;
	}
	return true;
}
