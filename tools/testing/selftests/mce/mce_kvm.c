// SPDX-License-Identifier: GPL-2.0
/*
 * The host of a guest: memory errors in the guest's memory, and in the pages that
 * KVM and its user space share.
 *
 * What the guest touches itself, and what KVM reads for it, ends in a SIGBUS for
 * the vCPU's thread, with the address of what was touched; the instruction is
 * repeated when the page has been replaced. What KVM reads from its own pages
 * makes an ioctl fail. The host goes on in each case.
 *
 * The guest is a page of code or two, in 64 bit mode, with all its memory mapped
 * where it is. Nested guests take a CPU with SVM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

/* The guest's memory */
#define MEM		0x40000UL
#define PML4		0x1000UL
#define PDPT		0x2000UL
#define PD		0x3000UL
#define PT		0x4000UL	/* maps DATA once more, for a walk */
#define GDT		0x5000UL
#define IDT		0x6000UL
#define STACK		0x8000UL	/* its end */
#define CODE		0x8000UL
#define HANDLER		0x9000UL
#define SEEN		0xa000UL	/* what the handler of #MC saw */
#define L2		0xb000UL
#define VMCB		0xc000UL
#define HSAVE		0xd000UL
#define MSRPM		0xe000UL	/* two pages */
#define IOPM		0x10000UL	/* three pages */
#define DATA		0x14000UL
#define PV		0x15000UL	/* of a paravirtual interface */
#define NPT		0x16000UL	/* three pages */

#define ALIAS		0x200000UL	/* DATA, through PT */
#define MMIO		0x10000000UL
#define PORT		0xe0
#define VECTOR		0x50		/* of an interrupt */

#define AT		0x100		/* where in a page the bad line is */
#define SEED		0x50da

/* MSRs, and bits of machine checks */
#define MSR_MCG_STATUS	0x17a
#define MSR_MC0_STATUS	0x401
#define MSR_MC0_ADDR	0x402
#define MSR_WALL_CLOCK	0x4b564d00
#define MSR_SYSTEM_TIME	0x4b564d01
#define MSR_STEAL_TIME	0x4b564d03
#define MSR_PV_EOI	0x4b564d04
#define MCG_CTL_P	0x100ULL
#define MCG_SER_P	0x1000000ULL
#define MCG_RIPV	1ULL
#define MCG_EIPV	2ULL
#define MCG_MCIP	4ULL
#define MCI_VAL		0x8000000000000000ULL
#define MCI_UC		0x2000000000000000ULL
#define MCI_EN		0x1000000000000000ULL
#define MCI_MISCV	0x800000000000000ULL
#define MCI_ADDRV	0x400000000000000ULL
#define MCI_S		0x100000000000000ULL
#define MCI_AR		0x80000000000000ULL

/* Code for the guest, not longer than this */
#define CODE_SIZE	64
#define GUEST(name, code)						\
	static void __attribute__((naked)) name(void) { asm(code); }

GUEST(g_load, "mov (%rsi), %rax; hlt")
GUEST(g_store, "movb $1, (%rdi); hlt")
GUEST(g_call, "call *%rsi; hlt")
GUEST(g_hlt, "1: hlt; jmp 1b")
GUEST(g_outs, "rep outsb; hlt")
GUEST(g_in, "in %dx, %al; hlt")
GUEST(g_movs, "movsb; hlt")
GUEST(g_cmps, "cmpsb; setz %al; movzbl %al, %eax; hlt")
GUEST(g_mmio_loop, "1: mov %al, (%rdi); jmp 1b")
GUEST(g_ret, "mov $0x600d, %eax; ret")
GUEST(g_vmrun, "vmrun %rax; hlt; vmload %rax; hlt")
GUEST(g_vmload, "vmload %rax; hlt")
GUEST(g_vmrun_look, "vmrun %rax; mov 0x70(%rax), %rax; hlt")
GUEST(g_l2, "vmmcall; hlt")
GUEST(g_l2_out, "out %al, %dx; vmmcall; hlt")
GUEST(g_wait, "sti; 1: out %al, %dx; jmp 1b")
GUEST(g_irq, "iretq")
/* #MC: count, remember the registers, clear MCG_STATUS */
GUEST(g_mc, "push %rax; push %rcx; push %rdx\n"
	"mov $0x17a, %ecx; rdmsr; mov %eax, 0xa008\n"
	"xor %eax, %eax; xor %edx, %edx; wrmsr\n"
	"incl 0xa000\n"
	"pop %rdx; pop %rcx; pop %rax; iretq")

struct vmcb_seg {
	__u16 selector, attrib;
	__u32 limit;
	__u64 base;
};

struct vm {
	int kvm;
	int fd;
	int vcpu;
	int memfd;
	int ret;		/* of KVM_RUN */
	int err;		/* and errno */
	size_t run_size;
	struct kvm_run *run;
	__u8 *mem;
};

static void put_code(struct vm *vm, __u64 at, void (*code)(void))
{
	memcpy(vm->mem + at, code, CODE_SIZE);
}

static void put64(struct vm *vm, __u64 at, __u64 val)
{
	memcpy(vm->mem + at, &val, sizeof(val));
}

