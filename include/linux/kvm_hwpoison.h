/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of a guest, or lent to KVM, that has an error; see virt/kvm/hwpoison.c.
 */
#ifndef _LINUX_KVM_HWPOISON_H
#define _LINUX_KVM_HWPOISON_H

#include <linux/kvm_types.h>

struct kvm_host_map;
struct kvm_memory_slot;
struct kvm_vcpu;

#ifdef CONFIG_MEMORY_FAILURE

void kvm_signal_lost(struct kvm_memory_slot *slot, gpa_t gpa);
bool kvm_lost_memory(struct kvm_vcpu *vcpu, gpa_t gpa);
bool __must_check kvm_map_readable(struct kvm_vcpu *vcpu, struct kvm_host_map *map,
				   size_t offset, size_t len);
bool __must_check kvm_run_readable(struct kvm_vcpu *vcpu);

#else /* !CONFIG_MEMORY_FAILURE */

static inline void kvm_signal_lost(struct kvm_memory_slot *slot, gpa_t gpa)
{
}

static inline bool kvm_lost_memory(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	return false;
}

static inline bool __must_check kvm_map_readable(struct kvm_vcpu *vcpu,
						 struct kvm_host_map *map,
						 size_t offset, size_t len)
{
	return true;
}

static inline bool __must_check kvm_run_readable(struct kvm_vcpu *vcpu)
{
	return true;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_KVM_HWPOISON_H */
