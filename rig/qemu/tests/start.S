/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test guest's way to 64-bit code on both CPUs, and its exception entries.
 *
 * The first CPU comes from a multiboot loader, the second from the copy of the
 * trampoline at AP_START. Memory up to 4 GiB is mapped one to one.
 */
#define AP_START 0x8000

	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.code32
	.globl start
start:
	cli
	movl $stack0, %esp
	movl 16(%ebx), %eax		/* command line */
	movl %eax, command_line
	cld
	movl $ap_start, %esi
	movl $AP_START, %edi
	movl $ap_end - ap_start, %ecx
	rep movsb
	/* one PML4 and PDPT entry, four page directories of 2 MiB pages */
	movl $pdpt + 7, pml4
	movl $pd + 7, pdpt
	movl $pd + 0x1007, pdpt + 8
	movl $pd + 0x2007, pdpt + 16
	movl $pd + 0x3007, pdpt + 24
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $21, %eax
	orl $0x87, %eax
	movl %eax, pd(, %ecx, 8)
	incl %ecx
	cmpl $2048, %ecx
	jb 1b
	movl $main, %edi
enter64:
	/* in: edi = where to go, esp = stack */
	movl %cr4, %eax
	orl $0x660, %eax		/* PAE, MCE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	andl $~4, %eax
	orl $0x80000002, %eax		/* PG, MP */
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $1f
	.code64
1:	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %edi, %edi
	lidt idt_pointer(%rip)
	call *%rdi
2:	hlt
	jmp 2b

	.code16
ap_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AP_START + ap_gdt_pointer - ap_start
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $24, $ap32
ap_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
ap_end:
	.code32
ap32:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack1, %esp
	movl $ap_main, %edi
	jmp enter64

	.code64
	/* All registers, lowest first, then vector, error code, iret frame */
	.macro entry vector, error
	.globl vector\vector
vector\vector:
	.if !\error
	pushq $0
	.endif
	pushq $\vector
	jmp common
	.endm
	entry 6, 0
	entry 13, 1
	entry 14, 1
	entry 18, 0
common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	cld
	call exception
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.data
	.align 16
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00cf9b000000ffff	/* 32-bit code */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
	.globl idt_pointer
idt_pointer:
	.word 32 * 16 - 1
	.quad idt
	.globl command_line
command_line:
	.quad 0

	.bss
	.align 4096
	.globl pml4
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 4 * 4096
	.skip 16384
stack0:
	.skip 16384
stack1:
