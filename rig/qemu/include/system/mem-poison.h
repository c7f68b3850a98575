/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Poisoned guest memory: the line table
 *
 * A poisoned line is a 64-byte line of guest RAM whose content is lost. The
 * table knows lines by their ram_addr_t, because that is what the TLB, DMA
 * (which may pass an IOMMU or an alias) and the page walker have in common.
 *
 * Everything here may be called from any thread, with or without the BQL.
 */
#ifndef SYSTEM_MEM_POISON_H
#define SYSTEM_MEM_POISON_H

#include "exec/hwaddr.h"
#include "exec/mem-poison.h"
#include "exec/memattrs.h"
#include "exec/memory.h"

#define MEM_POISON_LINE_BITS  6
#define MEM_POISON_LINE_SIZE  (1u << MEM_POISON_LINE_BITS)
#define MEM_POISON_PAGE_BITS  12
#define MEM_POISON_PAGE_SIZE  (1u << MEM_POISON_PAGE_BITS)

/**
 * struct MemPoisonPage: the poisoned lines of one page
 * @ram: RAM address of the page, the key of the table
 * @phys: guest-physical address that the page was poisoned at
 * @lines: one bit a line
 * @stored: for each poisoned line, one bit for each byte that a store which
 *          counts (see mem_poison_store()) has replaced since
 */
typedef struct MemPoisonPage {
    uint64_t ram;
    uint64_t phys;
    uint64_t lines;
    uint64_t stored[MEM_POISON_PAGE_SIZE / MEM_POISON_LINE_SIZE];
} MemPoisonPage;

/**
 * struct MemPoisonStats: what the table has seen since the last reset
 * @healed: lines that stopped being poisoned, by store, DMA or command
 * @dma_refused: DMA reads that met a poisoned line
 */
typedef struct MemPoisonStats {
    uint64_t healed;
    uint64_t dma_refused;
} MemPoisonStats;

extern MemPoisonStats mem_poison_stats;

/*
 * Let any stores heal a line once they have replaced all of it. Hardware does
 * not do this: a store that is smaller than the line is merged into a line
 * that stays poisoned.
 */
extern bool mem_poison_lax;

/**
 * mem_poison_add: poison the line at @ram
 * @ram: RAM address of any byte of the line
 * @phys: its guest-physical address
 */
void mem_poison_add(ram_addr_t ram, hwaddr phys);

/**
 * mem_poison_remove: heal the line at @ram
 *
 * Returns: false if it was not poisoned.
 */
bool mem_poison_remove(ram_addr_t ram);

/** mem_poison_remove_all: heal every line */
void mem_poison_remove_all(void);

/**
 * mem_poison_snapshot: copy the table
 * @pages: set to an array to be freed with g_free()
 *
 * Returns: the number of pages in it.
 */
unsigned mem_poison_snapshot(MemPoisonPage **pages);

/** mem_poison_restore: put a page of a snapshot back, under a new @ram */
void mem_poison_restore(const MemPoisonPage *page, ram_addr_t ram);

/**
 * mem_poison_find: look for the first poisoned byte of a range
 *
 * Returns: its offset from @ram, or -1.
 */
int64_t mem_poison_find(ram_addr_t ram, uint64_t size);

/** mem_poison_on_page: does the page of @ram have a poisoned line? */
bool mem_poison_on_page(MemoryRegion *mr, hwaddr offset);

/**
 * mem_poison_store: a CPU stores @size bytes at @ram
 * @combines: the store is one that hardware gathers into a write of a whole
 *            line, which needs nothing from the old content
 */
void mem_poison_store(ram_addr_t ram, unsigned size, bool combines);

/**
 * mem_poison_dma_read: a device has read @len bytes at @offset of @mr
 * @buf: what it got; bytes of poisoned lines are replaced by ones
 *
 * Returns: MEMTX_ERROR if a poisoned line was among them.
 */
MemTxResult mem_poison_dma_read(MemoryRegion *mr, hwaddr offset, void *buf,
                                hwaddr len);

/** mem_poison_dma_write: a device has written @len bytes at @ram */
void mem_poison_dma_write(ram_addr_t ram, hwaddr len);

/** mem_poison_in_region: is there poison in @len bytes at @offset of @mr? */
bool mem_poison_in_region(MemoryRegion *mr, hwaddr offset, hwaddr len);

/**
 * mem_poison_clip: shorten a DMA mapping for read at a poisoned line
 * @len: on entry what is to be mapped at @offset of @mr; on return the part
 *       that is either free of poison, or poisoned
 *
 * Returns: true if that part is poisoned, and must not be mapped.
 */
bool mem_poison_clip(MemoryRegion *mr, hwaddr offset, hwaddr *len);

/** mem_poison_in_space: is there poison in @len bytes at @addr of @as? */
bool mem_poison_in_space(AddressSpace *as, hwaddr addr, hwaddr len);

/** mem_poison_in_vector: the same, for the @n parts of a vector */
bool mem_poison_in_vector(AddressSpace *as, const hwaddr *addr,
                          const struct iovec *iov, unsigned n);

#endif /* SYSTEM_MEM_POISON_H */