static __u64 get64(struct vm *vm, __u64 at)
{
	__u64 val;

	memcpy(&val, vm->mem + at, sizeof(val));
	return val;
}

static void gate(struct vm *vm, int vector, __u64 to)
{
	put64(vm, IDT + 16 * vector, (to & 0xffff) | 8 << 16 | 0x8e00ULL << 32 |
	      (to >> 16 & 0xffff) << 48);
	put64(vm, IDT + 16 * vector + 8, to >> 32);
}

static void tables(struct vm *vm)
{
	int i;

	put64(vm, PML4, PDPT | 7);
	put64(vm, PDPT, PD | 7);
	for (i = 0; i < 512; i++)
		put64(vm, PD + 8 * i, i * 0x200000UL | 0xe7);
	put64(vm, PD + 8, PT | 7);
	put64(vm, PT, DATA | 0x67);
	put64(vm, GDT + 8, 0x00af9b000000ffffULL);
	put64(vm, GDT + 16, 0x00cf93000000ffffULL);
	gate(vm, 18, HANDLER);
	put_code(vm, HANDLER, g_mc);
	gate(vm, VECTOR, HANDLER + 0x100);
	put_code(vm, HANDLER + 0x100, g_irq);
}

static int set_slot(struct vm *vm, __u32 flags)
{
	struct kvm_userspace_memory_region slot = {
		.flags = flags,
		.memory_size = MEM,
		.userspace_addr = (unsigned long)vm->mem,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static int set_cpuid(struct vm *vm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[256];
	} c = { .head.nent = 256 };

	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, &c))
		return -1;
	return ioctl(vm->vcpu, KVM_SET_CPUID2, &c);
}

static int set_mode(struct vm *vm)
{
	struct kvm_segment code = {
		.selector = 8, .limit = ~0U, .type = 11, .present = 1, .s = 1,
		.l = 1, .g = 1,
	}, data = {
		.selector = 16, .limit = ~0U, .type = 3, .present = 1, .s = 1,
		.db = 1, .g = 1,
	};
	struct kvm_sregs sregs;
	__u64 mcg_cap = 10 | MCG_CTL_P | MCG_SER_P;

	if (ioctl(vm->vcpu, KVM_X86_SETUP_MCE, &mcg_cap) ||
	    ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cr0 = 0x80000033;
	sregs.cr3 = PML4;
	sregs.cr4 = 0x660;	/* PAE, MCE, OSFXSR, OSXMMEXCPT */
	sregs.efer = 0x500;	/* LME, LMA */
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 23;
	sregs.idt.base = IDT;
	sregs.idt.limit = 4095;
	return ioctl(vm->vcpu, KVM_SET_SREGS, &sregs);
}

static int vm_start(struct vm *vm, bool memfd, bool irqchip, int ring)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING,
		.args[0] = ring,
	};

	memset(vm, 0, sizeof(*vm));
	vm->kvm = -1;
	vm->fd = -1;
	vm->vcpu = -1;
	vm->memfd = -1;
	if (mce_pin(0))
		return -1;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -1;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return -1;
	if (irqchip && ioctl(vm->fd, KVM_CREATE_IRQCHIP))
		return -1;
	if (ring && ioctl(vm->fd, KVM_ENABLE_CAP, &cap))
		return -1;
	if (memfd) {
		vm->memfd = memfd_create("guest", MFD_CLOEXEC);
		if (vm->memfd < 0 || ftruncate(vm->memfd, MEM))
			return -1;
	}
	vm->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE,
		       memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, vm->memfd, 0);
	if (vm->mem == MAP_FAILED)
		return -1;
	madvise(vm->mem, MEM, MADV_NOHUGEPAGE);
	memset(vm->mem, 0, MEM);
	tables(vm);
	if (set_slot(vm, ring ? KVM_MEM_LOG_DIRTY_PAGES : 0))
		return -1;
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	vm->run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       vm->vcpu, 0);
	if (vm->vcpu < 0 || vm->run == MAP_FAILED)
		return -1;
	return set_cpuid(vm) || set_mode(vm) ? -1 : 0;
}

static void vm_stop(struct vm *vm)
{
	/* Nothing was started */
	if (!vm->mem)
		return;
	munmap(vm->run, vm->run_size);
	close(vm->vcpu);
	close(vm->fd);
	close(vm->kvm);
	close(vm->memfd);
	munmap(vm->mem, MEM);
}

/* The vCPU begins at CODE, with these registers */
static int vm_regs(struct vm *vm, __u64 rax, __u64 rsi, __u64 rdi)
{
	struct kvm_regs regs = {
		.rax = rax, .rsi = rsi, .rdi = rdi, .rcx = 4, .rdx = PORT,
		.rip = CODE, .rsp = STACK - 8, .rflags = 2,
	};

	return ioctl(vm->vcpu, KVM_SET_REGS, &regs);
}

static __u64 vm_rax(struct vm *vm)
{
	struct kvm_regs regs = { };

	ioctl(vm->vcpu, KVM_GET_REGS, &regs);
	return regs.rax;
}

static int set_msr(struct vm *vm, __u32 msr, __u64 val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry = { .index = msr, .data = val } };

	return ioctl(vm->vcpu, KVM_SET_MSRS, &m) == 1 ? 0 : -1;
}

