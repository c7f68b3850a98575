// SPDX-License-Identifier: GPL-2.0
/*
 * mcvmm: a virtual machine monitor that tells its guest of bad memory.
 *
 *	mcvmm			a guest loads a byte of each of 16 pages
 *	mcvmm --truncate N	as above, when the file behind page N and up is gone
 *
 * The guest's memory is a region of libmc. When the guest touches a page that is
 * bad, this thread gets SIGBUS out of KVM_RUN; the callback writes down where, and
 * KVM_RUN ends. The guest then gets the machine check that a machine would have
 * raised (KVM_X86_SET_MCE), and it is the guest that decides what has been lost.
 * Memory whose file was truncated comes out of KVM_RUN in another way, without a
 * signal, and the guest is told the same.
 *
 * The guest is real mode code of 60 bytes: see guest_code.
 */
#include <asm/kvm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mc.h"

#define VM_PAGE		4096UL
#define GUEST_PAGES	32		/* all of the guest's memory */
#define DATA		0x10000UL	/* where its data begins: 16 pages */
#define DATA_PAGES	16
#define CODE		0x1000

#define PORT_BYTE	0x10		/* the guest has loaded a byte */
#define PORT_MC		0x11		/* the guest had a machine check: its address */
#define PORT_END	0x12

#define CR4_MCE		(1UL << 6)
#define MCG_CTL_P	(1ULL << 8)
#define MCG_SER_P	(1ULL << 24)
#define MCG_STATUS_RIPV	(1ULL << 0)
#define MCG_STATUS_EIPV	(1ULL << 1)
#define MCG_STATUS_MCIP	(1ULL << 2)
#define MCI_STATUS_AR	(1ULL << 55)
#define MCI_STATUS_S	(1ULL << 56)
#define MCI_STATUS_ADDRV (1ULL << 58)
#define MCI_STATUS_MISCV (1ULL << 59)
#define MCI_STATUS_EN	(1ULL << 60)
#define MCI_STATUS_UC	(1ULL << 61)
#define MCI_STATUS_VAL	(1ULL << 63)
#define MCA_DATA_LOAD	0x134
#define MISC_PAGE	((2 << 6) | 12)	/* a physical address, of a page */

struct vm {
	int kvm;
	int fd;
	int vcpu;
	int memory;
	unsigned char *mem;
	struct kvm_run *run;
	int run_size;
	/* from the handler to the loop of the same thread */
	volatile bool bad;
	unsigned char *volatile bad_addr;
	/* what the guest said */
	int bytes[DATA_PAGES];
	int loaded;
	int mcs;
	unsigned int mc_addr[DATA_PAGES];
	bool ended;
};

/*
 *	mov ds, 0x1000; bx = 0; cx = 16; ax = bp = 0
 * next: mov al, [bx]; out 0x10, al
 * skip: add bx, 0x1000; loop next; out 0x12, al; hlt
 * #MC:	ecx = MC1_ADDR; rdmsr; out 0x11, eax; clear MC1_STATUS and MCG_STATUS;
 *	return to skip, cx kept
 */
static const unsigned char guest_code[] = {
	0xb8, 0x00, 0x10,			/* mov $0x1000, %ax */
	0x8e, 0xd8,				/* mov %ax, %ds */
	0x31, 0xdb,				/* xor %bx, %bx */
	0xb9, 0x10, 0x00,			/* mov $16, %cx */
	0x8a, 0x07,				/* next: mov (%bx), %al */
	0xe6, PORT_BYTE,			/* out %al, $0x10 */
	0x81, 0xc3, 0x00, 0x10,			/* skip: add $0x1000, %bx */
	0xe2, 0xf6,				/* loop next */
	0xe6, PORT_END,				/* out %al, $0x12 */
	0xf4,					/* hlt */
};

#define GUEST_SKIP	14

