/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory-poison device: what the machine and the CPU need of it
 */
#ifndef HW_I386_MEM_POISON_H
#define HW_I386_MEM_POISON_H

#include "exec/hwaddr.h"
#include "exec/vaddr.h"
#include "hw/acpi/bios-linker-loader.h"
#include "hw/core/cpu.h"

#define TYPE_MEM_POISON "memory-poison"

/* How a CPU came to consume poison; the guest reads these numbers. */
typedef enum MemPoisonKind {
    MEM_POISON_LOAD = 0,
    MEM_POISON_FETCH = 1,
    MEM_POISON_WALK = 2,
} MemPoisonKind;

/**
 * struct MemPoisonRecord: one consumption
 * @phys: physical address of the first poisoned byte that was touched
 * @virt: its virtual address; for a page walk, the same as @phys
 * @rip: instruction that touched it
 * @cpu: index of the CPU
 * @cpl: its privilege level
 * @kind: load, fetch or walk
 */
typedef struct MemPoisonRecord {
    uint64_t phys;
    uint64_t virt;
    uint64_t rip;
    uint16_t cpu;
    uint8_t cpl;
    uint8_t kind;
} MemPoisonRecord;

/* What a machine check for poison leaves out; the guest writes these numbers. */
enum {
    MEM_POISON_NO_ADDRV  = 1 << 0,  /* the bank has no address */
    MEM_POISON_PAGE_LSB  = 1 << 1,  /* the address is good to a page only (Intel) */
    MEM_POISON_NO_RIPV   = 1 << 2,  /* the program cannot be restarted */
    MEM_POISON_NO_EIPV   = 1 << 3,  /* RIP has nothing to do with the error */
    MEM_POISON_NO_STICKY = 1 << 4,  /* S and AR are those of an older error (Intel) */
    MEM_POISON_NO_BANK   = 1 << 5,  /* there is no error in any bank */
};

/** mem_poison_left_out: a combination of the above */
uint64_t mem_poison_left_out(void);

/** x86_cpu_signal_mce: send @cs a #MC that has nothing to report */
void x86_cpu_signal_mce(CPUState *cs);

/** x86_cpu_log_latent: log an error at @phys on @cs that is not signalled */
void x86_cpu_log_latent(CPUState *cs, hwaddr phys);

/** mem_poison_log: add a consumption to the log that the guest can read */
void mem_poison_log(const MemPoisonRecord *record);

/**
 * mem_poison_build_einj: add the ACPI EINJ table
 *
 * Does nothing on a machine without the device.
 */
void mem_poison_build_einj(GArray *table_offsets, GArray *table_data,
                           BIOSLinker *linker, const char *oem_id);

#endif /* HW_I386_MEM_POISON_H */