static __u64 get_msr(struct vm *vm, __u32 msr)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry.index = msr };

	return ioctl(vm->vcpu, KVM_GET_MSRS, &m) == 1 ? m.entry.data : ~0ULL;
}

static void do_run(void *arg)
{
	struct vm *vm = arg;

	vm->ret = ioctl(vm->vcpu, KVM_RUN, 0);
	vm->err = errno;
}

/* Return: true if there was no SIGBUS */
static bool vm_run(struct vm *vm, struct mce_sigbus *sb)
{
	vm->ret = -1;
	vm->err = EINTR;
	return mce_guard(do_run, vm, sb);
}

static const char *exit_name(struct vm *vm)
{
	static char text[64];

	if (vm->ret)
		return mce_errname(vm->err);
	switch (vm->run->exit_reason) {
	case KVM_EXIT_HLT:		return "HLT";
	case KVM_EXIT_IO:		return "IO";
	case KVM_EXIT_SHUTDOWN:		return "SHUTDOWN";
	case KVM_EXIT_INTERNAL_ERROR:	return "INTERNAL_ERROR";
	case KVM_EXIT_MMIO:
		snprintf(text, sizeof(text), "MMIO for %#llx", vm->run->mmio.phys_addr);
		return text;
	default:
		snprintf(text, sizeof(text), "exit %u", vm->run->exit_reason);
		return text;
	}
}

/* What a VMM does: another page in the place of the lost one */
static int mend(struct vm *vm, __u64 gpa)
{
	__u8 *page = vm->mem + (gpa & ~(MCE_PAGE - 1));

	int flags = vm->memfd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	if (vm->memfd >= 0 &&
	    fallocate(vm->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      page - vm->mem, MCE_PAGE))
		return -1;
	/* That there was an error is also remembered where the page was mapped. */
	return mmap(page, MCE_PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		    vm->memfd, page - vm->mem) == page ? 0 : -1;
}

static void say(struct vm *vm, bool ok, const struct mce_sigbus *sb, long mcs,
		const char *what)
{
	if (ok)
		mce_outcome("%s: %s, %ld #MC", what, exit_name(vm), mcs);
	else
		mce_outcome("%s: SIGBUS %s, %ld #MC", what, mce_codename(sb->code), mcs);
}

/* Run the vCPU, and see what it costs. Return: as vm_run() */
static bool watch_run(struct vm *vm, struct mce_sigbus *sb, struct mce_watch *w, long mcs)
{
	bool ok;

	mce_watch_start(w);
	ok = vm_run(vm, sb);
	mce_watch_end(w, mcs);
	return ok;
}

/*
 * Run the vCPU, which meets the error at @gpa: SIGBUS with its address; once more:
 * the same, without a machine check.
 */
static void expect_lost(struct __test_metadata *_metadata, struct vm *vm, __u64 gpa,
			const char *what)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	bool ok;

	ok = watch_run(vm, &sb, &w, 1);
	say(vm, ok, &sb, w.mcs, what);
	ASSERT_FALSE(ok);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(12, sb.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&sb, vm->mem + gpa));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	ASSERT_FALSE(watch_run(vm, &sb, &w, 0))
		TH_LOG("again: %s", exit_name(vm));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, vm->mem + gpa));
	EXPECT_EQ(0, w.mcs);
}

#define EXPECT_LOST(vm, gpa, what)	expect_lost(_metadata, vm, gpa, what)

static void expect_exit(struct __test_metadata *_metadata, struct vm *vm, __u32 reason)
{
	struct mce_sigbus sb;

	ASSERT_TRUE(vm_run(vm, &sb));
	ASSERT_EQ(0, vm->ret)
		TH_LOG("%s", mce_errname(vm->err));
	ASSERT_EQ(reason, vm->run->exit_reason)
		TH_LOG("%s", exit_name(vm));
}

#define EXPECT_EXIT(vm, reason)		expect_exit(_metadata, vm, reason)

/* The code at CODE loads from DATA + AT in vain; then there is another page. */
static void expect_source_lost(struct __test_metadata *_metadata, struct vm *vm, __u64 rdi,
			       const char *what)
{
	ASSERT_EQ(0, vm_regs(vm, 0, DATA + AT, rdi));
	ASSERT_EQ(0, mce_arm(vm->mem + DATA + AT, NULL));
	EXPECT_LOST(vm, DATA + AT, what);
	ASSERT_EQ(0, mend(vm, DATA));
}

#define EXPECT_SOURCE_LOST(vm, rdi, what)	expect_source_lost(_metadata, vm, rdi, what)

/* KVM alone meets the error, once, and the guest goes on. */
static void expect_unharmed(struct __test_metadata *_metadata, struct vm *vm, const char *what)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	bool ok = watch_run(vm, &sb, &w, 1);

	say(vm, ok, &sb, w.mcs, what);
	EXPECT_TRUE(ok);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
}

/* What KVM needs in order to run the vCPU is bad. */
static void expect_run_fails(struct __test_metadata *_metadata, struct vm *vm, const char *what)
{
	struct mce_sigbus sb;
	struct mce_watch w;

	EXPECT_TRUE(watch_run(vm, &sb, &w, 1));
	EXPECT_EQ(-1, vm->ret);
	mce_outcome("%s: %s, %ld #MC", what, mce_errname(vm->err), w.mcs);
	EXPECT_EQ(EHWPOISON, vm->err);
	EXPECT_EQ(1, w.mcs);
}

