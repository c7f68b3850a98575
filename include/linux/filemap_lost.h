/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File data that was lost to a memory error, see mm/filemap-lost.c.
 */
#ifndef _LINUX_FILEMAP_LOST_H
#define _LINUX_FILEMAP_LOST_H

#include <linux/page-flags.h>
#include <linux/types.h>

struct address_space;

#ifdef CONFIG_MEMORY_FAILURE

bool folio_is_lost_data(const struct folio *folio);

/**
 * folio_is_lost() - is this all that is left of lost file data?
 * @folio:	folio that the caller holds a reference to
 *
 * Context: any. Stable under the folio lock.
 * Return: true if the data was dirty when its memory failed.
 */
static inline bool folio_is_lost(const struct folio *folio)
{
	/* Not test_bit(): that takes the flags into a register first. */
	return unlikely(!(data_race(folio->flags) & BIT(PG_uptodate))) &&
	       folio_is_lost_data(folio);
}

bool filemap_is_user_data(const struct address_space *mapping);
void filemap_give_up(struct page *page, bool again);
bool filemap_write_failed(struct folio *folio);
bool filemap_keep_lost(struct address_space *mapping, struct folio *folio);
bool filemap_overwrite_lost(struct address_space *mapping, loff_t pos,
			    size_t len, int error);
int filemap_cannot_write(struct address_space *mapping, loff_t pos);
int filemap_check_lost(struct address_space *mapping, loff_t pos, loff_t end,
		       bool overwrite);
struct page *filemap_heal_page(struct page *page);

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool folio_is_lost(const struct folio *folio)
{
	return false;
}

static inline bool filemap_overwrite_lost(struct address_space *mapping,
					  loff_t pos, size_t len, int error)
{
	return false;
}

static inline int filemap_cannot_write(struct address_space *mapping, loff_t pos)
{
	return 0;
}

static inline int filemap_check_lost(struct address_space *mapping, loff_t pos,
				     loff_t end, bool overwrite)
{
	return 0;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_FILEMAP_LOST_H */