static const unsigned char guest_mc[] = {
	0x66, 0x51,				/* push %ecx */
	0x66, 0xb9, 0x06, 0x04, 0x00, 0x00,	/* mov $0x406, %ecx: MC1_ADDR */
	0x0f, 0x32,				/* rdmsr */
	0x66, 0xe7, PORT_MC,			/* out %eax, $0x11 */
	0x66, 0x31, 0xc0,			/* xor %eax, %eax */
	0x66, 0x31, 0xd2,			/* xor %edx, %edx */
	0x66, 0xb9, 0x05, 0x04, 0x00, 0x00,	/* mov $0x405, %ecx: MC1_STATUS */
	0x0f, 0x30,				/* wrmsr */
	0x66, 0xb9, 0x7a, 0x01, 0x00, 0x00,	/* mov $0x17a, %ecx: MCG_STATUS */
	0x0f, 0x30,				/* wrmsr */
	0x66, 0x59,				/* pop %ecx */
	0x89, 0xe5,				/* mov %sp, %bp */
	0xc7, 0x46, 0x00,			/* movw $skip, (%bp) */
	(CODE + GUEST_SKIP) & 0xff, (CODE + GUEST_SKIP) >> 8,
	0xcf,					/* iret */
};

#define GUEST_MC	(CODE + 0x100)

/* In the handler of SIGBUS. */
static int vm_bad_memory(const struct mc_fault *fault, void *arg)
{
	struct vm *vm = arg;

	if (fault->kind == MC_ADVICE)
		return MC_PASS;
	vm->bad_addr = fault->addr;
	vm->bad = true;
	/* If the signal came just in front of KVM_RUN, it has to return at once. */
	vm->run->immediate_exit = 1;
	return MC_RETRY;
}