/* What a VMM tells its guest */

#define STATUS_AR	(MCI_VAL | MCI_UC | MCI_EN | MCI_MISCV | MCI_ADDRV | MCI_S | MCI_AR | 0x134)
#define STATUS_AO	(MCI_VAL | MCI_UC | MCI_EN | MCI_MISCV | MCI_ADDRV | MCI_S | 0xc0)
#define STATUS_UCNA	(MCI_VAL | MCI_UC | MCI_EN | MCI_MISCV | MCI_ADDRV | 0xc0)

static int tell(struct vm *vm, __u64 addr, __u64 status, __u64 mcg_status)
{
	struct kvm_x86_mce mce = {
		.status = status, .addr = addr, .misc = 0x8c,
		.mcg_status = mcg_status,
	};

	return ioctl(vm->vcpu, KVM_X86_SET_MCE, &mce);
}

FIXTURE(kvm)
{
	struct vm vm;
};

FIXTURE_SETUP(kvm)
{
	struct vm *vm = &self->vm;

	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no KVM here");
	ASSERT_EQ(0, vm_start(vm, false, false, 0));
}

FIXTURE_TEARDOWN(kvm)
{
	mce_retire();
	vm_stop(&self->vm);
}

/* The guest touches it itself. */
FIXTURE(guest)
{
	struct vm vm;
};

FIXTURE_VARIANT(guest)
{
	bool memfd;
};

FIXTURE_VARIANT_ADD(guest, anon)
{
};

FIXTURE_VARIANT_ADD(guest, memfd)
{
	.memfd = true,
};

FIXTURE_SETUP(guest)
{
	struct vm *vm = &self->vm;

	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no KVM here");
	ASSERT_EQ(0, vm_start(vm, variant->memfd, false, 0));
}

FIXTURE_TEARDOWN(guest)
{
	mce_retire();
	vm_stop(&self->vm);
}

TEST_F(guest, load)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_load);
	put64(vm, DATA + AT, 1);
	EXPECT_SOURCE_LOST(vm, 0, "guest load");
	put64(vm, DATA + AT, 0x600d);
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(0x600d, vm_rax(vm));
}

TEST_F(guest, exact_address)
{
	struct vm *vm = &self->vm;
	struct mce_sigbus sb;

	put_code(vm, CODE, g_load);
	ASSERT_EQ(0, vm_regs(vm, 0, DATA + AT + 8, 0));
	ASSERT_EQ(0, mce_arm(vm->mem + DATA + AT, NULL));
	ASSERT_FALSE(vm_run(vm, &sb));
	/* The CPU knows the line, the guest's page tables the rest. */
	EXPECT_EQ(vm->mem + DATA + AT, sb.addr)
		TH_LOG("%zd bytes below", vm->mem + DATA + AT - (__u8 *)sb.addr);
	ASSERT_FALSE(vm_run(vm, &sb));
	EXPECT_EQ(vm->mem + DATA + AT + 8, sb.addr);
}

TEST_F(guest, fetch)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_call);
	put_code(vm, DATA + AT, g_ret);
	EXPECT_SOURCE_LOST(vm, 0, "guest fetch");
	put_code(vm, DATA + AT, g_ret);
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(0x600d, vm_rax(vm));
}

TEST_F(guest, page_walk)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_load);
	put64(vm, DATA + AT, 0x600d);
	ASSERT_EQ(0, vm_regs(vm, 0, ALIAS + AT, 0));
	ASSERT_EQ(0, mce_arm(vm->mem + PT, NULL));
	EXPECT_LOST(vm, PT, "guest page walk");
	ASSERT_EQ(0, mend(vm, PT));
	put64(vm, PT, DATA | 0x67);
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(0x600d, vm_rax(vm));
}

/* The whole way: SIGBUS, another page, a machine check for the guest, which goes on. */
TEST_F(guest, told)
{
	struct vm *vm = &self->vm;
	const __u64 mcg_status = MCG_MCIP | MCG_RIPV | MCG_EIPV;
	struct mce_sigbus sb;

	put_code(vm, CODE, g_load);
	ASSERT_EQ(0, vm_regs(vm, 0, DATA + AT, 0));
	ASSERT_EQ(0, mce_arm(vm->mem + DATA + AT, NULL));
	ASSERT_FALSE(vm_run(vm, &sb));
	ASSERT_EQ(BUS_MCEERR_AR, sb.code);
	ASSERT_EQ(DATA, ((__u8 *)sb.addr - vm->mem) & ~(MCE_PAGE - 1));
	ASSERT_EQ(0, mend(vm, DATA));
	put64(vm, DATA + AT, 0x600d);
	ASSERT_EQ(0, tell(vm, DATA + AT, STATUS_AR, mcg_status));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(1, get64(vm, SEEN) & 0xffffffff);
	EXPECT_EQ(mcg_status, get64(vm, SEEN + 8) & 0xffffffff);
	EXPECT_EQ(STATUS_AR, get_msr(vm, MSR_MC0_STATUS));
	EXPECT_EQ(DATA + AT, get_msr(vm, MSR_MC0_ADDR));
	EXPECT_EQ(0, get_msr(vm, MSR_MCG_STATUS));
	EXPECT_EQ(0x600d, vm_rax(vm));
}

