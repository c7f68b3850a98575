// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a guest, or lent to KVM, that has an error.
 *
 * KVM reads it in two ways. Through user addresses: then it looks as if the
 * memory were not there, which KVM has other answers for, such as a device
 * access. And through kernel addresses, of pages that it has mapped or that it
 * allocated itself for user space to map: then it has to ask first.
 *
 * Either way the thread of the vCPU gets a SIGBUS, as it does if the guest makes
 * the load itself, and the guest tries again when user space has dealt with it.
 */
#include <linux/hwpoison.h>
#include <linux/kvm_host.h>
#include <linux/kvm_hwpoison.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

static bool is_lost(unsigned long hva)
{
	struct page *page;
	long got = get_user_pages_unlocked(hva, 1, &page, FOLL_HWPOISON);

	if (got == 1)
		put_page(page);

	return got == -EHWPOISON;
}

/**
 * kvm_signal_lost() - tell the thread of a vCPU that memory of the guest is lost
 * @slot:	where the memory is
 * @gpa:	what was touched
 *
 * A SIGBUS that says action required. What is lost is the page.
 *
 * Context: thread of the vCPU, with its SRCU read lock.
 */
void kvm_signal_lost(struct kvm_memory_slot *slot, gpa_t gpa)
{
	hva_t hva = gfn_to_hva_memslot_prot(slot, gpa_to_gfn(gpa), NULL) +
		    offset_in_page(gpa);

	send_sig_mceerr(BUS_MCEERR_AR, (void __user *)hva, PAGE_SHIFT, current);
}
EXPORT_SYMBOL_GPL(kvm_signal_lost);

/**
 * kvm_lost_memory() - can an access of guest memory fail because it is lost?
 * @vcpu:	whose access failed
 * @gpa:	first byte of what was to be accessed, all of it in one page
 *
 * Settles what the access met. If that leaves the page lost, user space gets a
 * SIGBUS for it, and the guest has to try again; if it could be read again from
 * its file, the guest may try again at once.
 *
 * Context: thread of @vcpu, with its SRCU read lock; may sleep. The page must not
 * be mapped by the caller.
 * Return: true if the guest has to repeat the instruction; false if the access
 * failed for another reason.
 */
bool kvm_lost_memory(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct kvm_memory_slot *slot = kvm_vcpu_gfn_to_memslot(vcpu, gpa_to_gfn(gpa));
	hva_t hva = gfn_to_hva_memslot_prot(slot, gpa_to_gfn(gpa), NULL);
	bool met = hwpoison_pending();

	if (kvm_is_error_hva(hva))
		return false;

	if ((met && !hwpoison_settle_pending()) || is_lost(hva)) {
		kvm_signal_lost(slot, gpa);
		return true;
	}

	return met;
}
EXPORT_SYMBOL_GPL(kvm_lost_memory);

/**
 * kvm_map_readable() - can a part of a mapped guest page be read?
 * @vcpu:	the vCPU
 * @map:	the page, from kvm_vcpu_map()
 * @offset:	first byte
 * @len:	bytes
 *
 * To be asked right before the bytes are read. It takes one load a line, and
 * leaves the lines in the cache.
 *
 * Context: as kvm_lost_memory().
 * Return: false if there is a memory error. Then the page is unmapped, and the
 * guest has to repeat the instruction.
 */
bool kvm_map_readable(struct kvm_vcpu *vcpu, struct kvm_host_map *map,
		      size_t offset, size_t len)
{
	if (likely(hwpoison_probe(map->hva + offset, len)))
		return true;

	kvm_vcpu_unmap(vcpu, map, false);
	if (!kvm_lost_memory(vcpu, gfn_to_gpa(map->gfn) + offset))
		kvm_signal_lost(kvm_vcpu_gfn_to_memslot(vcpu, map->gfn),
				gfn_to_gpa(map->gfn) + offset);

	return false;
}
EXPORT_SYMBOL_GPL(kvm_map_readable);

/**
 * kvm_run_readable() - can that be read which user space wrote for a vCPU?
 * @vcpu:	the vCPU
 *
 * The pages belong to the kernel and are mapped by user space, so they stay in
 * use; the vCPU cannot run any more.
 *
 * Context: ioctl of @vcpu.
 * Return: false if there is a memory error.
 */
bool kvm_run_readable(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (!hwpoison_probe(run, offsetof(struct kvm_run, s)))
		return false;
	if (run->kvm_dirty_regs && !hwpoison_probe(&run->s.regs, sizeof(run->s.regs)))
		return false;
#ifdef CONFIG_X86
	if (vcpu->arch.pio.count && vcpu->arch.pio.in &&
	    !hwpoison_probe(vcpu->arch.pio_data,
			    vcpu->arch.pio.count * vcpu->arch.pio.size))
		return false;
#endif
	return true;
}
