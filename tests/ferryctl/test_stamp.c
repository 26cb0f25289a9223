/* Tests of ferryctl/stamp.c. */
#include "ferryctl/stamp.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

#define IMAGE 1024
#define PE    0x80
#define PRINT 600 /* where the fingerprint stands */

static uint8_t from[DIGEST_BYTES], to[DIGEST_BYTES];

static void
put32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* A PE32+ image of the least kind. */
static void
make_image(uint8_t image[static IMAGE], uint32_t checksum, uint32_t signature)
{
	memset(image, 0, IMAGE);
	memcpy(image, "MZ", 2);
	put32(image + 60, PE);
	memcpy(image + PE, "PE\0\0", 4);
	image[PE + 24] = 0x0b;
	image[PE + 25] = 0x02;
	put32(image + PE + 24 + 64, checksum);
	put32(image + PE + 24 + 112 + 4 * 8 + 4, signature);
	memcpy(image + PRINT, from, sizeof(from));
}

/* The checksum as the PE format defines it, worked out in another way. */
static uint32_t
sum_of(const uint8_t *image, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint64_t)(image[i] | image[i + 1] << 8);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)(sum + n);
}

int
main(void)
{
	static uint8_t image[IMAGE], before[IMAGE];
	uint8_t field[4], print[DIGEST_BYTES];

	memset(from, 0xa5, sizeof(from));
	from[0] = 1;
	memset(to, 0x5a, sizeof(to));

	test_case("the fingerprint is replaced, and nothing else");
	make_image(image, 0, 0);
	memcpy(before, image, IMAGE);
	CHECK_INT(stamp_apply(image, IMAGE, from, to), 0);
	CHECK_INT(memcmp(image + PRINT, to, sizeof(to)), 0);
	memcpy(image + PRINT, from, sizeof(from));
	CHECK_INT(memcmp(image, before, IMAGE), 0);

	test_case("a checksum is mended");
	make_image(image, 0x12345678, 0);
	CHECK_INT(stamp_apply(image, IMAGE, from, to), 0);
	memcpy(field, image + PE + 24 + 64, 4);
	put32(image + PE + 24 + 64, 0);
	put32(before, sum_of(image, IMAGE));
	CHECK_INT(memcmp(field, before, 4), 0);

	test_case("a fingerprint that is not there, or twice, changes nothing");
	make_image(image, 0, 0);
	CHECK_INT(stamp_apply(image, IMAGE, to, from), -ENOENT);
	memcpy(image + PRINT + 100, from, sizeof(from));
	memcpy(before, image, IMAGE);
	CHECK_INT(stamp_apply(image, IMAGE, from, to), -EEXIST);
	CHECK_INT(memcmp(image, before, IMAGE), 0);

	test_case("one that overlaps the checksum is none");
	make_image(image, 0x12345678, 0);
	memset(image + PRINT, 0, sizeof(from));
	memcpy(image + PE + 24 + 64 + 3, from, sizeof(from));
	memcpy(before, image, IMAGE);
	CHECK_INT(stamp_apply(image, IMAGE, from, to), -ENOENT);
	CHECK_INT(memcmp(image, before, IMAGE), 0);

	test_case("a stamp is read by the original");
	make_image(before, 0x12345678, 0);
	memcpy(image, before, IMAGE);
	CHECK_INT(stamp_apply(image, IMAGE, from, to), 0);
	memset(print, 0, sizeof(print));
	CHECK(!stamp_read(
	    (struct slice){ before, IMAGE }, (struct slice){ before, IMAGE }, from, print));
	CHECK(!stamp_read(
	    (struct slice){ image, IMAGE - 1 }, (struct slice){ before, IMAGE }, from, print));
	CHECK(!stamp_read(
	    (struct slice){ image, IMAGE }, (struct slice){ image, IMAGE }, from, print));
	CHECK(stamp_read(
	    (struct slice){ image, IMAGE }, (struct slice){ before, IMAGE }, from, print));
	CHECK_INT(memcmp(print, to, sizeof(to)), 0);
	image[PRINT + 40] ^= 1; /* another build */
	CHECK(!stamp_read(
	    (struct slice){ image, IMAGE }, (struct slice){ before, IMAGE }, from, print));

	test_case("a signature is seen");
	make_image(image, 0, 0);
	CHECK(!stamp_is_signed((struct slice){ image, IMAGE }));
	make_image(image, 0, 400);
	CHECK(stamp_is_signed((struct slice){ image, IMAGE }));

	test_case("what is cut short is no image, and is not read beyond its end");
	for (size_t n = 0; n < PE + 24 + 112 + 40; n++)
		CHECK(!stamp_is_signed((struct slice){ image, n }));
	for (size_t n = 0; n < IMAGE; n++) {
		make_image(image, 1, 0);
		CHECK_INT(stamp_apply(image, n, from, to), n < PRINT + DIGEST_BYTES ? -ENOENT : 0);
	}
	test_case("a header that lies far away");
	make_image(image, 1, 1);
	put32(image + 60, 0xfffffff0);
	CHECK(!stamp_is_signed((struct slice){ image, IMAGE }));
	CHECK_INT(stamp_apply(image, IMAGE, from, to), 0);
	return test_end();
}