/* What KVM reads for the guest, through user addresses */

TEST_F(kvm, outs)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_outs);
	EXPECT_SOURCE_LOST(vm, 0, "rep outsb");
	memcpy(vm->mem + DATA + AT, "good", 4);
	EXPECT_EXIT(vm, KVM_EXIT_IO);
	EXPECT_EQ(PORT, vm->run->io.port);
	EXPECT_EQ('g', *((char *)vm->run + vm->run->io.data_offset));
}

TEST_F(kvm, movs_to_mmio)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_movs);
	EXPECT_SOURCE_LOST(vm, MMIO, "movsb to MMIO");
	vm->mem[DATA + AT] = 'g';
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	EXPECT_EQ(MMIO, vm->run->mmio.phys_addr);
	EXPECT_TRUE(vm->run->mmio.is_write);
	EXPECT_EQ('g', vm->run->mmio.data[0]);
}

/* A CPU that looks at the device first leaves both operands to KVM. */
TEST_F(kvm, cmps_with_mmio)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_cmps);
	EXPECT_SOURCE_LOST(vm, MMIO, "cmpsb with MMIO");
	vm->mem[DATA + AT] = 'g';
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	ASSERT_EQ(MMIO, vm->run->mmio.phys_addr);
	vm->run->mmio.data[0] = 'g';
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(1, vm_rax(vm));
}

/* A store to what is lost already */
TEST_F(kvm, movs_from_mmio)
{
	struct vm *vm = &self->vm;
	struct mce_sigbus sb;

	put_code(vm, CODE, g_load);
	ASSERT_EQ(0, vm_regs(vm, 0, DATA + AT, 0));
	ASSERT_EQ(0, mce_arm(vm->mem + DATA + AT, NULL));
	ASSERT_FALSE(vm_run(vm, &sb));
	put_code(vm, CODE, g_movs);
	ASSERT_EQ(0, vm_regs(vm, 0, MMIO, DATA + AT));
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	ASSERT_FALSE(vm->run->mmio.is_write);
	vm->run->mmio.data[0] = 'g';
	ASSERT_FALSE(vm_run(vm, &sb))
		TH_LOG("movsb from MMIO: %s", exit_name(vm));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(vm->mem + DATA + AT, sb.addr);
	ASSERT_EQ(0, mend(vm, DATA));
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	vm->run->mmio.data[0] = 'g';
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ('g', vm->mem[DATA + AT]);
}

/* KVM decodes the instruction as well; QEMU's CPU fetches it anew before. */
TEST_F(kvm, fetch_for_mmio)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_mmio_loop);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, MMIO));
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	ASSERT_EQ(0, mce_arm(vm->mem + CODE, NULL));
	EXPECT_LOST(vm, CODE, "fetch of a store to MMIO");
	ASSERT_EQ(0, mend(vm, CODE));
	put_code(vm, CODE, g_mmio_loop);
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
}

TEST_F(kvm, steal_time)
{
	struct vm *vm = &self->vm;
	struct mce_sigbus sb;

	put_code(vm, CODE, g_hlt);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));
	if (set_msr(vm, MSR_STEAL_TIME, (PV + AT) | 1))
		SKIP(return, "no steal time");
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(0, mce_arm(vm->mem + PV + AT, NULL));
	expect_unharmed(_metadata, vm, "steal time");
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	/* It is the guest's to find. */
	put_code(vm, CODE, g_load);
	ASSERT_EQ(0, vm_regs(vm, 0, PV + AT, 0));
	ASSERT_FALSE(vm_run(vm, &sb));
	EXPECT_EQ(vm->mem + PV + AT, sb.addr);
	ASSERT_EQ(0, mend(vm, PV));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
}

TEST_F(kvm, wall_clock)
{
	struct vm *vm = &self->vm;
	struct mce_watch w;
	int err;

	ASSERT_EQ(0, mce_arm(vm->mem + PV + AT, NULL));
	mce_watch_start(&w);
	err = set_msr(vm, MSR_WALL_CLOCK, PV + AT);
	mce_watch_end(&w, 1);
	mce_outcome("wall clock: %d, %ld #MC", err, w.mcs);
	EXPECT_EQ(0, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
}

/* Read after each exit, as long as the guest has not seen the interrupt off */
TEST_F(kvm, pv_eoi)
{
	struct vm *vm = &self->vm;
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VECTOR };
	struct kvm_lapic_state lapic;

	vm_stop(vm);
	ASSERT_EQ(0, vm_start(vm, false, true, 0));
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_GET_LAPIC, &lapic));
	*(__u32 *)(lapic.regs + 0xf0) = 0x1ff;	/* enabled */
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_SET_LAPIC, &lapic));
	put_code(vm, CODE, g_wait);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));
	EXPECT_EXIT(vm, KVM_EXIT_IO);
	ASSERT_EQ(0, set_msr(vm, MSR_PV_EOI, (PV + AT) | 1));
	ASSERT_EQ(0, mce_arm(vm->mem + PV + AT, NULL));
	ASSERT_EQ(1, ioctl(vm->fd, KVM_SIGNAL_MSI, &msi));
	expect_unharmed(_metadata, vm, "PV EOI");
	EXPECT_EXIT(vm, KVM_EXIT_IO);
}

