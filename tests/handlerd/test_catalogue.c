/* Tests of handlerd/catalogue.c and watch.c, on a content root made for them. */
#include "handlerd/catalogue.h"

#include "common/content.h"
#include "common/log.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
put_image(const char *folder, const char *name, unsigned size)
{
	char path[128], text[512];

	snprintf(path, sizeof(path), "images/%s", folder);
	CHECK_INT(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "images/%s/vmlinuz", folder);
	put(path, "hello");
	snprintf(path, sizeof(path), "images/%s/manifest.json", folder);
	snprintf(text, sizeof(text),
	    "{\"name\":\"%s\",\"type\":\"linux\",\"files\":[{\"role\":\"kernel\",\"name\":"
	    "\"vmlinuz\",\"size\":%u,\"sha256\":\"" SHA "\"}]}",
	    name, size);
	put(path, text);
}

static struct loop *loop;
static int changes;

static void
on_change(void *arg)
{
	(void)arg;
	changes++;
	loop_stop(loop);
}

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", command[64];
	struct loop_timer limit;
	struct catalogue *c;
	struct watch *w;
	int root;

	log_init("test_catalogue", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	root = content_root_open(".");

	test_case("an empty content root is a good one");
	CHECK_INT(catalogue_scan(root, &c), 0);
	CHECK(c->nloaders == 0 && c->nimages == 0 && c->broken == 0);
	catalogue_free(c);
	CHECK_INT(catalogue_scan(-1, &c), 0);
	catalogue_free(c);

	test_case("loaders are found in boot/ and in folders below, and the best is told");
	CHECK(mkdir("boot", 0755) == 0 && mkdir("boot/bios", 0755) == 0);
	put("boot/bios/undionly.kpxe", "PXE->EB:");
	put("boot/bios/pxelinux.0", "x");
	put("boot/snponly.efi", "no PE image");
	put("boot/readme.txt", "x");
	put("boot/.hidden.efi", "x");
	CHECK_INT(symlink("/etc/passwd", "boot/evil.efi"), 0);
	CHECK_INT(catalogue_scan(root, &c), 0);
	CHECK_INT(c->nloaders, 3);
	CHECK_STR(c->best[ARCH_CPU_BIOS]->path, "boot/bios/undionly.kpxe");
	CHECK_STR(c->best[ARCH_CPU_X64]->path, "boot/snponly.efi");
	CHECK(c->best[ARCH_CPU_X64]->info.cpu_by_name);
	CHECK(c->best[ARCH_CPU_ARM64] == NULL);
	CHECK_INT(c->broken, 1);
	catalogue_free(c);

	test_case("a Raspberry Pi's firmware is known by its place and names");
	CHECK(mkdir("boot/rpi", 0755) == 0 && mkdir("boot/rpi/overlays", 0755) == 0);
	put("boot/rpi/bootcode.bin", "x");
	put("boot/rpi/Config.txt", "x");
	put("boot/rpi/kernel8.img", "x");
	put("boot/rpi/undionly.kpxe", "PXE->EB:");
	put("boot/rpi/overlays/start4.elf", "x");
	put("boot/config.txt", "x");
	CHECK_INT(catalogue_scan(root, &c), 0);
	CHECK_INT(c->nloaders, 3 + 2);
	CHECK_STR(c->best[ARCH_CPU_RPI]->path, "boot/rpi/bootcode.bin");
	CHECK_STR(c->best[ARCH_CPU_BIOS]->path, "boot/bios/undionly.kpxe");
	CHECK_STR(loader_kind_name(c->best[ARCH_CPU_RPI]->info.kind), "rpi");
	catalogue_free(c);
	CHECK(unlink("boot/rpi/bootcode.bin") == 0);
	CHECK_INT(catalogue_scan(root, &c), 0);
	CHECK_STR(c->best[ARCH_CPU_RPI]->path, "boot/rpi/Config.txt");
	catalogue_free(c);

	test_case("images are listed by name; broken ones are left out and counted");
	CHECK_INT(mkdir("images", 0755), 0);
	put_image("zulu", "zulu", 5);
	put_image("Alpha", "Alpha", 5);
	put_image("wrong-size", "wrong-size", 6);
	put_image("wrong-name", "another", 5);
	put_image(".hidden", "hidden", 5);
	CHECK_INT(mkdir("images/empty", 0755), 0);
	CHECK_INT(catalogue_scan(root, &c), 0);
	CHECK_INT(c->nimages, 2);
	CHECK_STR(c->images[0].name, "Alpha");
	CHECK_STR(c->images[1].name, "zulu");
	CHECK_INT(c->broken, 1 + 3);
	CHECK(catalogue_image(c, "zulu") == &c->images[1]);
	CHECK(catalogue_image(c, "none") == NULL);
	catalogue_free(c);

	test_case("what is published is noticed");
	CHECK_INT(loop_new(&loop), 0);
	loop_timer_init(&limit, on_limit, NULL);
	CHECK_INT(watch_open(loop, dir, on_change, NULL, &w), 0);
	CHECK_INT(rename("images/zulu", "images/yankee"), 0);
	CHECK_INT(loop_timer_set(loop, &limit, 5000), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(changes, 1);

	test_case("also in a folder of boot/ that was made meanwhile");
	CHECK_INT(mkdir("boot/arm64", 0755), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(changes, 2);
	put("boot/arm64/x", "x");
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(changes, 3);
	watch_close(w);
	loop_free(loop);

	close(root);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
