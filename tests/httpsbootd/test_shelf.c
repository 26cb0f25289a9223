/* Tests of httpsbootd/shelf.c. */
#include "httpsbootd/shelf.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ITEMS 20000

static struct shelf shelf;
static struct shelf_item items[ITEMS];

static struct shelf_item *
put(size_t i, uint64_t bytes)
{
	(void)snprintf(items[i].path, sizeof(items[i].path), "images/%zu", i);
	shelf_add(&shelf, &items[i]);
	if (bytes > 0)
		shelf_keep(&shelf, &items[i], bytes);
	return &items[i];
}

static void
empty(uint64_t max_bytes)
{
	static const uint64_t key[2] = { 1, 2 };

	memset(items, 0, sizeof(items));
	shelf_init(&shelf, max_bytes, key);
}

static void
test_find(void)
{
	test_case("many files are found, and only those that are there");
	empty(UINT64_MAX);
	for (size_t i = 0; i < ITEMS; i++)
		put(i, i % 2);
	CHECK_INT(shelf.nitems, ITEMS);
	CHECK_INT(shelf.nkept, ITEMS / 2);
	for (size_t i = 0; i < ITEMS; i += 3)
		shelf_remove(&shelf, &items[i]);
	for (size_t i = 0; i < ITEMS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "images/%zu", i);
		CHECK(shelf_find(&shelf, path) == (i % 3 == 0 ? NULL : &items[i]));
	}
	CHECK(shelf_find(&shelf, "images/1 ") == NULL && shelf_find(&shelf, "") == NULL);
	test_case("what goes is not counted any more");
	for (size_t i = 0; i < ITEMS; i++) {
		if (i % 3 != 0)
			shelf_remove(&shelf, &items[i]);
	}
	CHECK(shelf.nitems == 0 && shelf.nkept == 0 && shelf.kept_bytes == 0);
	CHECK(shelf.oldest == NULL && shelf.newest == NULL);
}

static void
test_room(void)
{
	struct shelf_item *victim = NULL;

	test_case("there is room until the limit");
	empty(100);
	put(0, 40);
	put(1, 0);
	put(2, 40);
	CHECK_INT(shelf_room(&shelf, 20, &victim), 0);
	test_case("then what was used longest ago makes some");
	CHECK_INT(shelf_room(&shelf, 21, &victim), 1);
	CHECK(victim == &items[0]);
	test_case("by when it was last asked for, not by when it came");
	shelf_touch(&shelf, &items[0]);
	CHECK_INT(shelf_room(&shelf, 21, &victim), 1);
	CHECK(victim == &items[2]);
	test_case("but none that is in use");
	items[2].users = 1;
	CHECK_INT(shelf_room(&shelf, 21, &victim), 1);
	CHECK(victim == &items[0]);
	items[0].users = 2;
	CHECK_INT(shelf_room(&shelf, 21, &victim), -ENOSPC);
	test_case("one after the other goes until it is enough");
	items[0].users = items[2].users = 0;
	CHECK_INT(shelf_room(&shelf, 100, &victim), 1);
	shelf_drop(&shelf, victim);
	CHECK_INT(shelf_room(&shelf, 100, &victim), 1);
	shelf_drop(&shelf, victim);
	CHECK_INT(shelf_room(&shelf, 100, &victim), 0);
	test_case("what can never fit drives nobody out");
	shelf_keep(&shelf, &items[0], 10);
	CHECK_INT(shelf_room(&shelf, 101, &victim), -EFBIG);
	CHECK_INT(shelf_room(&shelf, UINT64_MAX, &victim), -EFBIG);
	test_case("what is on its way counts");
	shelf.reserved = 90;
	CHECK_INT(shelf_room(&shelf, 0, &victim), 0);
	CHECK_INT(shelf_room(&shelf, 1, &victim), 1);
	test_case("a file that comes anew counts once");
	shelf.reserved = 0;
	shelf_keep(&shelf, &items[0], 30);
	CHECK_INT(shelf.kept_bytes, 30);
	CHECK_INT(shelf.nkept, 1);
}

static void
test_spare(void)
{
	test_case("of what is not kept the oldest is forgotten first");
	empty(100);
	put(0, 5);
	put(1, 0)->users = 1;
	put(2, 0);
	put(3, 0);
	CHECK(shelf_spare(&shelf) == &items[2]);
	shelf_remove(&shelf, &items[2]);
	CHECK(shelf_spare(&shelf) == &items[3]);
	shelf_remove(&shelf, &items[3]);
	CHECK(shelf_spare(&shelf) == NULL);
}

int
main(void)
{
	test_find();
	test_room();
	test_spare();
	return test_end();
}