/* What KVM reads through kernel addresses */

TEST_F(kvm, clock)
{
	struct vm *vm = &self->vm;
	struct mce_sigbus sb;

	put_code(vm, CODE, g_hlt);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));
	ASSERT_EQ(0, set_msr(vm, MSR_SYSTEM_TIME, (PV + AT) | 1));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_NE(0, get64(vm, PV + AT));
	ASSERT_EQ(0, mce_arm(vm->mem + PV + AT, NULL));
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_KVMCLOCK_CTRL, 0));
	expect_unharmed(_metadata, vm, "kvmclock");
	put_code(vm, CODE, g_load);
	ASSERT_EQ(0, vm_regs(vm, 0, PV + AT, 0));
	ASSERT_FALSE(vm_run(vm, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(vm->mem + PV + AT, sb.addr);
	/* The new page is filled again. */
	ASSERT_EQ(0, mend(vm, PV));
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_KVMCLOCK_CTRL, 0));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_NE(0, get64(vm, PV + AT));
}

TEST_F(kvm, run_page)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_hlt);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(0, mce_arm(vm->run, NULL));
	expect_run_fails(_metadata, vm, "struct kvm_run");
}

TEST_F(kvm, pio_page)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_in);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));
	EXPECT_EXIT(vm, KVM_EXIT_IO);
	*((char *)vm->run + vm->run->io.data_offset) = 0;
	ASSERT_EQ(0, mce_arm((char *)vm->run + vm->run->io.data_offset, NULL));
	expect_run_fails(_metadata, vm, "data of a port");
}

TEST_F(kvm, coalesced_ring)
{
	struct vm *vm = &self->vm;
	struct kvm_coalesced_mmio_zone zone = { .addr = MMIO, .size = MCE_PAGE };
	int page = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	struct kvm_coalesced_mmio_ring *ring;
	struct mce_watch w;

	if (page <= 0)
		SKIP(return, "no coalesced MMIO");
	ASSERT_EQ(0, ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	put_code(vm, CODE, g_store);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, MMIO));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, MMIO));
	ring = (void *)((char *)vm->run + page * MCE_PAGE);
	ASSERT_EQ(1, ring->last);
	ASSERT_EQ(0, mce_arm(ring, NULL));
	mce_watch_start(&w);
	EXPECT_EXIT(vm, KVM_EXIT_MMIO);
	mce_watch_end(&w, 1);
	mce_outcome("coalesced ring: MMIO, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
}

TEST_F(kvm, dirty_ring)
{
	struct vm *vm = &self->vm;
	struct kvm_dirty_gfn *ring;
	struct mce_watch w;
	int ret, err;

	vm_stop(vm);
	if (vm_start(vm, false, false, MCE_PAGE))
		SKIP(return, "no dirty ring");
	ring = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu,
		    KVM_DIRTY_LOG_PAGE_OFFSET * MCE_PAGE);
	ASSERT_NE(MAP_FAILED, ring);
	put_code(vm, CODE, g_store);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, DATA));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(KVM_DIRTY_GFN_F_DIRTY, ring[0].flags);
	ring[0].flags = KVM_DIRTY_GFN_F_RESET;
	ASSERT_EQ(0, mce_arm(ring, NULL));
	mce_watch_start(&w);
	ret = ioctl(vm->fd, KVM_RESET_DIRTY_RINGS);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("dirty ring: %s, %ld #MC", ret < 0 ? mce_errname(err) : "no error", w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EHWPOISON, err);
	EXPECT_EQ(1, w.mcs);
	munmap(ring, MCE_PAGE);
}

/* Nested guests: L1 is the code at CODE, L2 that at L2. */

#define VMCB_SAVE	0x400

static void vmcb_seg(struct vm *vm, __u64 off, __u16 selector, __u16 attrib)
{
	struct vmcb_seg seg = { selector, attrib, 0xffffffff, 0 };

	memcpy(vm->mem + VMCB + VMCB_SAVE + off, &seg, sizeof(seg));
}

