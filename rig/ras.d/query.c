// SPDX-License-Identifier: GPL-2.0
/*
 * query DATABASE SQL: the rows of an SQLite database, fields separated by tabs.
 *
 * It is linked with the library that rasdaemon brings along, without its
 * headers: three functions are all that it takes.
 */
#include <stdio.h>

struct sqlite3;
int sqlite3_open(const char *name, struct sqlite3 **db);
int sqlite3_exec(struct sqlite3 *db, const char *sql,
		 int (*row)(void *arg, int n, char **values, char **names),
		 void *arg, char **error);
const char *sqlite3_errmsg(struct sqlite3 *db);

static int row(void *arg, int n, char **values, char **names)
{
	int i;

	(void)arg;
	(void)names;
	for (i = 0; i < n; i++)
		printf("%s%s", i ? "\t" : "", values[i] ? values[i] : "");
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct sqlite3 *db;

	if (argc != 3 || sqlite3_open(argv[1], &db)) {
		fprintf(stderr, "query: cannot open the database\n");
		return 1;
	}
	if (sqlite3_exec(db, argv[2], row, NULL, NULL)) {
		fprintf(stderr, "query: %s\n", sqlite3_errmsg(db));
		return 1;
	}
	return 0;
}