static int vm_create(struct vm *vm, int memory)
{
	struct kvm_userspace_memory_region region;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	unsigned long long cap;

	memset(vm, 0, sizeof(*vm));
	vm->memory = memory;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -errno;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return -errno;
	vm->mem = mmap(NULL, GUEST_PAGES * VM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (vm->mem == MAP_FAILED)
		return -errno;
	memset(&region, 0, sizeof(region));
	region.memory_size = GUEST_PAGES * VM_PAGE;
	region.userspace_addr = (uintptr_t)vm->mem;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0)
		return -errno;
	vm->run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->run = mmap(NULL, (size_t)vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED)
		return -errno;

	/* Two banks; the second one is told of. */
	cap = 2 | MCG_CTL_P | MCG_SER_P;
	if (ioctl(vm->vcpu, KVM_X86_SETUP_MCE, &cap) < 0) {
		cap = 2 | MCG_CTL_P;
		if (ioctl(vm->vcpu, KVM_X86_SETUP_MCE, &cap) < 0)
			return -errno;
	}

	memcpy(vm->mem + CODE, guest_code, sizeof(guest_code));
	memcpy(vm->mem + GUEST_MC, guest_mc, sizeof(guest_mc));
	vm->mem[18 * 4 + 0] = GUEST_MC & 0xff;
	vm->mem[18 * 4 + 1] = GUEST_MC >> 8;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ss.base = 0;
	sregs.ss.selector = 0;
	sregs.cr4 |= CR4_MCE;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) < 0)
		return -errno;
	memset(&regs, 0, sizeof(regs));
	regs.rip = CODE;
	regs.rsp = 0x4000;
	regs.rflags = 2;
	if (ioctl(vm->vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return mc_region_add(vm->mem, GUEST_PAGES * VM_PAGE, vm_bad_memory, vm);
}

static void vm_destroy(struct vm *vm)
{
	mc_region_remove(vm->mem, GUEST_PAGES * VM_PAGE);
	munmap(vm->run, (size_t)vm->run_size);
	munmap(vm->mem, GUEST_PAGES * VM_PAGE);
	close(vm->vcpu);
	close(vm->fd);
	close(vm->kvm);
}

/* What a CPU writes into a bank when a load has met bad memory. */
static int vm_machine_check(struct vm *vm, unsigned long long gpa)
{
	struct kvm_x86_mce mce;

	memset(&mce, 0, sizeof(mce));
	mce.status = MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | MCI_STATUS_MISCV |
		     MCI_STATUS_ADDRV | MCI_STATUS_S | MCI_STATUS_AR | MCA_DATA_LOAD;
	mce.addr = gpa;
	mce.misc = MISC_PAGE;
	mce.mcg_status = MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV;
	mce.bank = 1;
	return ioctl(vm->vcpu, KVM_X86_SET_MCE, &mce) < 0 ? -errno : 0;
}

static void vm_out(struct vm *vm)
{
	unsigned char *data = (unsigned char *)vm->run + vm->run->io.data_offset;
	unsigned int val = 0;

	memcpy(&val, data, vm->run->io.size);
	switch (vm->run->io.port) {
	case PORT_BYTE:
		if (vm->loaded < DATA_PAGES)
			vm->bytes[vm->loaded++] = (int)val;
		break;
	case PORT_MC:
		if (vm->mcs < DATA_PAGES)
			vm->mc_addr[vm->mcs++] = val;
		break;
	case PORT_END:
		vm->ended = true;
		break;
	}
}

/* Run the guest to its end. Return: 0, or a negative errno value. */
static int vm_loop(struct vm *vm)
{
	int err;

	while (!vm->ended) {
		int ret = ioctl(vm->vcpu, KVM_RUN, 0);

		err = errno;
		vm->run->immediate_exit = 0;
		if (vm->bad) {
			unsigned char *addr = vm->bad_addr;

			vm->bad = false;
			err = vm_machine_check(vm, (unsigned long long)(addr - vm->mem));
			if (err)
				return err;
			continue;
		}
		if (ret < 0 && (err == EINTR || err == EAGAIN))
			continue;
#ifdef KVM_EXIT_MEMORY_FAULT
		/* No page, and no signal. */
		if (ret < 0 && err == EFAULT &&
		    vm->run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
			err = vm_machine_check(vm, vm->run->memory_fault.gpa);
			if (err)
				return err;
			continue;
		}
#endif
		if (ret < 0)
			return -err;
		switch (vm->run->exit_reason) {
		case KVM_EXIT_IO:
			vm_out(vm);
			break;
		case KVM_EXIT_MMIO:
			/* No page either, where KVM emulates the instruction. */
			if (vm->run->mmio.phys_addr >= GUEST_PAGES * VM_PAGE)
				return -EIO;
			err = vm_machine_check(vm, vm->run->mmio.phys_addr);
			if (err)
				return err;
			break;
		case KVM_EXIT_HLT:
			return vm->ended ? 0 : -EIO;
		default:
			fprintf(stderr, "mcvmm: exit reason %u\n", vm->run->exit_reason);
			return -EIO;
		}
	}
	return 0;
}

#ifndef MC_SAMPLE_WITHOUT_MAIN
int main(int argc, char **argv)
{
	int memory = memfd_create("guest", MFD_CLOEXEC), err, i;
	struct vm vm;

	if (memory < 0 || ftruncate(memory, GUEST_PAGES * VM_PAGE)) {
		perror("mcvmm");
		return 1;
	}
	err = mc_init(0);
	if (!err)
		err = vm_create(&vm, memory);
	if (err) {
		fprintf(stderr, "mcvmm: cannot create a virtual machine: %s\n", strerror(-err));
		return 4;
	}
	for (i = 0; i < DATA_PAGES; i++)
		vm.mem[DATA + (size_t)i * VM_PAGE] = (unsigned char)(100 + i);
	if (argc == 3 && !strcmp(argv[1], "--truncate") &&
	    ftruncate(memory, (off_t)(DATA + strtoul(argv[2], NULL, 0) * VM_PAGE))) {
		perror("mcvmm");
		return 1;
	}
	err = vm_loop(&vm);
	if (err) {
		fprintf(stderr, "mcvmm: the guest stopped: %s\n", strerror(-err));
		return 1;
	}
	for (i = 0; i < vm.loaded; i++)
		printf("guest loaded %d\n", vm.bytes[i]);
	for (i = 0; i < vm.mcs; i++)
		printf("guest had a machine check at %#x\n", vm.mc_addr[i]);
	vm_destroy(&vm);
	return 0;
}
#endif