static void put_vmcb(struct vm *vm, bool npt)
{
	__u8 *vmcb = vm->mem + VMCB;

	*(__u32 *)(vmcb + 0x00c) = 1 << 24;	/* intercept HLT */
	*(__u32 *)(vmcb + 0x010) = 1 | 1 << 1;	/* VMRUN, VMMCALL */
	put64(vm, VMCB + 0x40, IOPM);
	put64(vm, VMCB + 0x48, MSRPM);
	*(__u32 *)(vmcb + 0x058) = 1;		/* ASID */
	if (npt) {
		put64(vm, VMCB + 0x90, 1);
		put64(vm, VMCB + 0xb0, NPT);
	}
	vmcb_seg(vm, 0x00, 16, 0xc93);
	vmcb_seg(vm, 0x10, 8, 0xa9b);
	vmcb_seg(vm, 0x20, 16, 0xc93);
	vmcb_seg(vm, 0x30, 16, 0xc93);
	put64(vm, VMCB + VMCB_SAVE + 0x68, GDT);
	*(__u32 *)(vmcb + VMCB_SAVE + 0x64) = 23;
	put64(vm, VMCB + VMCB_SAVE + 0x88, IDT);
	*(__u32 *)(vmcb + VMCB_SAVE + 0x84) = 4095;
	put64(vm, VMCB + VMCB_SAVE + 0x0d0, 0x1500);	/* EFER: SVME, LMA, LME */
	put64(vm, VMCB + VMCB_SAVE + 0x148, 0x660);	/* CR4 */
	put64(vm, VMCB + VMCB_SAVE + 0x150, PML4);	/* CR3 */
	put64(vm, VMCB + VMCB_SAVE + 0x158, 0x80000033); /* CR0 */
	put64(vm, VMCB + VMCB_SAVE + 0x160, 0x400);	/* DR7 */
	put64(vm, VMCB + VMCB_SAVE + 0x168, 0xffff0ff0);	/* DR6 */
	put64(vm, VMCB + VMCB_SAVE + 0x170, 2);		/* RFLAGS */
	put64(vm, VMCB + VMCB_SAVE + 0x178, L2);	/* RIP */
	put64(vm, VMCB + VMCB_SAVE + 0x1d8, STACK - 0x100);	/* RSP */
}

static void put_npt(struct vm *vm)
{
	int i;

	put64(vm, NPT, (NPT + 0x1000) | 7);
	put64(vm, NPT + 0x1000, (NPT + 0x2000) | 7);
	for (i = 0; i < 512; i++)
		put64(vm, NPT + 0x2000 + 8 * i, i * 0x200000UL | 0xe7);
}

#define VMEXIT_VMMCALL	0x81
#define VMEXIT_INVALID	(~0ULL)

/* Make L1's state; 1 if this CPU has no SVM */
static int nested(struct vm *vm, bool npt)
{
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.efer |= 0x1000;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs))
		return 1;
	if (set_msr(vm, 0xc0010117, HSAVE))	/* VM_HSAVE_PA */
		return 1;
	put_vmcb(vm, npt);
	put_npt(vm);
	put_code(vm, CODE, g_vmrun);
	put_code(vm, L2, g_l2);
	return vm_regs(vm, VMCB, 0, 0);
}

FIXTURE(nested)
{
	struct vm vm;
};

FIXTURE_SETUP(nested)
{
	struct vm *vm = &self->vm;

	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no KVM here");
	ASSERT_EQ(0, vm_start(vm, false, false, 0));
	if (nested(vm, false))
		SKIP(return, "no nested SVM");
}

FIXTURE_TEARDOWN(nested)
{
	mce_retire();
	vm_stop(&self->vm);
}

/* L2 has run, to the end. */
static void expect_l2_ran(struct __test_metadata *_metadata, struct vm *vm)
{
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(VMEXIT_VMMCALL, get64(vm, VMCB + 0x70));
}

TEST_F(nested, works)
{
	struct vm *vm = &self->vm;

	expect_l2_ran(_metadata, vm);
	ASSERT_EQ(0, nested(vm, true));
	expect_l2_ran(_metadata, vm);
}

static void expect_vmcb_lost(struct __test_metadata *_metadata, struct vm *vm, __u64 off,
			     const char *what)
{
	ASSERT_EQ(0, mce_arm(vm->mem + VMCB + off, NULL));
	EXPECT_LOST(vm, VMCB + off, what);
	ASSERT_EQ(0, mend(vm, VMCB));
	put_vmcb(vm, false);
	expect_l2_ran(_metadata, vm);
}

TEST_F(nested, vmcb_control)
{
	expect_vmcb_lost(_metadata, &self->vm, 0, "VMRUN, control area");
}

TEST_F(nested, vmcb_save)
{
	expect_vmcb_lost(_metadata, &self->vm, VMCB_SAVE + 0x140, "VMRUN, save area");
}

/* Not used by anybody */
TEST_F(nested, vmcb_reserved)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, mce_arm(vm->mem + VMCB + 0x200, NULL));
	expect_l2_ran(_metadata, vm);
}

TEST_F(nested, vmload)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_vmload);
	ASSERT_EQ(0, mce_arm(vm->mem + VMCB + VMCB_SAVE + 0x40, NULL));
	EXPECT_LOST(vm, VMCB + VMCB_SAVE + 0x40, "VMLOAD");
	ASSERT_EQ(0, mend(vm, VMCB));
	put_vmcb(vm, false);
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
}

/* KVM only writes there; L1 meets it when it looks. */
TEST_F(nested, vmexit)
{
	struct vm *vm = &self->vm;

	put_code(vm, CODE, g_vmrun_look);
	put_code(vm, L2, g_l2_out);
	EXPECT_EXIT(vm, KVM_EXIT_IO);
	ASSERT_EQ(0, mce_arm(vm->mem + VMCB + 0x70, NULL));
	EXPECT_LOST(vm, VMCB + 0x70, "exit of L2");
}

/* The VMCB is lost while L2 runs: its exit waits until there is a page. */
TEST_F(nested, vmexit_lost)
{
	struct vm *vm = &self->vm;
	struct mce_sigbus sb;

	put_code(vm, L2, g_l2_out);
	EXPECT_EXIT(vm, KVM_EXIT_IO);
	ASSERT_EQ(0, mce_arm(vm->mem + VMCB, NULL));
	ASSERT_FALSE(mce_load(vm->mem + VMCB, NULL, &sb));
	ASSERT_FALSE(vm_run(vm, &sb))
		TH_LOG("exit of L2: %s", exit_name(vm));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, vm->mem + VMCB));
	ASSERT_EQ(0, mend(vm, VMCB));
	expect_l2_ran(_metadata, vm);
}

TEST_F(nested, msr_bitmap)
{
	struct vm *vm = &self->vm;
	struct mce_watch w;

	*(__u32 *)(vm->mem + VMCB + 0x00c) |= 1 << 28;	/* intercept MSRs */
	/* The line of SYSENTER_CS, which KVM merges */
	ASSERT_EQ(0, mce_arm(vm->mem + MSRPM + 0x174 / 4, NULL));
	mce_watch_start(&w);
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	mce_watch_end(&w, 1);
	mce_outcome("MSR bitmap: VMEXIT %#llx, %ld #MC", get64(vm, VMCB + 0x70), w.mcs);
	EXPECT_EQ(VMEXIT_INVALID, get64(vm, VMCB + 0x70));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
}

/* Nobody reads it but KVM, with system management mode. */
TEST_F(nested, host_save_area)
{
	struct vm *vm = &self->vm;
	struct mce_watch w;

	ASSERT_EQ(0, mce_arm(vm->mem + HSAVE + VMCB_SAVE, NULL));
	mce_watch_start(&w);
	expect_l2_ran(_metadata, vm);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
}

/* L1's page tables for L2 are walked by KVM, not by the CPU. */
TEST_F(nested, page_table)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, nested(vm, true));
	ASSERT_EQ(0, mce_arm(vm->mem + NPT + 0x2000, NULL));
	EXPECT_LOST(vm, NPT + 0x2000, "nested page table");
	ASSERT_EQ(0, mend(vm, NPT + 0x2000));
	put_npt(vm);
	expect_l2_ran(_metadata, vm);
}

/* What a guest makes of what it is told */

FIXTURE(set_mce)
{
	struct vm vm;
};

FIXTURE_VARIANT(set_mce)
{
	__u64 status;
	__u64 mcg_status;
	int taken;		/* machine checks that the guest takes */
};

FIXTURE_VARIANT_ADD(set_mce, action_required)
{
	.status = STATUS_AR,
	.mcg_status = MCG_MCIP | MCG_RIPV | MCG_EIPV,
	.taken = 1,
};

FIXTURE_VARIANT_ADD(set_mce, action_optional)
{
	.status = STATUS_AO,
	.mcg_status = MCG_MCIP | MCG_RIPV,
	.taken = 1,
};

FIXTURE_VARIANT_ADD(set_mce, no_action)
{
	.status = STATUS_UCNA,
	.taken = 0,
};

FIXTURE_SETUP(set_mce)
{
	struct vm *vm = &self->vm;

	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no KVM here");
	ASSERT_EQ(0, vm_start(vm, false, false, 0));
	put_code(vm, CODE, g_hlt);
	ASSERT_EQ(0, vm_regs(vm, 0, 0, 0));	/* interrupts are off */
}

FIXTURE_TEARDOWN(set_mce)
{
	vm_stop(&self->vm);
}

TEST_F(set_mce, taken)
{
	struct vm *vm = &self->vm;

	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(0, tell(vm, DATA, variant->status, variant->mcg_status));
	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(variant->taken, get64(vm, SEEN) & 0xffffffff);
	if (variant->taken)
		EXPECT_EQ(variant->mcg_status, get64(vm, SEEN + 8) & 0xffffffff);
	EXPECT_EQ(variant->status, get_msr(vm, MSR_MC0_STATUS));
	EXPECT_EQ(DATA, get_msr(vm, MSR_MC0_ADDR));
	EXPECT_EQ(0, get_msr(vm, MSR_MCG_STATUS));
}

/* Before the guest has taken the first: it is shut down if it would be interrupted. */
TEST_F(set_mce, second)
{
	struct vm *vm = &self->vm;

	EXPECT_EXIT(vm, KVM_EXIT_HLT);
	ASSERT_EQ(0, tell(vm, DATA, variant->status, variant->mcg_status));
	ASSERT_EQ(variant->mcg_status, get_msr(vm, MSR_MCG_STATUS));
	ASSERT_EQ(0, tell(vm, DATA, variant->status, variant->mcg_status));
	if (variant->taken)
		EXPECT_EXIT(vm, KVM_EXIT_SHUTDOWN);
	else
		EXPECT_EXIT(vm, KVM_EXIT_HLT);
}

/* The guest has not enabled machine checks. */
TEST_F(set_mce, not_enabled)
{
	struct vm *vm = &self->vm;
	struct kvm_sregs sregs;

	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr4 &= ~0x40ULL;
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_SET_SREGS, &sregs));
	ASSERT_EQ(0, tell(vm, DATA, variant->status, variant->mcg_status));
	if (variant->taken)
		EXPECT_EXIT(vm, KVM_EXIT_SHUTDOWN);
	else
		EXPECT_EXIT(vm, KVM_EXIT_HLT);
	EXPECT_EQ(0, get64(vm, SEEN) & 0xffffffff);
}

#include "mce_main.h"
